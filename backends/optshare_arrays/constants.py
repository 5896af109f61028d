"""NumPy's functions without a derivative: what they find is plain."""

from __future__ import annotations

from optshare_arrays.primitives import constant
from optshare_arrays.untyped import np

# fmt: off
bitwise_and         = constant(np.bitwise_and)
bitwise_invert      = constant(np.bitwise_not)
bitwise_left_shift  = constant(np.left_shift)
bitwise_or          = constant(np.bitwise_or)
bitwise_right_shift = constant(np.right_shift)
bitwise_xor         = constant(np.bitwise_xor)
count_nonzero       = constant(np.count_nonzero)
logical_xor         = constant(np.logical_xor)
nextafter           = constant(np.nextafter)
nonzero             = constant(np.nonzero)
searchsorted        = constant(np.searchsorted)
signbit             = constant(np.signbit)
# fmt: on

for _each in (
    np.allclose,
    np.argpartition,
    np.argsort,
    np.argwhere,
    np.around,
    np.array_equal,
    np.array_equiv,
    np.empty_like,
    np.fix,
    np.flatnonzero,
    np.isclose,
    np.iscomplex,
    np.iscomplexobj,
    np.isneginf,
    np.isposinf,
    np.isreal,
    np.isrealobj,
    np.result_type,
    np.rint,
):
    constant(_each)
