"""Parameter and Buffer: boxes with an identity that hold an array."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, ClassVar, NoReturn

import numpy as np

from optshare import overlay
from optshare.errors import ImplicitUnwrapError, InPlaceError, ParameterError
from optshare.foreign import foreign
from optshare.narrowing import is_numpy, is_sequence
from optshare.operators import Operators
from optshare.overlay import current
from optshare.recipes import Recipe, Shape


class Box(Operators):
    """What Parameter and Buffer share: a stored array, and Python's operators on its value."""

    __slots__ = ("__weakref__", "recipe", "stored", "version")
    __array_ufunc__ = None  # ndarray @ box becomes box.__rmatmul__
    implicit: ClassVar[bool] = False
    """Whether functions of arrays may take it as it is, instead of its `.value`."""
    transient: ClassVar[bool] = False
    """Whether it stands for an array of the caller's, so that recording passes it over."""

    def __init__(self, array: Any, dtype: Any = None) -> None:
        self.recipe: Recipe | None = array if isinstance(array, Recipe) else None
        """How its first value is drawn, if a layer said so."""
        if self.recipe is None:
            self.stored: Any = self.admitted(array, dtype)
        else:
            self.stored = self.recipe.drawn() if self.recipe.is_complete else self.recipe
        self.version = 0

    @property
    def built(self) -> bool:
        """Whether it has a value; one of a layer that has seen no input may have none yet."""
        return self.stored.__class__ is not Recipe

    def build(self, shape: Shape) -> None:
        """Draw the first value, in a shape that is known now.

        Inside `build(model, shape)` and the like the value comes when all went well.
        """
        here = overlay.current()
        if here is None:
            self.accept(self.stored.drawn(shape))
        else:
            here.build(self, shape)

    def accept(self, array: Any) -> None:
        """Keep a first value, without a copy."""
        if not is_numpy(array):
            foreign().outside(array)  # which raises where an engine compiles: it has no numbers
        self.stored = array
        self.replaced()

    @staticmethod
    def admitted(array: Any, dtype: Any = None) -> Any:
        """A copy of an array, as this kind of box stores it."""
        _refuse_box(array)
        if _is_python_data(array) or dtype is not None:
            return np.array(array, dtype)
        return copy.deepcopy(array)

    @property
    def value(self) -> Any:
        """The array to compute with; tracked while an engine differentiates."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return tuple(self.stored.shape)

    @property
    def dtype(self) -> Any:
        """The dtype of the array."""
        return self.stored.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        if isinstance(self.stored, Recipe):
            raise self.stored.missing(type(self).__name__)
        return int(np.prod(self.shape, dtype=np.int64))

    def outside(self) -> Any:
        """What it reads as where nothing is being differentiated."""
        if is_numpy(self.stored):
            return self.stored
        if isinstance(self.stored, Recipe):
            raise self.stored.missing(type(self).__name__)
        return foreign().outside(self.stored)

    def replaced(self) -> None:
        """Note that the stored array has other numbers now."""
        self.version += 1

    def take(self, array: Any) -> None:
        """Keep an array that fits, and that nobody else writes, without a copy."""
        self.stored = self.fitting(array)
        self.replaced()

    def fitted(self, array: Any) -> Any:
        """A copy of an array that fits this box; raises `ParameterError` if none can."""
        return copy.deepcopy(self.fitting(array))

    def fitting(self, array: Any) -> Any:
        """An array that fits this box; raises `ParameterError` if it does not."""
        own = self.stored
        alike = array.__class__ is own.__class__ and array.shape == own.shape
        if alike and array.dtype == own.dtype:
            return array
        _refuse_box(array)
        if isinstance(self.stored, Recipe):
            host = np.asarray(array, self.stored.dtype)
            return self.stored.placed(host.reshape(self.stored.agreeing(host.shape)))
        new = array
        if _is_python_data(array) or (is_numpy(array) and not is_numpy(self.stored)):
            new = foreign().converted(array, self.stored)
        for name in ("shape", "dtype"):
            old, given = getattr(self.stored, name), getattr(new, name, None)
            if given != old:
                raise ParameterError(
                    f"{type(self).__name__} has {name} {old}, the new value has {given}; "
                    f"call .migrate(value) to change it"
                )
        return new

    def migrate(self, array: Any) -> None:
        """Take an array of any shape and dtype.

        Optimizers follow at their next update: a new dtype converts their state,
        a new shape restarts it.

        >>> p = Parameter([1., 2.])
        >>> p.migrate([1., 2., 3.])
        >>> p.shape
        (3,)
        """
        _refuse_inside_differentiation(self)
        self.stored = self.admitted(array)
        self.replaced()

    def move(self, array: Any, place: Callable[[Any], Any], dtype: Any) -> None:
        """Take an array of another engine, or put the first value there once it is drawn."""
        moved = None if self.recipe is None else self.recipe.moved(place, dtype)
        if self.built:
            self.migrate(array)
        else:
            self.stored = moved
        self.recipe = moved

    def __getattr__(self, name: str) -> Any:
        here = "" if name.startswith("_") or name in Box.__slots__ else f"; use p.value.{name}"
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{here}")

    def __copy__(self) -> Any:
        return copy.deepcopy(self)  # two boxes never share an array

    def _operate(self, function: Callable[..., Any], *operands: Any) -> Any:
        return function(*(each.value if isinstance(each, Box) else each for each in operands))

    def __iter__(self) -> Iterator[Any]:
        return (self.value[i] for i in range(len(self)))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"len() of a 0-d {type(self).__name__}")
        return self.shape[0]

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.stored!r})"

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise InPlaceError(
            f"a {type(self).__name__} is not written by index; assign the whole: p.value = ..."
        )

    def _refuse_in_place(self, other: Any) -> NoReturn:
        raise InPlaceError(
            f"an in-place operator would replace this {type(self).__name__} by a plain array; "
            f"assign p.value = the new array, outside differentiation"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = _refuse_in_place
    __ifloordiv__ = __imod__ = __ipow__ = __imatmul__ = _refuse_in_place

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImplicitUnwrapError(
            f"NumPy would unwrap this {type(self).__name__} and lose its gradient; "
            f"pass p.value instead"
        )

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given: dict[str, Any] = kwargs or {}
        values = {name: _unboxed(each) for name, each in given.items()}
        return function(*map(_unboxed, args), **values)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> NoReturn:
        raise ImplicitUnwrapError(
            f"numpy.{function.__name__} would unwrap this {type(self).__name__} and lose its "
            f"gradient; pass p.value instead"
        )


def _unboxed(thing: Any) -> Any:
    if is_sequence(thing):
        return type(thing)(map(_unboxed, thing))
    return thing.value if isinstance(thing, Box) else thing


class Parameter(Box):
    """A trainable array with an identity.

    Args:
        array: anything NumPy makes an array of, or an engine's array; it is
            copied. Integers become floats.
        dtype: the floating or complex dtype to convert to.

    It acts as its value under Python's operators; elsewhere pass `p.value`.
    Equality is element by element, the hash is the identity. The array behind
    `p.value` is the live one: an update writes into it, so copy it to keep it.

    Raises:
        ParameterError: the array is neither real nor complex, or a new value
            has another shape or dtype.

    >>> p = Parameter([1, 2])
    >>> 2 * p
    array([2., 4.])
    >>> p.value = [3, 4]
    >>> p
    Parameter(array([3., 4.]))
    >>> p.value = [1, 2, 3]
    Traceback (most recent call last):
    optshare.errors.ParameterError: Parameter has shape (2,), the new value has (3,); \
