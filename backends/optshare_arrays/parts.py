"""Complex numbers: their parts, and the two conventions of a gradient.

For a real L of z = a + ib, users and optimizers see dL/da + i dL/db, as in
PyTorch. Inside, a cotangent is the conjugate of that, for then the VJP of a
holomorphic function is a plain product with its derivative, as of a real one.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from optshare_arrays.primitives import Primitive, plain, stands_for, unboxed
from optshare_arrays.untyped import np

_conj = Primitive(np.conj, [lambda g, y, x: _conj(g)], name="conj")
_real = Primitive(attrgetter("real"), [lambda g, y, x: g], name="real")
_imag = Primitive(attrgetter("imag"), [lambda g, y, x: g * -1j], name="imag")


def is_complex(x: Any) -> bool:
    """Whether an array or a number is complex, tracked or not."""
    value = plain(x)
    dtype = getattr(value, "dtype", None)
    return isinstance(value, complex) if dtype is None else dtype.kind == "c"


def turned(g: Any) -> Any:
    """A cotangent from the users' convention in that of VJPs, or back: its conjugate."""
    return _conj(g) if g.dtype.kind == "c" else g


@stands_for(np.conj)
def conj(x: Any) -> Any:
    """The complex conjugate; a real array is its own."""
    x = unboxed(x)
    return _conj(x) if is_complex(x) else x


@stands_for(np.real)
def real(x: Any) -> Any:
    """The real part; a real array is its own."""
    x = unboxed(x)
    return _real(x) if is_complex(x) else x


def squared_modulus(x: Any) -> Any:
    """|x|**2, which is real."""
    return real(x * conj(x))


@stands_for(np.imag)
def imag(x: Any) -> Any:
    """The imaginary part; that of a real array is the constant 0."""
    x = unboxed(x)
    return _imag(x) if is_complex(x) else np.imag(plain(x))


@stands_for(np.real_if_close)
def real_if_close(x: Any, tol: float = 100) -> Any:
    """The real part, where the imaginary parts are as good as 0; else the array itself."""
    return x if is_complex(np.real_if_close(plain(x), tol)) else real(x)
