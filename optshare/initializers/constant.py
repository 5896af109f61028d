"""Initial values that are not drawn: zeros, ones, one number."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np


def zeros(shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> Any:
    """All zeros.

    >>> zeros((2,), np.float32, np.random.default_rng(0))
    array([0., 0.], dtype=float32)
    """
    return np.zeros(shape, dtype)


def ones(shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> Any:
    """All ones.

    >>> ones((2,), np.float32, np.random.default_rng(0))
    array([1., 1.], dtype=float32)
    """
    return np.ones(shape, dtype)


def constant(value: complex) -> Callable[..., Any]:
    """An initialiser that gives one number everywhere.

    >>> constant(0.5)((2,), np.float32, np.random.default_rng(0))
    array([0.5, 0.5], dtype=float32)
    """
    return partial(_filled, value=value)


def _filled(shape: tuple[int, ...], dtype: Any, rng: np.random.Generator, *, value: complex) -> Any:
    return np.full(shape, value, dtype)
