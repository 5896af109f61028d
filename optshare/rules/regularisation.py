"""Pieces of a chain that pull values towards zero: L2, L1, decoupled decay."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from optshare.kernels.expression import sign
from optshare.rules.base import Arrays, Number, Rule, decayed, shrunk


class L2(Rule):
    """L2 regularisation: the gradient of `weight_decay / 2 * |value|**2`, added to the gradient.

        gradient + weight_decay * value

    It stands before the rule, which then sees it as a part of the gradient.
    `OptimizerChain(L2(c), Adam())` is `Adam(weight_decay=c)`. Flux calls it `WeightDecay`,
    optax `add_decayed_weights`.

    Args:
        weight_decay: at least 0.

    Raises:
        HyperparameterError: a value out of range.

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1., -2.])
    >>> optshare.Optimizer([w], optshare.L2(0.5)).update([np.zeros(2)])
    >>> w
    Parameter(array([ 0.5, -1. ]))
    """

    weight_decay: Number = field(kw_only=False)

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """No state, and the gradient with the regularisation's."""
        return {}, decayed(gradient, value, self.weight_decay)


class SignDecay(Rule):
    """L1 regularisation: the gradient of `weight_decay * |value|`, added to the gradient.

        gradient + weight_decay * sign(value)

    It stands before the rule; at 0 it adds nothing. Flux calls it so too.

    Args:
        weight_decay: at least 0.

    Raises:
        HyperparameterError: a value out of range.

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1., -2., 0.])
    >>> optshare.Optimizer([w], optshare.SignDecay(0.5)).update([np.zeros(3)])
    >>> w
    Parameter(array([ 0.5, -1.5,  0. ]))
    """

    weight_decay: Number = field(kw_only=False)

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """No state, and the gradient with the regularisation's."""
        return {}, decayed(gradient, sign(value), self.weight_decay)


class WeightDecay(Rule):
    """Decoupled weight decay: the value shrinks by the same part at every update.

        step + weight_decay * value

    It stands after the rule, which neither sees nor scales it: nor does its lr, as in the
    paper and in chainer. In PyTorch lr multiplies it: `OptimizerChain(Adam(lr=a),
    WeightDecay(a * c))` is `AdamW(lr=a, weight_decay=c)`, which follows an lr that changes.

    Args:
        weight_decay: at least 0.

    Raises:
        HyperparameterError: a value out of range.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019,
    https://arxiv.org/abs/1711.05101

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1., -2.])
    >>> optshare.Optimizer([w], optshare.WeightDecay(0.05)).update([np.zeros(2)])
    >>> w
    Parameter(array([ 0.95, -1.9 ]))
    """

    weight_decay: Number = field(kw_only=False)

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """No state, and the step that also shrinks the value."""
        return {}, shrunk(gradient, value, 1.0, self.weight_decay)
