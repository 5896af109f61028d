"""Lookahead: slow weights behind fast ones."""

from __future__ import annotations

from typing import Any

from optshare.kernels.expression import where
from optshare.rules.base import Arrays, Number, Rule, require_whole


class Lookahead(Rule):
    """k steps forward, one step back: it stands last in a chain, behind the fast rule.

        fast = value - step
        slow = slow + alpha * (fast - slow), value = slow    at every k-th update
        value = fast                                         at the others

    The state is `slow`, which begins as the value; it is what `opt.averaged()` puts in the
    parameters' place. The rule before keeps its state over the step back.

    Args:
        k: every how many updates, an integer of at least 1.
        alpha: how far the slow weights go towards the fast ones, in [0, 1).

    Raises:
        HyperparameterError: a value out of range, or a k that is no integer.

    Source: Zhang et al., Lookahead Optimizer: k steps forward, 1 step back, 2019,
    https://arxiv.org/abs/1907.08610

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([0.])
    >>> opt = optshare.Optimizer([w], optshare.Lookahead(k=2))
    >>> for _ in range(3): opt.update([np.array([-1.])]); print(w.value)
    [1.]
    [1.]
    [2.]
    """

    stands_last = True

    k: Number = 5
    alpha: Number = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, "k")

    def state_names(self) -> tuple[str, ...]:
        """The slow weights."""
        return ("slow",)

    def initial_values(self) -> dict[str, Any]:
        """The slow weights begin as the value."""
        return {"slow": "value"}

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The slow weights, and the step to them or that of the fast ones."""
        slow, due = state["slow"], t % self.k <= 0
        reached = slow + self.alpha * (value - gradient - slow)
        return {"slow": where(due, reached, slow)}, where(due, value - reached, gradient)

    def evaluation(self, value: Any, state: Arrays, t: Any) -> Any:
        """The slow weights."""
        return state["slow"]
