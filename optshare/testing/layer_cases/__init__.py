"""What level 5 asks of each layer: a table of cases, by name, and PyTorch's numbers for them."""

from __future__ import annotations

from dataclasses import replace

from optshare import layers
from optshare.layers import Layer
from optshare.testing.layer_cases import attention, images, normalising, recurrent, simple
from optshare.testing.layer_cases.case import Case
from optshare.tree import parts

CASES: dict[str, Case] = {
    name: replace(each, name=name)
    for family in (simple, images, normalising, recurrent, attention)
    for name, each in family.CASES.items()
}
"""Every case by its name; `layer.NAME` is its check."""


def layers_of(case: Case) -> set[str]:
    """The names of the layers of optshare that occur in a case.

    >>> sorted(layers_of(CASES["chain"]))
    ['Chain', 'Dense', 'Flatten']
    """
    found = (each for _, each in parts(case.make()) if isinstance(each, Layer))
    return {type(each).__name__ for each in found} & set(layers.__all__)
