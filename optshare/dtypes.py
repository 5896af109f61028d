"""Dtypes by the names of the Array API standard, whoever's they are."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np


@lru_cache(maxsize=256)
def dtype_name(dtype: Any) -> str:
    """The Array API standard's name of an engine's dtype.

    >>> dtype_name(np.dtype("float32"))
    'float32'
    """
    return str(dtype).rpartition(".")[2]


def host_dtype(dtype: Any) -> np.dtype[Any]:
    """NumPy's dtype of an engine's, or of a name: float32 for bfloat16, which NumPy lacks.

    >>> host_dtype("bfloat16"), host_dtype(np.dtype("float64"))
    (dtype('float32'), dtype('float64'))
    """
    name = dtype_name(dtype)
    return np.dtype("float32" if name == "bfloat16" else name)


def working_dtype(value: Any, ops: Any) -> Any:
    """The dtype that a rule computes and keeps its state in: float32 for half precision."""
    if "float16" not in dtype_name(value.dtype):
        return value.dtype
    return getattr(ops, "float32", np.float32)


def is_complex(dtype: Any) -> bool:
    """Whether an engine's dtype is one of complex numbers.

    >>> is_complex(np.dtype("complex64")), is_complex(np.float32)
    (True, False)
    """
    return "complex" in dtype_name(dtype)


def real_dtype(dtype: Any, ops: Any) -> Any:
    """The dtype of the parts of complex numbers; that of real ones is itself.

    >>> real_dtype(np.dtype("complex64"), np) == np.float32
    True
    """
    parts = {"complex64": "float32", "complex128": "float64"}.get(dtype_name(dtype))
    return dtype if parts is None else getattr(ops, parts, getattr(np, parts))
