"""Functions that NumPy answers with a view: it is asked for one of an array without memory."""

from __future__ import annotations

from typing import Any

from optshare.shapes.reading import each_array, ghost, unghosted
from optshare.shapes.table import Function, stands_for
from optshare.shapes.untyped import np

# fmt: off
NAMES = (
    "broadcast_to", "flip", "matrix_transpose", "moveaxis", "permute_dims", "squeeze",
    "unstack",
)
# fmt: on
"""Those of `ops` that NumPy calls so, too."""

FURTHER = (
    np.array_split,
    np.atleast_1d,
    np.atleast_2d,
    np.atleast_3d,
    np.broadcast_arrays,
    np.diagonal,
    np.dsplit,
    np.fliplr,
    np.flipud,
    np.hsplit,
    np.linalg.diagonal,
    np.linalg.matrix_transpose,
    np.rollaxis,
    np.rot90,
    np.split,
    np.swapaxes,
    np.transpose,
    np.vsplit,
)


def view(function: Function) -> Function:
    """A function of NumPy's whose answers are views, for arrays without numbers.

    >>> view(np.rot90)(np.ones((2, 3)))
    Shaped((3, 2), float64)
    """

    def call(*args: Any, **options: Any) -> Any:
        given = (each_array(ghost, each) for each in args)
        return unghosted(function(*given, **each_array(ghost, options)))

    return call


@stands_for(np.expand_dims, name="expand_dims")
def expand_dims(x: Any, axis: Any = 0) -> Any:
    """The array with new axes of size 1."""
    return _expand_dims(x, axis)


_expand_dims = view(np.expand_dims)
for name in NAMES:
    stands_for(getattr(np, name), name=name)(view(getattr(np, name)))
for each in FURTHER:
    stands_for(each)(view(each))
