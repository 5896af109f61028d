"""NumPy's dispatch protocols for arrays without numbers: which of our functions stands in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optshare.errors import InPlaceError, NoNumbersError
from optshare.shapes.table import ANY_UFUNC, BY_NUMPY, Function


def by_ufunc(ufunc: Any, method: str, inputs: Sequence[Any], options: dict[str, Any]) -> Any:
    """The answer of a universal function: of a known one, or of any that works by elements."""
    if options.pop("out", None) is not None:
        raise _in_place(ufunc)
    if method != "__call__":
        raise _unknown(f"{_named(ufunc)}.{method}")
    if ufunc in BY_NUMPY:
        return BY_NUMPY[ufunc](*inputs, **options)
    if ufunc.signature is not None:
        raise _unknown(_named(ufunc))
    return ANY_UFUNC[0](ufunc)(*inputs, **options)


def by_array_function(function: Function, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """The answer of another function of NumPy's."""
    given = dict(options)
    if given.pop("out", None) is not None:
        raise _in_place(function)
    if function not in BY_NUMPY:
        raise _unknown(_named(function))
    return BY_NUMPY[function](*args, **given)


def _unknown(name: str) -> NoNumbersError:
    return NoNumbersError(
        f"{name} has no rule for arrays that have a shape but no numbers; compose it of functions "
        f"of optshare.ops, or call the model on real data instead"
    )


def _in_place(function: Function) -> InPlaceError:
    return InPlaceError(f"{_named(function)} cannot write an array without numbers into out=")


def _named(function: Any) -> str:
    return f"{getattr(function, '__module__', None) or 'numpy'}.{function.__name__}"
