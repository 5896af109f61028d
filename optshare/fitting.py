"""Whether a gradient, and an array to update, are what rules can compute with."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.dtypes import dtype_name, is_complex
from optshare.errors import GradientShapeError, ParameterError


def as_numpy(path: str, gradient: Any) -> Any:
    """A gradient that is no array of an engine's as one of NumPy's.

    Raises:
        GradientShapeError: it is no array, such as nested lists of unequal length.
    """
    try:
        return np.asarray(gradient)
    except ValueError as error:
        raise GradientShapeError(f"the gradient of {path!r} is no array: {error}") from error


def require_fitting(path: str, value: Any, gradient: Any) -> None:
    """Raise `GradientShapeError` for a gradient of another shape, or of no fitting dtype.

    >>> require_fitting("w", np.ones(2), np.ones(3))
    Traceback (most recent call last):
    optshare.errors.GradientShapeError: the gradient of 'w' has shape (3,), the parameter (2,)
    """
    if tuple(gradient.shape) != tuple(value.shape):
        raise GradientShapeError(
            f"the gradient of {path!r} has shape {tuple(gradient.shape)}, "
            f"the parameter {tuple(value.shape)}"
        )
    kinds = ("float", "int", "complex") if is_complex(value.dtype) else ("float", "int")
    if not any(each in dtype_name(gradient.dtype) for each in kinds):
        raise GradientShapeError(
            f"the gradient of {path!r} has dtype {gradient.dtype}, not a real one"
        )


def require_floating(path: str, dtype: Any) -> None:
    """Raise `ParameterError` for a dtype of neither real nor complex floating numbers.

    >>> require_floating("w", np.dtype("float32"))
    """
    name = dtype_name(dtype)
    if "float" not in name and "complex" not in name:
        raise ParameterError(
            f"{path!r} has dtype {name}; rules update real and complex parameters only"
        )
