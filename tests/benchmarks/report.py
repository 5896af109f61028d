"""What passes cost, as Markdown."""

from tests.benchmarks.markdown import about, plural, table
from tests.benchmarks.results import is_ours
from tests.benchmarks.workloads import WORKLOADS

PACKAGES = ("numpy", "torch", "jax", "autograd", "mygrad")
LIMITED = 1
"""The limits are for one thread."""


def report(measured, command):
    """Everything; `measured` has, for each number of threads, the kernels and results by name."""
    kernels = ", ".join(dict.fromkeys(each for each, _ in measured.values() if each))
    parts = [about(PACKAGES, command)]
    if kernels:
        parts[0] += f"\n- NumPy's BLAS picked its kernels for {kernels}."
    if LIMITED in measured:
        parts.append(summary(measured[LIMITED][1]))
    for threads, (_, results) in measured.items():
        parts.append(f"## {plural(threads)}")
        parts += [section(WORKLOADS[name], found, threads) for name, found in results.items()]
    return "\n\n".join(parts)


def summary(results):
    """optshare's ratios to torch eager at one thread, against the limits."""
    rows = [
        [WORKLOADS[name].title, f"{WORKLOADS[name].limit:.2f}", *_ours(found)]
        for name, found in results.items()
    ]
    head = ["workload", "limit", "tape", "functional", "tape, `back`"]
    return f"Time as a multiple of torch eager's, one thread:\n\n{table(head, rows)}"


def _ours(found):
    reference = found.comparisons()[0]
    return [f"{found.ratio(name, reference):.2f}" for name in found.samples if is_ours(name)]


def section(workload, found, threads):
    """One workload under one number of threads."""
    unit = "µs per operation" if workload.operations else "ms"
    compared = found.comparisons()
    head = ["contestant", f"median, {unit}", "quartiles", *(f"/ {each}" for each in compared)]
    head += ["rounds", "limit"] if threads == LIMITED else ["rounds"]
    rows = [row(workload, found, each, threads) for each in found.ordered()]
    rows += [[name, *["-"] * (len(head) - 2), reason] for name, reason in found.missing.items()]
    notes = workload.notes if threads == LIMITED else []
    return "\n\n".join([f"### {workload.title}", *notes, table(head, rows)])


def row(workload, found, name, threads):
    """One contestant."""
    scale = 1e6 / workload.operations if workload.operations else 1e3
    low, high = (scale * each for each in found.quartiles(name))
    cells = [name, f"{scale * found.median(name):.3g}", f"{low:.3g} to {high:.3g}"]
    cells += [f"{found.ratio(name, each):.2f}" for each in found.comparisons()]
    cells.append(str(found.rounds(name)))
    if threads == LIMITED:
        cells.append(found.verdict(name, workload.limit) if is_ours(name) else "")
    return cells
