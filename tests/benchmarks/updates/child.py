"""One process for one number of threads: it measures updates and prints JSON."""

from functools import partial

from tests.benchmarks.child import QUICK, made, parsed, print_results
from tests.benchmarks.measuring import interleaved
from tests.benchmarks.updates import allocator
from tests.benchmarks.updates.agreement import check
from tests.benchmarks.updates.memory import extra
from tests.benchmarks.updates.problem import problem
from tests.benchmarks.updates.studies import STUDIES

SECONDS = 5.0


def measured(given, study):
    """Samples in seconds, reasons of those that are missing, and bytes, each by contestant."""
    if study.tuned:
        allocator.keep()
    posed = problem(study.shapes(given.quick), given.threads)
    contestants, missing = made(study.contestants, posed)
    check(posed, contestants)
    steps = {name: each.step for name, each in contestants.items()}
    samples = interleaved(steps, QUICK if given.quick else SECONDS, given.threads)
    alone = given.threads == 1 and not study.tuned
    taken = {name: extra(step) for name, step in steps.items()} if alone else {}
    return {"samples": samples, "missing": missing, "extra": taken}


def main():
    """Measure the named studies."""
    given = parsed(__doc__)
    print_results(STUDIES, given, partial(measured, given))


if __name__ == "__main__":
    main()
