"""float64: JAX has it only where the user enabled it, and else makes float32 of it in silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import numpy as np

from optshare.extend import CapabilityError, is_array
from optshare_jax import modules
from optshare_jax.library import jax

WIDE = ("float64", "complex128")


def require_held(*things: Any) -> None:
    """Raise for an array, alone or in a tree, that JAX would narrow in silence."""
    if not jax.config.jax_enable_x64:
        for array in _arrays(things):
            _refuse_wide(getattr(array.dtype, "name", ""))


def require_dtype_held(dtype: Any) -> None:
    """Raise for a dtype, however it is given, that JAX would narrow in silence."""
    if not jax.config.jax_enable_x64:
        _refuse_wide(_dtype_name(dtype))


def _refuse_wide(name: str) -> None:
    if name in WIDE:
        raise CapabilityError(
            f"JAX would make float32 of {name}; enable it before the first array with "
            f"jax.config.update('jax_enable_x64', True) or JAX_ENABLE_X64=1, or move with "
            f"dtype='float32'"
        )


def _arrays(things: Iterable[Any]) -> Iterator[Any]:
    for leaf in jax.tree_util.tree_leaves(list(things), is_leaf=_is_closed):
        if isinstance(leaf, dict):  # JAX would sort its keys, which need not be of one type
            yield from _arrays(cast(dict[Any, Any], leaf).values())
        elif is_array(leaf) and not isinstance(leaf, float | complex):
            yield leaf


def _is_closed(thing: Any) -> bool:
    return isinstance(thing, dict) or modules.is_module(thing)


def _dtype_name(dtype: Any) -> str:
    try:
        return np.dtype(dtype).name
    except (TypeError, ValueError):  # JAX's own, such as that of random keys; or no dtype
        return ""
