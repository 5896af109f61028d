"""Measures passes and updates beside other libraries: `python -m tests.benchmarks --help`."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks import report
from tests.benchmarks.environment import variables
from tests.benchmarks.markdown import page
from tests.benchmarks.results import Results
from tests.benchmarks.updates import report as updates
from tests.benchmarks.updates.studies import STUDIES
from tests.benchmarks.workloads import WORKLOADS

COMPILED_ONCE = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
LONG = 15


@dataclass(frozen=True)
class Kind:
    """What can be measured: its names, the module of its processes, its page in the docs."""

    names: Collection[str]
    child: str
    page: str
    report: Callable[[Any, str], str]


KINDS = {
    "passes": Kind(WORKLOADS, "tests.benchmarks.child", "benchmarks.md", report.report),
    "updates": Kind(
        STUDIES, "tests.benchmarks.updates.child", "benchmarks-updates.md", updates.report
    ),
}


def main(arguments=None):
    """Measure, and print the tables, or write them into their pages."""
    given = parsed(arguments)
    command = " ".join(["python -m tests.benchmarks", *sys.argv[1:]])
    for kind in chosen(given):
        names = [each for each in kind.names if not given.workload or each in given.workload]
        generated = kind.report(measure(kind, names, given), command)
        if given.write:
            target = given.write / kind.page
            target.write_text(page(target.read_text(), generated))
        else:
            print(generated)


def parsed(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--kind", choices=KINDS, help="default: both")
    names = [*WORKLOADS, *STUDIES]
    parser.add_argument("--workload", action="append", choices=names, help="default: all")
    parser.add_argument("--threads", action="append", type=int, help="default: 1, then 2")
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that all runs")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write into its pages")
    given = parser.parse_args(arguments)
    if given.quick and given.write:
        parser.error("--quick measures few rounds and small arrays, which no page should show")
    return given


def chosen(given):
    """The kinds that are asked for, by name or by a workload."""
    asked = [KINDS[given.kind]] if given.kind else KINDS.values()
    wanted = set(given.workload or (*WORKLOADS, *STUDIES))
    return [each for each in asked if wanted & set(each.names)]


def measure(kind, names, given):
    """For each number of threads, BLAS's kernels and the results of each workload.

    The most threads come first, and what takes XLA long is compiled once, on all cores: the
    functions of a thousand small arrays, which it does not divide.
    """
    threads, found = given.threads or (1, 2), {}
    with TemporaryDirectory() as compiled:
        for each in sorted(threads, reverse=True):
            shared = {"JAX_COMPILATION_CACHE_DIR": compiled, COMPILED_ONCE: str(LONG)}
            found[each] = run(kind, names, each, given.quick, variables(each) | shared)
    return {each: found[each] for each in threads}


def run(kind, names, threads, quick, environment):
    """What one process says."""
    command = [sys.executable, "-m", kind.child, *names, "--threads", str(threads)]
    ran = subprocess.run(
        [*command, *["--quick"] * quick],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = json.loads(ran.stdout)
    return found["kernels"], {name: Results(**each) for name, each in found["results"].items()}


if __name__ == "__main__":
    main()
