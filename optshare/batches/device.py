"""A batch by the CUDA kernel: one launch over a table of addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optshare.batches.runner import Members, Scalars
from optshare.kernels import cuda, host
from optshare.kernels.table import rows_of


class OnDevice:
    """Runs a batch whose parameters are written in place, in the memory of a CUDA device."""

    def __init__(self, members: Members) -> None:
        value, gradient, working, _ = members.types
        self._seam = members.seam
        self._kernel = cuda.CudaKernel(members.program, cuda.Types(value, gradient, working))
        self._names = list(members.program.results)
        self._working = np.dtype(working)
        self._sizes = [each.size for each in members.values]
        self._layouts = [_layout(each) for each in members.values]
        examples = self._views(members.gradients)
        self._gradient_layouts = [_layout(each) for each in examples or []]
        self._states = [
            [self._seam.device_view(each[name]) for name in self._names] for each in members.states
        ]
        self._kinds = set(map(type, members.gradients))
        self._stored: list[Any] = []
        self._values: list[Any] = []
        self._gradients: list[Any] = []

    def share(self, sets: Sequence[int]) -> None:
        """Take note of the set of constants of each parameter."""
        self._rows = rows_of(self._sizes, sets, cuda.PIECE)

    def takes(self, stored: list[Any], gradients: list[Any]) -> bool:
        """Whether arrays are laid out as the kernel expects, and no gradient is to be written."""
        if not self._kinds.issuperset(map(type, gradients)):
            return False
        with self._seam.device_stream(stored[0]):
            values, found = self._views(stored), self._views(gradients)
        if values is None or found is None:
            return False
        self._stored, self._values, self._gradients = stored, values, found
        written = set(map(self._seam.memory, stored))
        return (
            list(map(_layout, values)) == self._layouts
            and list(map(_layout, found)) == self._gradient_layouts
            and len(written) == len(stored)
            and written.isdisjoint(map(self._seam.memory, gradients))
        )

    def _views(self, arrays: list[Any]) -> list[Any] | None:
        found = [self._seam.device_view(each) for each in arrays]
        return None if any(each is None for each in found) else found

    def is_finite(self) -> bool:
        """Whether every element of every gradient is finite; the host waits once for the answer."""
        with self._seam.device_stream(self._stored[0]):
            bad = sum((~np.isfinite(each)).any() for each in self._gradients)
            return not bool(bad)

    def run(self, scalars: Sequence[Scalars], scale: float) -> None:
        """Update the parameters; the device does so when it has done what it was given before."""
        element = self._kernel.element
        constants = np.array([element.numbers(each, scale, self._working) for each in scalars])
        with self._seam.device_stream(self._stored[0]):
            columns = zip(self._values, self._values, self._gradients, strict=True)
            table = [
                [each.data.ptr for each in (*fixed, *states)]
                for fixed, states in zip(columns, self._states, strict=True)
            ]
            width = host.FIXED + len(self._names)
            pointers = np.array(table, np.int64).reshape(len(table), width)
            self._kernel(pointers, self._rows, constants)
        self._stored, self._values, self._gradients = [], [], []


def _layout(array: Any) -> tuple[Any, ...]:
    return array.dtype, array.shape, array.strides, array.device.id
