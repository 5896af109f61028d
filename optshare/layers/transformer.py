"""TransformerBlock: attention and a feed-forward network, each beside the identity."""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.initializers import glorot_uniform
from optshare.layers.activations import gelu
from optshare.layers.checks import Activation, require_floating, unfit, whole
from optshare.layers.container import Container
from optshare.layers.layernorm import LayerNorm
from optshare.layers.multihead import MultiHeadAttention
from optshare.layers.projection import (
    features_and_heads,
    given_sizes,
    projection,
    tell,
    thinned,
    thinning,
)


class TransformerBlock(Container):
    """Self-attention, then two Dense layers at each position, both added to their input.

    With `norm_first`, x + attention(norm(x)), then x + contract(activation(expand(norm(x))));
    else norm(x + attention(x)), then norm(x + contract(activation(expand(x)))), as the paper has.

    `TransformerBlock(heads)` or `TransformerBlock(features, heads)`.

    Args:
        sizes: the number of features, which may be left out, and of heads, which
            divides it.
        hidden: the number of features between `expand` and `contract`; 4 features
            by default.
        activation: a function of an array.
        norm_first: whether to normalise what goes into a part, or the sum.
        dropout: the probability of a zero among the weights of attention, among
            what the activation gives, and in what both parts add.
        causal: whether a position attends to none after it.
        rotary: whether a `RotaryEncoding` turns the queries and keys of each head.
        init: `init(shape, dtype, rng)`, or a name, draws each weight.
        dtype: of the parameters.
        rng: where to draw from; by default what `optshare.seed` started.

    The parts are `attention_norm`, `attention`, `feedforward_norm`, `expand` and `contract`.

    Shapes: (batch, time, features) to the same; `mask` as in `MultiHeadAttention`.
    FLOPs: those of attention, of two LayerNorms, and for each position 4 features hidden
    + hidden + features for the layers, hidden for the activation, 2 features for the sums.

    Raises:
        DataError: heads do not divide the features, or the input does not fit.
        HyperparameterError: dropout is not in [0, 1).

    Sources: Vaswani et al., Attention Is All You Need, 2017; for `norm_first`, Xiong et al.,
    On Layer Normalization in the Transformer Architecture, 2020.

    >>> block = TransformerBlock(2, causal=True)
    >>> block(np.ones((5, 7, 4), np.float32)).shape, block.expand.weight.shape
    ((5, 7, 4), (4, 16))
    """

    def __init__(
        self,
        *sizes: int,
        hidden: int | None = None,
        activation: Activation = gelu,
        norm_first: bool = True,
        dropout: float = 0.0,
        causal: bool = False,
        rotary: bool = False,
        init: Any = glorot_uniform,
        dtype: Any = np.float32,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._features, self._heads = features_and_heads("TransformerBlock", sizes)
        if hidden is not None:
            whole("TransformerBlock", hidden=hidden)
        if not callable(activation):
            raise TypeError(
                f"TransformerBlock: the activation must be a function, not {activation!r}"
            )
        self.hidden, self.activation, self.norm_first = hidden, activation, norm_first
        self.dropout, self.causal, self.rotary = dropout, causal, rotary
        weights: dict[str, Any] = {"init": init, "dtype": dtype, "rng": rng}
        self.attention_norm = LayerNorm(*sizes[:-1], dtype=dtype)
        self.attention = MultiHeadAttention(
            *sizes, dropout=dropout, causal=causal, rotary=rotary, **weights
        )
        self.feedforward_norm = LayerNorm(*sizes[:-1], dtype=dtype)
        wide = self._width(self._features) if self._features else None
        self.expand = projection(self._features, wide, activation=activation, **weights)
        self.contract = projection(wide, self._features, **weights)
        self.attention_dropout = thinning(dropout, rng)
        self.hidden_dropout = thinning(dropout, rng)
        self.feedforward_dropout = thinning(dropout, rng)

    def _width(self, features: int) -> int:
        return 4 * features if self.hidden is None else self.hidden

    def given(self) -> tuple[Any, ...]:
        """The sizes."""
        return given_sizes(self._features, self._heads)

    def options(self) -> dict[str, Any]:
        """The options that are not the defaults, with the activation."""
        activation = {} if self.activation is gelu else {"activation": self.activation}
        return activation | super().options()

    def __call__(self, x: Any, *, mask: Any = None) -> Any:
        """The output for a batch of sequences, of the same shape."""
        return super().__call__(x, mask=mask)

    def _through(self, x: Any, *, mask: Any) -> Any:
        shape = getattr(x, "shape", ())
        if len(shape) != 3:
            require_floating(self, x)
            raise unfit(self, "sequences (batch, time, features)", x)
        if self.norm_first:
            x = x + self._attended(self.attention_norm(x), mask)
            return x + self._fed(self.feedforward_norm(x))
        x = self.attention_norm(x + self._attended(x, mask))
        return self.feedforward_norm(x + self._fed(x))

    def _attended(self, x: Any, mask: Any) -> Any:
        return thinned(self.attention_dropout, self.attention(x, mask=mask))

    def _fed(self, x: Any) -> Any:
        if self._unbuilt and self._features is None:
            features, hidden = x.shape[-1], self._width(x.shape[-1])
            tell(self.expand, features, hidden)
            tell(self.contract, hidden, features)
        inside = thinned(self.hidden_dropout, self.expand(x))
        return thinned(self.feedforward_dropout, self.contract(inside))
