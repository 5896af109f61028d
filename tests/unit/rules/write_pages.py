"""Writes docs/rules/<rule>.md from docstrings and dialects, and docs/rules-proof.md from proofs.

`python -m tests.unit.rules.write_pages` writes them; it runs every proof.
"""

import inspect
import os
import re
from pathlib import Path

os.environ.setdefault("JAX_ENABLE_X64", "1")  # JAX is not loaded yet
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import optshare
from optshare.rules.dialects import DIALECTS, As, presets_of
from tests.unit.rules.proofs import HIPS, PROOFS, measured

DOCS = Path(__file__).parents[3] / "docs"
COMMAND = "python -m tests.unit.rules.write_pages"
PROOF = DOCS / "rules-proof.md"
FRAMEWORKS = {
    "torch": "PyTorch",
    "keras": "Keras",
    "optax": "optax",
    "flux": "Flux (Optimisers.jl)",
    "knet": "Knet",
    "chainer": "chainer",
    "thinc": "thinc",
}
SECTION = re.compile(r"(?m)^(Args|Raises|Source|Returns): ?")
NONE = ""


def faces():
    """The public rules by name."""
    kind = type(optshare.Adam)
    named = ((name, getattr(optshare, name)) for name in optshare.__all__)
    return {name: each for name, each in named if isinstance(each, kind)}


def path_of(name):
    """Where the page of a rule is."""
    return DOCS / "rules" / f"{name.lower()}.md"


def page(name):
    """The page of a rule."""
    text, _, example = inspect.cleandoc(faces()[name].__doc__).partition("\n>>> ")
    sections = SECTION.split(text)
    told = dict(zip(sections[1::2], sections[2::2], strict=True))
    options, _, remarks = told.get("Args", "").partition("\n\n")
    parts = [f"# {name}", blocks(sections[0])]
    if options:
        parts += ["## Options", option_table(name, options)]
    parts += [blocks(remarks)]
    if presets_of(faces()[name].rule):
        parts += ["## In other frameworks", framework_table(name)]
    parts += ["## Source", blocks(told.get("Source", "").strip())] if "Source" in told else []
    parts += ["## Example", f"```text\n>>> {example.strip()}\n```"] if example else []
    parts += [f"Written by `{COMMAND}` from the docstring; see also [rules](../rules.md)."]
    return "\n\n".join(part for part in parts if part) + "\n"


def blocks(text):
    """Paragraphs; what is indented is a formula."""
    found = []
    for part in re.split(r"\n\n+", text.strip("\n")):
        indented = part.startswith("    ")
        found.append(f"```text\n{inspect.cleandoc(part)}\n```" if indented else part.strip())
    return "\n\n".join(found)


def option_table(name, text):
    """Hyperparameter, default, meaning; what is not in the table of arguments is left out."""
    defaults = faces()[name]().hyperparameters()
    rows = ["| option | default | meaning |", "| --- | --- | --- |"]
    for each in re.split(r"\n(?=    \w+: )", text.strip("\n")):
        option, _, meaning = each.strip().partition(": ")
        told = " ".join(meaning.split()).replace("|", "\\|")
        rows.append(f"| `{option}` | `{defaults[option]!r}` | {told} |")
    return "\n".join(rows)


def framework_table(name):
    """What each framework's own rule is, in our options."""
    rows = ["| `dialect=` | its name | what it sets |", "| --- | --- | --- |"]
    for dialect, presets in presets_of(faces()[name].rule).items():
        for preset in presets:
            chosen = "".join(f", if `{each}` is given" for each in preset.when)
            found = [f"{option} {shown(value)}" for option, value in preset.options.items()]
            told = f"not followed: {preset.missing}" if preset.missing else ", ".join(found)
            rows.append(f'| `"{dialect}"` | `{preset.theirs}`{chosen} | {told or "the defaults"} |')
    return "\n".join(rows)


def shown(value):
    """A preset's value."""
    return f"the value of {value.name}" if isinstance(value, As) else repr(value)


def proof_page(measured=measured):
    """The largest deviation of each rule in each dialect."""
    found = {}
    for proof in PROOFS:
        place = proof.rule, proof.dialect
        found[place] = max(found.get(place, 0.0), measured(proof))
    hips = {proof.rule: measured(proof) for proof in HIPS}
    rows = [f"| rule | {' | '.join(FRAMEWORKS.values())} | HIPS autograd |"]
    rows.append("| --- |" + " --- |" * (len(FRAMEWORKS) + 1))
    for rule in sorted({proof.rule for proof in PROOFS}, key=str.lower):
        cells = [cell(rule, dialect, found) for dialect in DIALECTS]
        cells.append(number(hips[rule]) if rule in hips else NONE)
        name = f"[`{rule}`](rules/{rule.lower()}.md)"
        rows.append(f"| {name} | {' | '.join(cells)} |".replace("  ", " "))
    return PROOF_TEXT.format(table="\n".join(rows), count=len(PROOFS) + len(HIPS), command=COMMAND)


def cell(rule, dialect, found):
    """A deviation, or why there is none."""
    if (rule, dialect) in found:
        return number(found[rule, dialect])
    return "not followed" if rule in DIALECTS[dialect] else NONE


def number(deviation):
    """Two digits say enough."""
    return f"{deviation:.1e}"


PROOF_TEXT = """# Rules beside the frameworks

How far each rule in each dialect is from the framework's own one: the largest deviation,
max|a - b| / max(max|a|, lr), of values and of state, over {count} comparisons. Each takes 18 steps
in float64, of arrays of shapes (5, 7), () and (0,); lr changes at steps 6 and 12, a gradient is
absent at three steps and zero at one; weight decay is on in one comparison of each at least. All
but the hyperparameters that a comparison is about are each side's own defaults. The limit is 1e-12.

{table}

PyTorch, optax, Keras (on JAX) and HIPS autograd themselves run beside. Flux, Knet, chainer and
thinc do not install beside them: their formulas are written by hand, from their sources, in
`tests/unit/rules/by_hand`. HIPS autograd is no dialect: its rules are
`SGD(momentum=m, dampening=m, dampen_first=True)`, `RMSProp(initial_accumulator_value=1.0)` and
`Adam()`, lr does not change, and its values alone can be compared. Where a cell is empty, the
framework has no such rule, or none that is compared; "not followed" is told on the rule's page.

Written by `{command}`; the comparisons are `tests/unit/rules/proofs.py`.
"""


def main():
    """Write all pages."""
    (DOCS / "rules").mkdir(exist_ok=True)
    for name in faces():
        path_of(name).write_text(page(name))
    PROOF.write_text(proof_page())


if __name__ == "__main__":
    main()
