"""Initialisers by name, and what layers call: the values of one parameter, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optshare.errors import InitializerError, choices
from optshare.initializers.constant import ones, zeros
from optshare.initializers.distributions import normal, truncated_normal, uniform
from optshare.initializers.matrices import identity, orthogonal, sparse
from optshare.initializers.scaled import (
    glorot_normal,
    glorot_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
)
from optshare.initializers.seeding import generator

Initializer = Callable[..., Any]
"""`init(shape, dtype, rng)`: an array of that shape, which is cast to the dtype."""

NAMED: dict[str, Initializer] = {
    "glorot_normal": glorot_normal,
    "glorot_uniform": glorot_uniform,
    "he_normal": kaiming_normal,
    "he_uniform": kaiming_uniform,
    "identity": identity,
    "kaiming_normal": kaiming_normal,
    "kaiming_uniform": kaiming_uniform,
    "lecun_normal": lecun_normal,
    "lecun_uniform": lecun_uniform,
    "normal": normal,
    "ones": ones,
    "orthogonal": orthogonal,
    "sparse": sparse,
    "truncated_normal": truncated_normal,
    "uniform": uniform,
    "xavier_normal": glorot_normal,
    "xavier_uniform": glorot_uniform,
    "zeros": zeros,
}


def named(init: str | Initializer) -> Initializer:
    """The initialiser of a name; a function is one already.

    Raises:
        InitializerError: nothing has the name, or it is neither name nor function.

    >>> named("he_normal") is kaiming_normal
    True
    >>> named("kaimin_normal")
    Traceback (most recent call last):
    optshare.errors.InitializerError: there is no initialiser 'kaimin_normal'; choices: \
kaiming_normal (did you mean this?), glorot_normal, glorot_uniform, he_normal, he_uniform, \
identity, kaiming_uniform, lecun_normal, lecun_uniform, normal, ones, orthogonal, sparse, \
truncated_normal, uniform, xavier_normal, xavier_uniform, zeros
    """
    if isinstance(init, str):
        if init not in NAMED:
            raise InitializerError(
                f"there is no initialiser {init!r}; choices: {choices(NAMED, init)}"
            )
        return NAMED[init]
    if not callable(init):
        raise InitializerError(
            f"an initialiser is a function init(shape, dtype, rng) or a name, not {init!r}; "
            f"choices: {choices(NAMED)}"
        )
    return init


def drawn(
    init: str | Initializer,
    shape: tuple[int, ...],
    dtype: Any,
    rng: np.random.Generator | None = None,
) -> np.ndarray[Any, Any]:
    """The first values of a parameter: an initialiser's, checked and cast.

    The bundled ones draw in float64 and round, so that a float32 model has the
    rounded numbers of the float64 model of the same seed.

    Args:
        init: a name, or a function of (shape, dtype, rng).
        shape: of the array.
        dtype: floating or complex, as NumPy knows it.
        rng: where to draw from; by default what `optshare.seed` started.

    Raises:
        InitializerError: there is no such initialiser, or what it gives is no
            array, has another shape, or cannot be cast to the dtype.

    >>> drawn("ones", (2,), "float16")
    array([1., 1.], dtype=float16)
    >>> drawn(lambda shape, dtype, rng: np.zeros(3), (2,), "float16")
    Traceback (most recent call last):
    optshare.errors.InitializerError: the initialiser <lambda> gave an array of shape (3,), \
not (2,)
    """
    wanted, given = np.dtype(dtype), named(init)
    said = getattr(given, "__name__", repr(given))
    found = given(shape, wanted, generator(rng))
    try:
        array = np.asarray(found)
    except (RuntimeError, TypeError, ValueError) as error:  # whichever its own array raises
        raise InitializerError(f"the initialiser {said} gave no array: {error}") from error
    if array.shape != tuple(shape):
        raise InitializerError(
            f"the initialiser {said} gave an array of shape {array.shape}, not {tuple(shape)}"
        )
    if not np.can_cast(array.dtype, wanted, "same_kind"):
        raise InitializerError(
            f"the initialiser {said} gave {array.dtype}, which cannot be cast to {wanted}"
        )
    return array.astype(wanted)
