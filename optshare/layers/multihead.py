"""MultiHeadAttention: attention between sequences, in several parts of the features."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from optshare.dispatch import namespace_of
from optshare.errors import DataError
from optshare.initializers import glorot_uniform
from optshare.layers.checks import require_floating
from optshare.layers.container import Container
from optshare.layers.dot_product import attention
from optshare.layers.encodings import RotaryEncoding
from optshare.layers.projection import features_and_heads, given_sizes, projection, tell, thinning


class MultiHeadAttention(Container):
    """Attention of each position of a sequence to those of its own, or of another.

    Query, key and value are projected, cut into heads, and given to `attention`;
    what the heads give is joined and projected:
    out(join(attention(query_h, key_h, value_h) for each head h)).

    `MultiHeadAttention(heads)` or `MultiHeadAttention(features, heads)`; called as
    `layer(x)`, or `layer(query, key, value)`, where value is key if left out.

    Args:
        sizes: the number of features, which may be left out, and of heads, which
            divides it. Where it is left out, the query tells it, and key and value
            may have other numbers of features.
        bias: whether the four projections add one.
        dropout: the probability with which a weight becomes 0 in training.
        causal: whether a position attends to none after it.
        rotary: whether a `RotaryEncoding` turns the queries and keys of each head.
        init: `init(shape, dtype, rng)`, or a name, draws each weight.
        dtype: of the parameters.
        rng: where to draw from; by default what `optshare.seed` started.

    The projections are the Dense layers `query`, `key`, `value` and `out`.

    Shapes: query (batch, queries, features), key and value (batch, keys, any) to
    (batch, queries, features). `mask` as in `attention`: truths or added numbers that
    broadcast to (batch, heads, queries, keys). A padding mask of shape (batch, keys) is given as
    `mask[:, None, None, :]`. A query that no key is left for gives `out` of 0, its bias.

    FLOPs: for self-attention over T positions, for each sequence 8 T features^2 for the
    projections, 4 T features more with biases, and those of `attention` for each head:
    4 T^2 features + 3 T^2 heads + T features.

    Raises:
        DataError: heads do not divide the features, or what is called with does not fit.
        HyperparameterError: dropout is not in [0, 1).

    Source: Vaswani et al., Attention Is All You Need, 2017.

    >>> layer = MultiHeadAttention(2, causal=True)
    >>> layer(np.ones((5, 7, 4), np.float32)).shape, layer.query.weight.shape
    ((5, 7, 4), (4, 4))
    >>> layer(np.ones((5, 7, 4), np.float32), np.ones((5, 3, 4), np.float32)).shape
    (5, 7, 4)
    """

    def __init__(
        self,
        *sizes: int,
        bias: bool = True,
        dropout: float = 0.0,
        causal: bool = False,
        rotary: bool = False,
        init: Any = glorot_uniform,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._features, self._heads = features_and_heads("MultiHeadAttention", sizes)
        self.rotary = RotaryEncoding() if rotary else None
        if self._features is not None:
            self._require_divided(self._features)
        size, options = self._features, {"bias": bias, "init": init, "dtype": dtype, "rng": rng}
        part = partial(projection, size, size, **options)
        self.query, self.key, self.value, self.out = part(), part(), part(), part()
        self.bias, self.dropout, self.causal = bias, dropout, causal
        self.weight_dropout = thinning(dropout, rng)

    def _require_divided(self, features: int) -> None:
        """Raise unless the heads divide the features, in even parts if they are turned."""
        size, rest = divmod(features, self._heads)
        if rest:
            raise DataError(
                f"MultiHeadAttention: {self._heads} heads do not divide {features} features"
            )
        if size % 2 and self.rotary is not None:
            raise DataError(
                f"MultiHeadAttention: rotary=True needs an even number of features for each head, "
                f"not {features} / {self._heads} = {size}"
            )

    def given(self) -> tuple[Any, ...]:
        """The sizes."""
        return given_sizes(self._features, self._heads)

    def __call__(self, query: Any, key: Any = None, value: Any = None, *, mask: Any = None) -> Any:
        """What each query attends to, of shape (batch, queries, features)."""
        key = query if key is None else key
        return super().__call__(query, key, key if value is None else value, mask=mask)

    def _through(self, query: Any, key: Any, value: Any, *, mask: Any) -> Any:
        self._require_sequences(query, key, value)
        if self._unbuilt:
            self._tell(query.shape[-1], key.shape[-1], value.shape[-1])
        queries, keys = self._cut(self.query(query)), self._cut(self.key(key))
        if self.rotary is not None:
            queries, keys = self.rotary(queries), self.rotary(keys)
        values, options = self._cut(self.value(value)), {"mask": mask, "causal": self.causal}
        found = attention(queries, keys, values, dropout=self.weight_dropout, **options)
        return self.out(_joined(found))

    def _require_sequences(self, query: Any, key: Any, value: Any) -> None:
        shapes: list[tuple[int, ...]]
        shapes = [tuple(getattr(x, "shape", ())) for x in (query, key, value)]
        if [*map(len, shapes)] == [3, 3, 3]:
            (batch, _, _), of_key, of_value = shapes
            if (batch, of_key[1]) == of_key[:2] == of_value[:2] and of_key[1]:
                return
        for x in query, key, value:
            require_floating(self, x)
        raise DataError(
            f"{self!r} needs a query (batch, queries, features) and a key and a value (batch, "
            f"keys, features), of one batch size and with at least one key, not shapes "
            f"{', '.join(map(str, shapes))}"
        )

    def _tell(self, features: int, of_key: int, of_value: int) -> None:
        """Let the projections take their sizes, where they were left out."""
        if self._features is not None:
            return
        self._require_divided(features)
        for part, size in ((self.query, features), (self.key, of_key), (self.value, of_value)):
            tell(part, size, features)
        tell(self.out, features, features)

    def _cut(self, x: Any) -> Any:
        """From (batch, time, features) to (batch, heads, time, features of a head)."""
        ops, (batch, time, features) = namespace_of(x), x.shape
        apart = ops.reshape(x, (batch, time, self._heads, features // self._heads))
        return ops.permute_dims(apart, (0, 2, 1, 3))


def _joined(x: Any) -> Any:
    """From (batch, heads, time, features of a head) to (batch, time, features)."""
    ops, (batch, heads, time, size) = namespace_of(x), x.shape
    return ops.reshape(ops.permute_dims(x, (0, 2, 1, 3)), (batch, time, heads * size))
