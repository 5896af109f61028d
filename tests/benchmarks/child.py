"""One process for one number of threads: it measures workloads and prints JSON."""

import argparse
import json
import sys

from tests.benchmarks.agreement import require_equal
from tests.benchmarks.environment import kernels
from tests.benchmarks.measuring import interleaved
from tests.benchmarks.pinning import confine
from tests.benchmarks.workload import REFERENCE
from tests.benchmarks.workloads import WORKLOADS

SECONDS = 14.0
QUICK = 0.3
"""For each workload, in seconds."""


def measured(workload, budget, threads):
    """Samples in seconds by contestant, and the reason of each that is missing."""
    problem = workload.problem()
    runs, missing = made(workload.contestants, problem)
    check(workload, runs)
    samples = interleaved({name: run.step for name, run in runs.items()}, budget, threads)
    return {"samples": samples, "missing": missing}


def made(contestants, problem):
    """The contestants that can take part, ready, and the reason of each that cannot."""
    runs, missing = {}, {}
    for name, contestant in contestants.items():
        if isinstance(contestant, str):
            missing[name] = contestant
            continue
        try:
            runs[name] = contestant(problem)
        except ModuleNotFoundError as error:
            missing[name] = f"{error.name} is not installed"
    return runs, missing


def check(workload, runs):
    """Raise `DisagreementError` unless all contestants compute the same numbers."""
    found = {name: run.read(run.step()) for name, run in runs.items() if run.read}
    wanted = found.get(REFERENCE) or next(iter(found.values()))
    for name, each in found.items():
        require_equal(f"{workload.name}: {name}", each, wanted, workload.roundings)


def main():
    """Measure the named workloads."""
    given = parsed(__doc__)
    budget = QUICK if given.quick else SECONDS
    print_results(WORKLOADS, given, lambda each: measured(each, budget, given.threads))


def parsed(description):
    """The command line of a process that measures."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--quick", action="store_true", help="to see that all runs")
    return parser.parse_args()


def print_results(known, given, measured):
    """Measure what was named, of what is known, within the number of threads; print JSON."""
    limit(given.threads)
    results = {}
    for name in given.names:
        print(f"{given.threads} thread(s): {known[name].title}", file=sys.stderr, flush=True)
        results[name] = measured(known[name])
    json.dump({"kernels": kernels(), "results": results}, sys.stdout)


def limit(threads):
    """Give this process its number of cores, and torch, where it is installed, of threads."""
    confine(threads)
    try:
        import torch
    except ModuleNotFoundError:
        return
    torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
