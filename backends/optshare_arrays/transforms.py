"""`grad` and its kin, from any backend's `gradient`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from operator import index
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, cast

from optshare.extend import BaseBackend, DifferentiationError, Selection, mapped, params
from optshare_arrays.differentiation import settled
from optshare_arrays.namespace import ops
from optshare_arrays.primitives import Primitive, Traceable

Function = Callable[..., Any]
Position = int | Sequence[int]


def positions(argnum: Position | None, argnums: Position | None) -> Position | None:
    """The positions that were asked for by either name; `None` if by neither."""
    if argnum is not None and argnums is not None:
        raise TypeError("argnum and argnums are two names of one option; give one of them")
    given = argnum if argnums is None else argnums
    if given is None:
        return None
    several = given if isinstance(given, Sequence) else [given]
    if any(isinstance(each, bool | str) for each in several):
        raise TypeError(f"argnum is the position of an argument, or several; not {given!r}")
    indices = tuple(map(index, several))
    return indices if isinstance(given, Sequence) else indices[0]


class Chosen:
    """What one call of a function is differentiated for: arguments, or the function's own.

    Args:
        f: the function; an object that holds Parameters is differentiated for
            these, unless positions are given.
        args: the arguments of the call.
        places: the position of an argument, or several; the first by default.
    """

    def __init__(self, f: Function, args: Sequence[Any], places: Position | None) -> None:
        self._one = not isinstance(places, Sequence)
        self._places: list[int] | None = None
        if places is None and _is_model(f):
            self._selection = Selection(args, (f,))
        else:
            count, several = len(args), places if isinstance(places, Sequence) else [places or 0]
            self._places = [each + count if -count <= each < 0 else each for each in several]
            self._selection = Selection(args, tuple(self._places))
        self._selection.build(f)
        self.keys = self._selection.keys
        self.arguments = self._selection.arguments
        self.places = self._selection.places

    def result(self, gradients: Sequence[Any]) -> Any:
        """The gradients of the keys, in the structure of what was chosen."""
        found = self._selection.result(gradients)
        if self._places is None:
            return found
        laid_out = tuple(found[each] for each in self._places)
        return laid_out[0] if self._one else laid_out


_FUNCTIONS = FunctionType, MethodType, BuiltinFunctionType, partial, Primitive


def _is_model(f: Any) -> bool:
    """Whether a function is an object that holds Parameters, and not a function around one."""
    is_function = isinstance(f, _FUNCTIONS) or hasattr(f, "__wrapped__")
    return not is_function and bool(params(f))


class Auxiliary:
    """What a function returns beside its value, if it does: `(value, aux)`."""

    def __init__(self, has_aux: bool) -> None:
        self._has = has_aux
        self._aux: Any = None

    def taken(self, output: Any) -> Any:
        """The value in an output, whose other part is kept here."""
        if not self._has:
            return output
        if not isinstance(output, tuple) or len(cast(tuple[Any, ...], output)) != 2:
            raise DifferentiationError(
                f"with has_aux=True a function returns (value, aux), "
                f"not a {type(cast(Any, output)).__name__}"
            )
        value, self._aux = cast(tuple[Any, Any], output)
        return value

    def beside(self, *results: Any, detach: Function, inputs: Sequence[Any]) -> Any:
        """Results, with what was kept as the last of them; one alone is itself.

        Args:
            results: what the transform gives.
            detach: strips what the differentiation tracked.
            inputs: the arrays that it was differentiated for, which may be written later.
        """

        def plainly(leaf: Any) -> Any:
            return settled(detach(leaf), inputs) if isinstance(leaf, Traceable) else leaf

        several = [*results, mapped(plainly, self._aux)] if self._has else [*results]
        return tuple(several) if len(several) > 1 else several[0]


def value_and_grad(
    backend: BaseBackend,
    f: Function,
    argnum: Position | None = None,
    argnums: Position | None = None,
    has_aux: bool = False,
    *,
    zeros: bool = False,
) -> Function:
    """A function that gives the value of f and its gradient: `(value, aux)` first if it has aux.

    Where there is no path the gradient is `None`, or zeros.
    """
    places = positions(argnum, argnums)

    @wraps(f, updated=())
    def call(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        chosen, aux = Chosen(f, args, places), Auxiliary(has_aux)
        detach = backend.detacher()
        value, found = backend.gradient(
            lambda: aux.taken(f(*chosen.arguments(), **kwargs)), chosen.keys
        )
        inputs = [key.stored for key in chosen.keys]
        if zeros:
            found = [
                ops.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)
            ]
        return aux.beside(value, detach=detach, inputs=inputs), chosen.result(found)

    return call


def grad(
    backend: BaseBackend,
    f: Function,
    argnum: Position | None = None,
    argnums: Position | None = None,
    has_aux: bool = False,
    *,
    zeros: bool = False,
) -> Function:
    """A function that gives the gradient of f: `(gradient, aux)` if it has aux."""
    both = value_and_grad(backend, f, argnum, argnums, has_aux, zeros=zeros)

    @wraps(f, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return call


def gradient(backend: BaseBackend, f: Function, *args: Any) -> tuple[Any, ...]:
    """The gradient of f for each argument."""
    return grad(backend, f, tuple(range(len(args))))(*args)
