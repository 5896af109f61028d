"""What updates cost, as Markdown."""

from tests.benchmarks.markdown import about, plural, table
from tests.benchmarks.results import is_ours
from tests.benchmarks.updates.limits import LIMITS, allowed, verdict
from tests.benchmarks.updates.studies import STUDIES

PACKAGES = ("numpy", "numba", "torch", "jax", "optax", "keras", "thinc")


def report(measured, command):
    """Everything; `measured` has, for each number of threads, the kernels and results by name."""
    plain = {each: studies(found, tuned=False) for each, (_, found) in measured.items()}
    tuned = {each: studies(found, tuned=True) for each, (_, found) in measured.items()}
    parts = [about(PACKAGES, command), "## Limits", *summary(plain), *memory(plain)]
    for threads, results in plain.items():
        parts.append(f"## {plural(threads)}")
        parts += [section(STUDIES[name], found) for name, found in results.items()]
    if any(tuned.values()):
        parts += ["## With a tuned allocator", *tuned_allocator(tuned)]
    return "\n\n".join(parts)


def studies(results, *, tuned):
    """The results of those with, or without, a tuned allocator."""
    return {name: each for name, each in results.items() if STUDIES[name].tuned == tuned}


def summary(measured):
    """Each limit, and the ratio for each number of threads."""
    names = {name for results in measured.values() for name in results}
    rows = [
        [
            *(STUDIES[each.study].title, each.name, each.other, f"{each.factor:g}"),
            *(verdict(each, results) for results in measured.values()),
        ]
        for each in LIMITS
        if each.study in names
    ]
    if rows:
        yield table(
            ["set", "contestant", "as a multiple of", "limit", *map(plural, measured)], rows
        )


def memory(measured):
    """What a step of each contestant takes beside what it keeps, in MB."""
    found = {
        name: each.extra
        for results in measured.values()
        for name, each in results.items()
        if each.extra
    }
    names = dict.fromkeys(name for each in found.values() for name in each)
    rows = [[name, *(megabytes(name, *each) for each in found.items())] for name in names]
    if rows:
        yield "## Memory"
        yield table(["MB beside the state", *(STUDIES[name].title for name in found)], rows)


def megabytes(name, study, extra):
    """A number of MB, and for optshare's whether it keeps the limit."""
    if name not in extra:
        return "-"
    kept = "kept" if extra[name] <= allowed(name, study) else "over"
    return f"{extra[name] / 1e6:.1f}{' ' + kept if is_ours(name) else ''}"


def section(study, found):
    """One study under one number of threads."""
    compared = [each for each in study.compared if each in found.samples]
    head = ["contestant", "median, ms", "quartiles", *(f"/ {each}" for each in compared), "rounds"]
    rows = [row(found, name, compared) for name in found.ordered()]
    rows += [[name, *["-"] * (len(head) - 2), reason] for name, reason in found.missing.items()]
    notes = [study.notes] if study.notes else []
    return "\n\n".join([f"### {study.title}", *notes, table(head, rows)])


def row(found, name, compared):
    """One contestant."""
    low, high = (1e3 * each for each in found.quartiles(name))
    ratios = [f"{found.ratio(name, each):.2f}" for each in compared]
    median = f"{1e3 * found.median(name):.3g}"
    return [name, median, f"{low:.3g} to {high:.3g}", *ratios, str(found.rounds(name))]


def tuned_allocator(measured):
    """One row for each contestant whose time is that of its allocations."""
    head = ["set", "contestant", "threads", "median, ms", "quartiles", "/ floor", "/ torch, fused"]
    rows = []
    for threads, results in measured.items():
        for name, found in results.items():
            compared = [each for each in STUDIES[name].compared if each in found.samples]
            for each in found.ordered():
                contestant, *cells, _ = row(found, each, compared)
                rows.append([STUDIES[name].title, contestant, str(threads), *cells])
    yield table(head, rows)