call .migrate(value) to change it
    """

    __slots__ = ("frozen", "grad")

    def __init__(self, array: Any, dtype: Any = None) -> None:
        super().__init__(array, dtype)
        self.grad: Any = None
        """The gradient that a recording engine accumulated, or `None`."""
        self.frozen = False
        """Whether differentiation and updates leave this parameter out."""

    @staticmethod
    def admitted(array: Any, dtype: Any = None) -> Any:
        """A copy of an array, floating or complex."""
        _refuse_box(array)
        if _is_python_data(array) or dtype is not None or is_numpy(array):
            return np.array(floating(array, dtype))
        if not is_array(array):
            raise ParameterError(f"a parameter needs an array, not {type(array).__name__}")
        if not is_floating(array):
            raise ParameterError(
                f"a parameter needs floating or complex numbers, not {array.dtype} "
                f"({type(array).__name__})"
            )
        return copy.deepcopy(array)

    @property
    def value(self) -> Any:
        """The array to compute with; tracked while an engine differentiates."""
        here = current()
        return self.outside() if here is None else here.read(self)

    @value.setter
    def value(self, array: Any) -> None:
        _refuse_inside_differentiation(self)
        self.store(array)
        self.replaced()

    def migrate(self, array: Any) -> None:
        """Take an array of any shape and dtype; an accumulated gradient is forgotten."""
        super().migrate(array)
        self.grad = None

    @property
    def known_as(self) -> Any:
        """The object by which its owner knows it."""
        return self

    def store(self, array: Any) -> None:
        """Keep a new value that fits."""
        self.stored = self.fitted(array)


class Buffer(Box):
    """An array with an identity that is not trained: a running mean, a step count.

    A Buffer written while an engine differentiates is written back, as a plain
    array, when the differentiation ends without an exception.

    >>> steps = Buffer(0)
    >>> steps.value = steps.value + 1
    >>> steps
    Buffer(array(1))
    """

    __slots__ = ()

    @property
    def value(self) -> Any:
        """The array to compute with."""
        here = overlay.current()
        return self.stored if here is None else here.read_buffer(self)

    @value.setter
    def value(self, array: Any) -> None:
        here = overlay.current()
        if here is None:
            self.stored = self.fitted(array)
        else:
            here.write_buffer(self, array)


def is_array(thing: Any) -> bool:
    """Whether something has a shape and a dtype, as every engine's array does.

    >>> is_array(np.zeros(2)), is_array([0., 0.])
    (True, False)
    """
    return hasattr(thing, "shape") and hasattr(thing, "dtype") and not isinstance(thing, type)


def is_floating(array: Any) -> bool:
    """Whether something is an array of floating or complex numbers, of any engine.

    >>> is_floating(np.zeros(2)), is_floating(np.zeros(2, int))
    (True, False)
    """
    return is_array(array) and _is_floating(array.dtype)


@cache  # NumPy takes microseconds to name a dtype
def _is_floating(dtype: Any) -> bool:
    return any(kind in str(dtype) for kind in ("float", "complex"))


def floating(array: Any, dtype: Any = None) -> Any:
    """NumPy's array of what is given, floating or complex: integers become float64.

    >>> floating([1, 2])
    array([1., 2.])
    """
    converted = np.asarray(array, dtype)
    if converted.dtype.kind in "iu":
        converted = converted.astype(np.float64)
    if converted.dtype.kind not in "fc":
        raise ParameterError(
            f"a parameter needs floating or complex numbers, not {converted.dtype} "
            f"({type(array).__name__})"
        )
    return converted


def _refuse_box(array: Any) -> None:
    if isinstance(array, Box):
        raise ParameterError(f"a box holds an array, not a {type(array).__name__}; give its .value")


def _is_python_data(array: Any) -> bool:
    return isinstance(array, int | float | complex | list | tuple | np.generic)


def _refuse_inside_differentiation(box: Box) -> None:
    if not overlay.writable():
        raise ParameterError(
            f"a {type(box).__name__} cannot be written while it is being differentiated; "
            f"assign p.value after the loss has returned"
        )
