"""Primitives: array functions that know their derivative, to any order and on every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import Any, NoReturn, Self

from optshare.extend import Box, ImplicitUnwrapError, NoDerivativeError
from optshare_arrays.mentions import mentions
from optshare_arrays.untyped import np

Function = Callable[..., Any]
VJP = (
    Callable[[Any, Any, Any], Any]
    | Callable[[Any, Any, Any, Any], Any]
    | Callable[[Any, Any, Any, Any, Any], Any]
    | Callable[[Any, Any, Any, Any, Any, Any], Any]
    | Callable[..., Any]
)
"""`vjp(g, ans, *args)`; the arities are spelled out so that a lambda's arguments have types."""
Forward = (
    Callable[[Any], Any]
    | Callable[[Any, Any], Any]
    | Callable[[Any, Any, Any], Any]
    | Callable[[Any, Any, Any, Any], Any]
    | Callable[..., Any]
)

BY_NUMPY: dict[Function, Function] = {}
"""NumPy's functions, and ours that stand in for them on tracked values."""

BY_OPERATOR: dict[Function, Function] = {}
"""The functions of `operator`, and ours."""


class Traceable:
    """A value that a differentiation tracks.

    `value` is what it stands for: an array, or a value tracked at a lower level.
    """

    __slots__ = ("node", "scope", "value")

    def __init__(self, value: Any, scope: Any, node: Any) -> None:
        self.value = value
        self.scope = scope
        self.node = node


UNTRACKED = frozenset({np.ndarray, tuple, int, float, bool, type(None)})
"""What most arguments are that nobody tracks: seen at a glance."""


class Plan:
    """How one primitive is differentiated for the arguments at some places."""

    __slots__ = (
        "alike",
        "dropped",
        "drops_first",
        "drops_second",
        "keeps_answer",
        "places",
        "pull",
        "saves",
        "vjps",
    )

    def __init__(
        self,
        primitive: Primitive,
        places: tuple[int, ...],
        vjps: tuple[Function, ...],
        keeps_answer: bool,
        dropped: tuple[int, ...],
    ) -> None:
        self.alike = primitive.alike
        self.pull = primitive.pull
        self.saves = primitive.saves
        self.places = places
        self.vjps = vjps
        self.keeps_answer = keeps_answer
        self.dropped = dropped
        """The places of the arguments that no VJP mentions."""
        self.drops_first = 0 in dropped
        self.drops_second = 1 in dropped

    def pulled_by(self, pull: Function) -> Plan:
        """The same plan with another `pull`."""
        other = copy(self)
        other.pull = pull
        return other


class Primitive:
    """A function with one vector-Jacobian product for each positional argument.

    A VJP is called as `vjp(g, ans, *args, **kwargs)` and is itself written in
    differentiable operations. It need not undo broadcasting, nor cast: its
    result is summed to the argument's shape. An argument (or `ans`) that it
    does not mention is not kept until the backward pass: `None` is passed.
    """

    saves = False
    """Whether `run` gives more than `forward`: what the backward pass needs beside the answer."""
    pull: Function | None = None
    """`pull(places, g, ans, args, kwargs)` gives all cotangents at once, in place of the VJPs."""
    alike = False
    """Whether the VJPs give cotangents of the shape and dtype of the answer, as a product does."""

    def __init__(self, forward: Forward, vjps: Sequence[VJP | None] = (), name: str = "") -> None:
        self.forward: Function = forward
        self.vjps = tuple(vjps)
        self.name = name or forward.__name__
        self.__doc__ = forward.__doc__
        self.plans: dict[int, Plan] = {}

    def defvjp(self, *vjps: VJP | None) -> Self:
        """Set the VJP of each argument; `None` for one that has no derivative."""
        self.vjps = vjps
        self.plans.clear()
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply it; the argument tracked at the highest level decides who records."""
        if len(args) == 1 and not kwargs and isinstance(args[0], Traceable):
            return args[0].scope.record_one(self, args[0])
        for each in args:
            if type(each) in UNTRACKED:
                continue
            if isinstance(each, Traceable):
                return each.scope.record(self, args, kwargs)
            if isinstance(each, Box):
                return self(*map(unboxed, args), **kwargs)
        return self.forward(*args, **kwargs)

    def run(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """The answer, and what `pull` finds as `kwargs["saved"]`; asked only if `saves`."""
        raise NotImplementedError

    def plan(self, mask: int) -> Plan:
        """The plan for the arguments whose bits are set below the highest, which ends the mask."""
        count = mask.bit_length() - 1
        places = tuple(place for place in range(count) if mask >> place & 1)
        mentioned = [self._mentioned(place) for place in places]
        plan = self.plans[mask] = Plan(
            self,
            places,
            tuple(map(self._vjp, places)),
            any(mention(-1) for mention in mentioned),
            tuple(each for each in range(count) if not any(mention(each) for mention in mentioned)),
        )
        return plan

    def _vjp(self, place: int) -> VJP:
        vjp = self.vjps[place] if place < len(self.vjps) else None
        return partial(_lacks, self.name, place) if vjp is None else vjp

    def _mentioned(self, place: int) -> Callable[[int], bool]:
        """Whether the VJP for a place mentions an argument; -1 is the answer."""
        vjp = Primitive._vjp(self, place)  # as its author wrote it
        return lambda argument: mentions(vjp, argument + 2)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


def _lacks(name: str, place: int, *_: Any, **__: Any) -> NoReturn:
    raise NoDerivativeError(
        f"{name} has no derivative for argument {place}; pass a constant there (stop_gradient)"
    )


class Variadic(Primitive):
    """A primitive of any number of arrays, whose one VJP also takes the argument's place."""

    def _vjp(self, place: int) -> VJP:
        vjp = self.vjps[0]
        assert vjp is not None
        return partial(vjp, place)

    def _mentioned(self, place: int) -> Callable[[int], bool]:
        vjp = self.vjps[0]
        assert vjp is not None
        return lambda argument: mentions(vjp, argument + 3)


def stands_for(*functions: Function, operator: Function | None = None) -> Callable[[Any], Any]:
    """Register a function as ours for some of NumPy's, and for one of `operator`'s."""

    def register(ours: Any) -> Any:
        for each in functions:
            BY_NUMPY[each] = ours
        if operator is not None:
            BY_OPERATOR[operator] = ours
        return ours

    return register


def unboxed(value: Any) -> Any:
    """The value of a Variable, tracked; another box raises, as it does everywhere."""
    if not isinstance(value, Box):
        return value
    if not value.implicit:
        raise ImplicitUnwrapError(
            f"a {type(value).__name__} was passed to a function of arrays; pass p.value instead"
        )
    return value.value


def plain(value: Any) -> Any:
    """The array under a value, however many engines track it."""
    while isinstance(value, Traceable):
        value = value.value
    return value


def constant(function: Function, operator: Function | None = None) -> Function:
    """A function without a derivative (comparisons, rounding): gives plain arrays."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(plain, args), **kwargs)

    call.__name__ = function.__name__
    call.__doc__ = function.__doc__
    return stands_for(function, operator=operator)(call)
