"""PyTorch's numbers for the cases, as data: the kit runs where PyTorch is not installed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import safetensors.numpy

FILE = Path(__file__).with_name("torch_numbers.safetensors")
"""Written by `python tests/conformance/write_layers.py`."""


@cache
def stored() -> dict[str, dict[str, Any]]:
    """For each case its outputs, its gradients, and its statistics afterwards, by name.

    >>> sorted(stored()["dense"])
    ['gradient/bias', 'gradient/input/0', 'gradient/weight', 'output/0']
    """
    found: dict[str, dict[str, Any]] = {}
    arrays: dict[str, Any] = safetensors.numpy.load(FILE.read_bytes())
    for name, array in arrays.items():
        case, _, what = name.partition("/")
        found.setdefault(case, {})[what] = array
    return found


def part(case: str, kind: str) -> dict[str, Any]:
    """Of the numbers of a case those of a kind, by their names.

    >>> sorted(part("dense", "gradient"))
    ['bias', 'input/0', 'weight']
    """
    kinds = ((name.partition("/"), array) for name, array in stored()[case].items())
    return {name: array for (each, _, name), array in kinds if each == kind}
