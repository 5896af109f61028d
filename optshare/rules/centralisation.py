"""Centralisation: gradients without their mean."""

from __future__ import annotations

from typing import Any

from optshare.rules.array import ArrayRule, Site
from optshare.rules.base import Arrays
from optshare.rules.units import unit_shape, within_units, zeros


class Centralisation(ArrayRule):
    """Subtract from the gradient of each unit of a weight its mean.

        gradient - mean(gradient, over all axes but the output's)

    A unit is what belongs to one output of a layer's weight; of an array whose axes are
    not known what has one place along the first axis, as in optax. A vector, such as a
    bias, and units of one element are left as they are. The state is `mean`, what was
    subtracted last.

    Source: Yong et al., Gradient Centralization: A New Optimization Technique for Deep
    Neural Networks, 2020, https://arxiv.org/abs/2004.01461

    >>> import numpy as np, optshare
    >>> rule, w = optshare.Centralisation(), np.zeros((2, 3))
    >>> state = rule.initial_state(np, w, optshare.rules.Site(0, "w"))
    >>> rule.array_step(np, w, np.array([[1., 2., 3.], [4., 5., 9.]]), state, 1)
    ({'mean': array([[2.], [6.]])}, array([[-1.,  0.,  1.], [-2., -1.,  3.]]))
    """

    def state_names(self) -> tuple[str, ...]:
        """What was subtracted last, one number for each unit."""
        return ("mean",)

    def initial_state(self, ops: Any, value: Any, site: Site) -> Arrays:
        """Zeros, one for each unit."""
        return {"mean": zeros(ops, value, unit_shape(value, site, (0,)))}

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """The means, and the gradient without them."""
        if len(gradient.shape) <= 1 or state["mean"].shape == gradient.shape:
            return state, gradient
        mean = ops.mean(gradient, axis=within_units(state["mean"]), keepdims=True)
        return {"mean": mean}, gradient - mean
