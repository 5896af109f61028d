"""float64: JAX has it only where the user enabled it, and else makes float32 of it in silence."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.extend import CapabilityError
from optshare_jax.library import jax

WIDE = ("float64", "complex128")


def require_held(*things: Any) -> None:
    """Raise for an array or dtype that JAX would narrow in silence."""
    if jax.config.jax_enable_x64:
        return
    for each in things:
        name = _dtype_name(each)
        if name in WIDE:
            raise CapabilityError(
                f"JAX would make float32 of {name}; enable it before the first array with "
                f"jax.config.update('jax_enable_x64', True) or JAX_ENABLE_X64=1, or move with "
                f"dtype='float32'"
            )


def _dtype_name(thing: Any) -> str:
    if thing is None or isinstance(thing, bool | int | float | complex):
        return ""
    try:
        return np.dtype(thing if isinstance(thing, type) else getattr(thing, "dtype", thing)).name
    except TypeError:  # a dtype that is JAX's own, such as that of random keys; or no array
        return ""
