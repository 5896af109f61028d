"""Writes the generated parts of docs/conformance.md: the checks, and what became of them.

`python tests/conformance/write_tables.py` writes them; with `--check` it writes
nothing, and exits 1 if one is stale. It runs every check on every bundled backend.
"""

import argparse
import os
import re
import sys
import textwrap
from functools import cache
from itertools import groupby
from pathlib import Path

from optshare.testing import CHECKS, Run, checks, table
from optshare.testing.layer_cases import CASES, layers_of

os.environ.setdefault("JAX_ENABLE_X64", "1")  # no backend is loaded yet
os.environ.setdefault("JAX_PLATFORMS", "cpu")

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
BACKENDS = ("tape", "functional", "torch", "jax", "autograd")
COMMAND = "python tests/conformance/write_tables.py"
WIDTH = 118


@cache
def runs():
    """Each backend, whose checks run once."""
    return [Run(name) for name in BACKENDS]


def results():
    """Backend by group of checks."""
    return table(runs()).strip()


def layers():
    """Layer by backend: of the cases in which it occurs, how many pass."""
    held = {name: layers_of(case) for name, case in CASES.items()}
    lines = [_row(["layer", "cases", *(f"`{run.name}`" for run in runs())])]
    lines.append(_row(["---"] * (len(BACKENDS) + 2)))
    for layer in sorted(set().union(*held.values())):
        cases = [CHECKS[f"layer.{name}"] for name, found in held.items() if layer in found]
        passed = [sum(run.outcome(each).status == "passed" for each in cases) for run in runs()]
        lines.append(_row([f"`{layer}`", str(len(cases)), *map(str, passed)]))
    return "\n".join(lines)


def _row(cells):
    return f"| {' | '.join(cells)} |"


def paragraphs():
    """For each level, each sentence of the protocol with the checks that enforce it."""
    parts = []
    for level, found in groupby(checks(), lambda each: each.level):
        parts.append(f"**Level {level}**\n\n" + "\n".join(_items(list(found))))
    return "\n\n".join(parts)


def _items(found):
    by_paragraph = {}
    for each in found:
        by_paragraph.setdefault(each.paragraph, []).append(f"`{each.id}`")
    for paragraph, ids in by_paragraph.items():
        yield f"- {paragraph}"
        lines = textwrap.wrap(", ".join(ids), WIDTH - 2, break_on_hyphens=False)
        yield textwrap.indent("\n".join(lines), "  ")


PARTS = {"results": results, "layers": layers, "checks": paragraphs}


def marked(name):
    """The pattern of a marked part: what is before it, the part, what is after."""
    return re.compile(rf"(<!-- {name} -->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)


def written(text, name, part):
    """The text of the page with a part in its place."""
    if not marked(name).search(text):
        raise ValueError(f"{PAGE.name} has no part <!-- {name} --> ... <!-- /{name} -->")
    return marked(name).sub(lambda found: f"{found[1]}\n{part}\n\n{found[3]}", text)


def stale(text, name):
    """Whether a part of the page is not what is generated now."""
    return written(text, name, PARTS[name]()) != text


def main(arguments=None):
    """Write the parts, or compare them; 1 if one is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a part is stale")
    text = PAGE.read_text()
    if parser.parse_args(arguments).check:
        found = [name for name in PARTS if stale(text, name)]
        for name in found:
            print(f"{PAGE.name}: the part {name!r} is stale; run {COMMAND}", file=sys.stderr)
        return int(bool(found))
    for name, generate in PARTS.items():
        text = written(text, name, generate())
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
