"""Variable, the tape's tracked leaf, and the contexts that switch recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from optshare.extend import Overlay, Parameter, Suspended
from optshare_arrays import Handle, Hooks, Scope, detacher, plain, unboxed
from optshare_tape.values import AMBIENT, ParameterLeaf


class Variable(Parameter):
    """A Parameter that is recorded always, except inside `with no_grad():`.

    `x.grad` is what `back` accumulated. Found by `params`, and a valid key of
    an optimizer's state. `x.value` is tracked; `value(x)` is the plain array.

    >>> from optshare_tape import back
    >>> x = Variable([1, 2, 3])
    >>> y = sum(2 * x)
    >>> back(y, 1)
    >>> x.grad
    array([2., 2., 2.])
    """

    __slots__ = ("hooks",)
    implicit = True

    def __init__(self, array: Any, dtype: Any = None) -> None:
        super().__init__(array, dtype)
        self.hooks: Hooks | None = None
        """What `register_hook` was given."""

    def register_hook(self, hook: Callable[[Any], Any]) -> Handle:
        """Call a function with the whole gradient that each backward pass finds for this.

        Args:
            hook: `hook(g)` is called before anything is added to `.grad`; what
                it gives, unless `None`, takes the place of g.

        Returns:
            A handle; `handle.remove()` ends it. Copies of the Variable have no hooks.

        >>> import numpy as np
        >>> from optshare_tape import back
        >>> x = Variable([3., 4.])
        >>> handle = x.register_hook(lambda g: np.clip(g, -1, 1))
        >>> back((x * x).sum())
        >>> x.grad
        array([1., 1.])
        """
        if self.hooks is None:
            self.hooks = Hooks()
        return self.hooks.register(hook)

    def detach(self) -> Any:
        """A copy of the plain array: a constant, whatever is assigned to this afterwards.

        >>> x = Variable([1., 2.])
        >>> 2 * x.detach()
        array([2., 4.])
        """
        return plain(self.value).copy()

    def zero_grad(self) -> None:
        """Forget the `.grad` that backward passes accumulated."""
        self.grad = None

    def __getstate__(self) -> Any:
        attributes, slots = cast(tuple[Any, dict[str, Any]], super().__getstate__())
        return attributes, {**slots, "hooks": None}

    def outside(self) -> Any:
        """A leaf of the ambient record; the plain array if frozen."""
        return self.stored if self.frozen else AMBIENT.leaf(self.stored, ParameterLeaf(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.value, name)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*map(_unboxed, inputs), **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return function(*map(_unboxed, args), **kwargs)


def after_hooks(key: Parameter, gradient: Any) -> Any:
    """The gradient of a key as its hooks leave it."""
    hooks = key.hooks if isinstance(key, Variable) else None
    return gradient if hooks is None or gradient is None else hooks.applied(gradient)


def _unboxed(argument: Any) -> Any:
    if isinstance(argument, list | tuple):
        return [_unboxed(each) for each in cast(list[Any], argument)]
    return unboxed(argument)


class Recording(Overlay):
    """An overlay in which every Parameter that is not frozen reads as a leaf of a scope."""

    __slots__ = ("_leaves", "_scope")

    def __init__(self, scope: Scope) -> None:
        super().__init__(detacher())
        self._scope = scope
        self._leaves: dict[Any, tuple[int, Any]] = {}

    def read(self, box: Any) -> Any:
        """The leaf of a Parameter, one for each version of it."""
        if box.frozen or box.transient:
            return self.read_outside(box)
        version, leaf = self._leaves.get(box, (None, None))
        if version != box.version:
            leaf = self._scope.leaf(self.read_outside(box), ParameterLeaf(box))
            self._leaves[box] = box.version, leaf
        return leaf


def record() -> Recording:
    """A `with` in which Parameters are tracked, and dropout and batch statistics act.

    >>> from optshare_tape import back, Variable
    >>> p = Parameter([1., 2.])
    >>> with record():
    ...     y = (p * p).sum()
    >>> back(y)
    >>> p.grad
    array([2., 4.])
    """
    recording = Recording(AMBIENT)
    recording.exclusive = False  # a leaf knows the version it was read at
    return recording


def no_grad() -> Suspended:
    """A `with` in which nothing is recorded: Variables are plain arrays.

    >>> x = Variable([1., 2.])
    >>> with no_grad():
    ...     2 * x
    array([2., 4.])
    """
    return Suspended(plain)
