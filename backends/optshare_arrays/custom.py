"""Primitives of users: checked where ours are fast."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, cast

from optshare.extend import DifferentiationError, ImplicitUnwrapError, is_array
from optshare_arrays.primitives import VJP, Forward, Primitive, Traceable
from optshare_arrays.untyped import np


def primitive(forward: Forward) -> Primitive:
    """Make a function of plain arrays a primitive; its VJPs follow by `defvjp`.

    It works in both bundled engines, and to any order if the VJPs are written
    in differentiable operations. Arrays are positional arguments; what is given
    by keyword is handed on to the function and to the VJPs.

    Args:
        forward: a function of NumPy's arrays that gives one array.

    Returns:
        The primitive. `defvjp` takes one `vjp(g, answer, *arguments)` for each
        array argument, or `None`; its result is summed to the argument's shape. For
        complex arrays g is dL/da - i dL/db, so that g * f'(x) is right for holomorphic f.

    >>> from optshare_functional import grad
    >>> @primitive
    ... def cube(x):
    ...     return x * x * x
    >>> cube.defvjp(lambda g, y, x: g * 3 * x * x)
    <primitive cube>
    >>> grad(cube)(2.0), grad(grad(cube))(2.0)
    (array(12.), array(12.))
    """
    named = cast(Callable[..., Any], forward)

    @wraps(named)
    def checked(*args: Any, **kwargs: Any) -> Any:
        tracked = [name for name, each in kwargs.items() if isinstance(each, Traceable)]
        if tracked:
            raise ImplicitUnwrapError(
                f"{checked.__name__} was given a tracked value as {tracked[0]}=; "
                f"arrays are positional arguments of a primitive"
            )
        return _array(named(*args, **kwargs), checked.__name__)

    return Custom(checked)


class Custom(Primitive):
    """A primitive whose VJPs may give Python numbers; what else they give is named."""

    def _vjp(self, place: int) -> VJP:
        return partial(_cotangent, super()._vjp(place), f"the VJP {place} of {self.name}")


def _cotangent(vjp: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
    found = vjp(*args, **kwargs)
    return None if found is None else _array(found, name)


def _array(answer: Any, name: str) -> Any:
    if is_array(answer):
        return answer
    if isinstance(answer, int | float | complex):
        return np.asarray(answer)
    raise DifferentiationError(
        f"{name} gave a {type(answer).__name__}; it gives one array, or a number"
    )
