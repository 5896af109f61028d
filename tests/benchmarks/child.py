"""One process for one number of threads: it measures workloads and prints JSON."""

import argparse
import json
import sys

from tests.benchmarks.agreement import require_equal
from tests.benchmarks.environment import kernels
from tests.benchmarks.measuring import interleaved
from tests.benchmarks.workload import REFERENCE
from tests.benchmarks.workloads import WORKLOADS


def measured(workload, budget, threads):
    """Samples in seconds by contestant, and the reason of each that is missing."""
    problem = workload.problem()
    runs, missing = {}, {}
    for name, contestant in workload.contestants.items():
        if isinstance(contestant, str):
            missing[name] = contestant
            continue
        try:
            runs[name] = contestant(problem)
        except ModuleNotFoundError as error:
            missing[name] = f"{error.name} is not installed"
    check(workload, runs)
    samples = interleaved({name: run.step for name, run in runs.items()}, budget, threads)
    return {"samples": samples, "missing": missing}


def check(workload, runs):
    """Raise `DisagreementError` unless all contestants compute the same numbers."""
    found = {name: run.read(run.step()) for name, run in runs.items() if run.read}
    wanted = found.get(REFERENCE) or next(iter(found.values()))
    for name, each in found.items():
        require_equal(f"{workload.name}: {name}", each, wanted, workload.roundings)


def main():
    """Measure the named workloads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="+")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--budget", type=float, required=True, help="seconds for each workload")
    given = parser.parse_args()
    limit_torch(given.threads)
    results = {}
    for name in given.workloads:
        print(f"{given.threads} thread(s): {WORKLOADS[name].title}", file=sys.stderr, flush=True)
        results[name] = measured(WORKLOADS[name], given.budget, given.threads)
    json.dump({"kernels": kernels(), "results": results}, sys.stdout)


def limit_torch(threads):
    """Give torch its number of threads, where it is installed."""
    try:
        import torch
    except ModuleNotFoundError:
        return
    torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
