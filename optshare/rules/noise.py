"""Noise: random numbers added to gradients."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np

from optshare.backend import placed
from optshare.rules.array import ArrayRule, Site
from optshare.rules.base import Arrays, Number, require_whole


class Noise(ArrayRule):
    """Add Gaussian noise whose variance falls with the parameter's count of updates.

        gradient + n,    n ~ Normal(0, variance eta / t**gamma)

    t counts from 1, so this is the paper's eta / (1 + t)**gamma with t from 0. The noise
    is drawn on the host from (seed, the parameter's place, t): equal on every engine, and
    the same again when training goes on from a saved state. It cannot be drawn while a
    function is traced.

    Args:
        eta: the variance at the first update, at least 0.
        gamma: how fast it falls, at least 0.
        seed: an integer, at least 0.

    Raises:
        HyperparameterError: a value out of range, or a seed that is no integer.

    Source: Neelakantan et al., Adding Gradient Noise Improves Learning for Very Deep
    Networks, 2015, https://arxiv.org/abs/1511.06807

    >>> import numpy as np, optshare
    >>> rule, g = optshare.Noise(0.01, seed=1), np.zeros(1000)
    >>> state = rule.initial_state(np, g, optshare.rules.Site(0, "w"))
    >>> _, noisy = rule.array_step(np, g, g, state, 1)
    >>> bool(abs(noisy.std() - 0.1) < 0.01)
    True
    """

    eta: Number = field(default=0.01, kw_only=False)
    gamma: Number = 0.55
    seed: Number = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, "seed")

    def scalar_names(self) -> tuple[str, ...]:
        """The parameter's place among those of the optimizer."""
        return ("place",)

    def initial_state(self, ops: Any, value: Any, site: Site) -> Arrays:
        """The parameter's place."""
        return {"place": float(site.place)}

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """The place, and the gradient with noise."""
        t = int(t)
        drawn = np.random.default_rng([int(self.seed), int(state["place"]), t])
        host = drawn.standard_normal(tuple(gradient.shape)) * (self.eta / t**self.gamma) ** 0.5
        noise = ops.astype(placed(ops, np.asarray(host), value), value.dtype)
        return dict(state), gradient + noise
