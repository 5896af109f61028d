"""Measures the engines on the workloads: `python -m tests.benchmarks --help`."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.environment import variables
from tests.benchmarks.report import page, report
from tests.benchmarks.results import Results
from tests.benchmarks.workloads import WORKLOADS

SECONDS = 14.0
QUICK = 0.3
CHILD = "tests.benchmarks.child"


def main(arguments=None):
    """Measure, print the tables, and write them into a page if one is given."""
    given = parsed(arguments)
    budget = QUICK if given.quick else SECONDS
    names = given.workload or list(WORKLOADS)
    measured = {each: measure(each, names, budget) for each in given.threads or (1, 2)}
    generated = report(measured, " ".join(["python -m tests.benchmarks", *sys.argv[1:]]))
    if given.write:
        given.write.write_text(page(given.write.read_text(), generated))
    else:
        print(generated)


def parsed(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="default: all")
    parser.add_argument("--threads", action="append", type=int, help="default: 1, then 2")
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that all runs")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write between a page's marks")
    return parser.parse_args(arguments)


def measure(threads, names, budget):
    """BLAS's kernels, and the results of each workload, from a process with so many threads."""
    command = [sys.executable, "-m", CHILD, *names, "--threads", str(threads)]
    ran = subprocess.run(
        [*command, "--budget", str(budget)],
        env=variables(threads),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = json.loads(ran.stdout)
    return found["kernels"], {name: Results(**each) for name, each in found["results"].items()}


if __name__ == "__main__":
    main()
