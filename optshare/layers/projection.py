"""What attention is made of: Dense layers that are told their sizes, and Dropout where wanted."""

from __future__ import annotations

from typing import Any

from optshare.initializers import generator
from optshare.layers.checks import require_floating, unfit, whole
from optshare.layers.dense import Dense
from optshare.layers.dropout import Dropout


class Projection(Dense):
    """A Dense that is part of another layer, which tells its sizes if none are given.

    >>> Projection().weight.shape, Projection(3, 2).weight.shape
    ((None, None), (3, 2))
    """

    def _shape(self) -> tuple[int | None, int | None]:
        return super()._shape() if self._sizes else (None, None)

    def _fit(self, x: Any, features: tuple[int | None, ...]) -> None:
        if self._sizes:
            return super()._fit(x, features)
        shape, told = require_floating(self, x), tuple(self.weight.value.shape)
        if shape[-1:] != told[:1]:
            raise unfit(self, f"an array whose last axis has {told[0]} elements", x)


def projection(features_in: int | None, features_out: int | None, **options: Any) -> Dense:
    """A Dense of two sizes; of those that it is told, if one is not known."""
    if features_in is None or features_out is None:
        return Projection(**options)
    return Dense(features_in, features_out, **options)


def tell(layer: Dense, features_in: int, features_out: int) -> None:
    """Let a part draw its Parameters, in sizes that are known now."""
    if not layer.weight.built:
        layer.weight.build((features_in, features_out))
    if layer.bias is not None and not layer.bias.built:
        layer.bias.build((features_out,))


def features_and_heads(name: str, sizes: tuple[Any, ...]) -> tuple[int | None, int]:
    """The sizes of `Name(heads)` or `Name(features, heads)`; no features for the former.

    >>> features_and_heads("Name", (8, 2)), features_and_heads("Name", (2,))
    ((8, 2), (None, 2))
    """
    if not 1 <= len(sizes) <= 2:
        raise TypeError(f"{name} takes {name}(heads) or {name}(features, heads), not {sizes}")
    whole(name, **dict(zip(("heads", "features"), sizes[::-1], strict=False)))
    return (sizes[0] if len(sizes) == 2 else None), sizes[-1]


def given_sizes(features: int | None, heads: int) -> tuple[int, ...]:
    """What `features_and_heads` was given."""
    return (heads,) if features is None else (features, heads)


def thinning(p: float, rng: Any) -> Dropout | None:
    """A Dropout of a probability; none for 0, which would count its calls in vain."""
    return None if p == 0 else Dropout(p, seed=int(generator(rng).integers(2**63)))


def thinned(dropout: Dropout | None, x: Any) -> Any:
    """What a Dropout gives, if there is one."""
    return x if dropout is None else dropout(x)
