"""`jit(model)`: a compiled prediction with the current weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from optshare.extend import boxes, built
from optshare_jax.compiling import Compiling
from optshare_jax.differentiation import Reading


def jit(model: Callable[..., Any]) -> Callable[..., Any]:
    """A function that calls a model by way of a compiled program.

    Parameters and Buffers are read anew at each call, so it predicts with the
    current weights after training. Dropout and batch statistics do not act.

    >>> import jax.numpy as jnp, optshare, optshare_jax
    >>> model = optshare.to(optshare.Dense(2, 3), "jax")
    >>> predict = optshare_jax.jit(model)
    >>> predict(jnp.ones((4, 2))).shape
    (4, 3)
    """
    compiling = Compiling(Reading.plain, recording=False)
    found = boxes(model)

    def predict(*args: Any, **options: Any) -> Any:
        if found:
            built(found, partial(model, **options), *args)
            found.clear()
        return compiling(partial(_called, model), (), args, options)[0]

    return predict


def _called(model: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return model(*args, **options)
