"""What a hyperparameter may be: a number, a schedule, a traced array, several of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from optshare.narrowing import is_sequence
from optshare.parameter import is_array


def is_real(value: Any) -> bool:
    """Whether something is a real number, of Python's or NumPy's; a bool is none."""
    return isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)


def is_set(value: Any) -> bool:
    """Whether a hyperparameter may be this: a number or a schedule."""
    return is_real(value) or (callable(value) and not isinstance(value, type))


def is_one(value: Any) -> bool:
    """Whether something is an array of one real number, of no dimensions."""
    if not is_array(value) or tuple(value.shape) != ():
        return False
    return any(each in str(value.dtype) for each in ("float", "int"))


def has_array(value: Any) -> bool:
    """Whether something is an array, or has one among its parts."""
    return any(is_array(each) and not is_real(each) for each in parts(value))


def parts(value: Any) -> Any:
    """The numbers of a sequence; anything else by itself."""
    return value if is_sequence(value) else (value,)


def is_given(value: Any, default: Any) -> bool:
    """Whether one of several numbers may be this; `None` where it is by default."""
    return is_set(value) or (value is None and default is None)


def as_number(value: Any) -> float | None:
    """What a schedule gave as a float; an array of no dimensions is one."""
    if isinstance(value, bool | str) or getattr(value, "shape", ()) != ():
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def is_scheduled(value: Any) -> bool:
    """Whether a hyperparameter is a schedule, or has one among its numbers.

    >>> is_scheduled(0.1), is_scheduled((0.9, lambda step: 0.99))
    (False, True)
    """
    return any(map(callable, value)) if is_sequence(value) else callable(value)


def scheduled_or(saved: Any, own: Any) -> Any:
    """A saved hyperparameter; in place of a rule's own schedules, those.

    >>> scheduled_or((0.9, 0.99), (0.5, abs))
    (0.9, <built-in function abs>)
    """
    if is_sequence(saved) and is_sequence(own):
        return tuple(scheduled_or(*each) for each in zip(saved, own, strict=True))
    return own if callable(own) else saved


def by_last_part(names: Iterable[str], name: str) -> list[str]:
    """The names that are a name, or end with it after a dot.

    >>> by_last_part(["0.lr", "1.lr", "1.eps"], "eps"), by_last_part(["0.lr", "1.lr"], "0.lr")
    (['1.eps'], ['0.lr'])
    """
    return [each for each in names if each == name or each.endswith(f".{name}")]
