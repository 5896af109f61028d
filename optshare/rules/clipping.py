"""Pieces of a chain that bound gradients, each parameter's by itself."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from optshare.kernels.expression import maximum, minimum
from optshare.rules.array import ArrayRule, Site, at_least, norm
from optshare.rules.base import Arrays, Number, Rule
from optshare.rules.units import unit_shape, within_units, zeros

SMALLEST = 1e-6
"""What the norm of a unit's gradient is taken to be at least, as in optax."""


class ClipValue(Rule):
    """Clip each element.

        min(max(gradient, -max_value), max_value)

    Args:
        max_value: the largest magnitude of an element, at least 0.

    Raises:
        HyperparameterError: a value out of range.

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([0., 0., 0.])
    >>> optshare.Optimizer([w], optshare.ClipValue(1.0)).update([np.array([-3., 0.5, 2.])])
    >>> w
    Parameter(array([ 1. , -0.5, -1. ]))
    """

    max_value: Number = field(kw_only=False)

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """No state, and the clipped gradient."""
        return {}, minimum(maximum(gradient, -self.max_value), self.max_value)


class ClipNorm(ArrayRule):
    """Scale a parameter's gradient down to a norm, if it is longer.

        gradient * min(max_norm / (|gradient| + eps), 1)

    The norm is Euclidean, over the whole array. Without eps, as here, the norm after
    clipping is max_norm itself; so in Flux and Knet. PyTorch has eps at 1e-6.

    Args:
        max_norm: at least 0.
        eps: added to the norm, at least 0.

    Raises:
        HyperparameterError: a value out of range.

    Source: Pascanu et al., On the difficulty of training Recurrent Neural Networks,
    2013, https://arxiv.org/abs/1211.5063

    >>> import numpy as np, optshare
    >>> rule = optshare.ClipNorm(1.0)
    >>> rule.array_step(np, np.zeros(2), np.array([3., 4.]), {}, 1)
    ({}, array([0.6, 0.8]))
    """

    max_norm: Number = field(kw_only=False)
    eps: Number = 0.0

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """No state, and the clipped gradient."""
        length = norm(ops, gradient) + self.eps
        factor = ops.where(length > self.max_norm, self.max_norm / length, ops.ones_like(length))
        return {}, gradient * factor


class AdaptiveClip(ArrayRule):
    """Bound the gradient of each unit by the norm of its weights (adaptive gradient clipping).

        limit = clipping * max(|weights|, eps)
        gradient * limit / |gradient|    where |gradient| > limit

    A unit is what belongs to one output of a layer's weight; of an array whose axes are
    not known, as in optax, what has one place along the last axis, of three axes along the
    last two. What has at most one axis longer than 1, such as a bias, is one unit. The
    state is `unit_norm`, the norms of the last gradients before clipping.

    Args:
        clipping: the largest ratio of the two norms, at least 0.
        eps: the least norm of weights, at least 0; without it zeros would stay so.

    Raises:
        HyperparameterError: a value out of range.

    Source: Brock et al., High-Performance Large-Scale Image Recognition Without
    Normalization, 2021, https://arxiv.org/abs/2102.06171

    >>> import numpy as np, optshare
    >>> rule, w = optshare.AdaptiveClip(0.1), np.array([3., 4.])
    >>> state = rule.initial_state(np, w, optshare.rules.Site(0, "w"))
    >>> rule.array_step(np, w, np.array([0., 2.]), state, 1)
    ({'unit_norm': array([2.])}, array([0. , 0.5]))
    """

    clipping: Number = field(kw_only=False)
    eps: Number = 1e-3

    def state_names(self) -> tuple[str, ...]:
        """The norms of the last gradients, one for each unit."""
        return ("unit_norm",)

    def initial_state(self, ops: Any, value: Any, site: Site) -> Arrays:
        """Zeros, one for each unit."""
        shape = tuple(value.shape)
        one = sum(size != 1 for size in shape) <= 1
        outputs = () if one else (1, 2) if len(shape) == 3 else (-1,)
        site = site._replace(fans=None) if one else site
        return {"unit_norm": zeros(ops, value, unit_shape(value, site, outputs))}

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """The norms, and the clipped gradient."""
        axes = within_units(state["unit_norm"])
        length, weights = (
            ops.sqrt(ops.sum(each * each, axis=axes, keepdims=True)) for each in (gradient, value)
        )
        limit = self.clipping * at_least(ops, weights, self.eps)
        clipped = gradient * (limit / at_least(ops, length, SMALLEST))
        return {"unit_norm": length}, ops.where(length < limit, gradient, clipped)
