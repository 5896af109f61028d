"""Schedule-free SGD and AdamW: an average of iterates in the place of a schedule."""

from __future__ import annotations

from typing import Any

from optshare.errors import HyperparameterError
from optshare.kernels.expression import maximum, minimum, sqrt, squared, where
from optshare.rules.base import Arrays, Number, Rule, decayed


class _ScheduleFree(Rule):
    """What the two share: the iterates y (the parameter), z, and x, their weighted average."""

    lr: Number = 1.0
    weight_decay: Number = 0.0
    warmup_steps: Number = 0
    weight_lr_power: Number = 2.0
    r: Number = 0.0

    def state_names(self) -> tuple[str, ...]:
        """The iterates of the rule inside."""
        return ("z",)

    def scalar_names(self) -> tuple[str, ...]:
        """The sum of the weights of the average, and the largest lr so far."""
        return "weight_sum", "lr_max"

    def initial_values(self) -> dict[str, Any]:
        """z begins as the value."""
        return {"z": "value"}

    def _averaged_step(
        self, value: Any, direction: Any, state: Arrays, t: Any, beta: Any
    ) -> tuple[Arrays, Any]:
        lr = self.lr * minimum(t / self.warmup_steps, 1.0) if self.warmup_steps else self.lr
        lr_max = maximum(state["lr_max"], lr)
        weight = t**self.r * lr_max**self.weight_lr_power
        total = state["weight_sum"] + weight
        c = weight / where(total > 0, total, 1.0)
        z = state["z"]
        step = c * (value - z) + lr * (1 - beta * (1 - c)) * direction
        return {"z": z - lr * direction, "weight_sum": total, "lr_max": lr_max}, step


def _require_interpolation(rule: Rule, name: str, beta: Any) -> None:
    if not callable(beta) and not beta:
        raise HyperparameterError(
            f"{type(rule).__name__}: {name} must be above 0, not {beta!r}; at 0 the average "
            f"cannot be told from the parameter"
        )


def _average(value: Any, z: Any, beta: Any) -> Any:
    """x, of y = beta * x + (1 - beta) * z."""
    return value + (1 - 1 / beta) * (z - value)


class ScheduleFreeSGD(_ScheduleFree):
    """Gradient descent whose iterates are averaged with weights, instead of a falling lr.

        lr_t = lr * min(t / warmup_steps, 1),    lr_max = the largest of them so far
        weight = t**r * lr_max**weight_lr_power,    c = weight / (sum of the weights so far)
        g = gradient at y + weight_decay * y
        z = z - lr_t * g
        x = (1 - c) * x + c * z
        y = (1 - momentum) * z + momentum * x

    The parameter holds y while it is trained; evaluate and keep x, which
    `opt.averaged()` puts in its place. The state is z, which begins as the value, and the
    numbers `weight_sum` and `lr_max`.

    Args:
        lr: the learning rate, at least 0; larger than usual.
        momentum: how near y is to x, in (0, 1).
        weight_decay: L2 regularisation at y, at least 0.
        warmup_steps: over how many updates lr rises from 0.
        weight_lr_power: the power of the largest lr in the weights, at least 0.
        r: the power of t in the weights, at least 0.

    Raises:
        HyperparameterError: a value out of range.

    Source: Defazio et al., The Road Less Scheduled, 2024, https://arxiv.org/abs/2405.15682

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> opt = optshare.ScheduleFreeSGD([w], lr=0.1)
    >>> for _ in range(200): opt.update([w.value])
    >>> with opt.averaged(): print(abs(w.value) < 0.1)
    [ True]
    """

    momentum: Number = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_interpolation(self, "momentum", self.momentum)

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new z and numbers, and the step of y."""
        g = decayed(gradient, value, self.weight_decay)
        return self._averaged_step(value, g, state, t, self.momentum)

    def evaluation(self, value: Any, state: Arrays, t: Any) -> Any:
        """x."""
        return _average(value, state["z"], self.momentum)


class ScheduleFreeAdamW(_ScheduleFree):
    """AdamW whose iterates are averaged with weights, instead of a falling lr and momentum.

        lr_t = lr * min(t / warmup_steps, 1),    lr_max = the largest of them so far
        weight = t**r * lr_max**weight_lr_power,    c = weight / (sum of the weights so far)
        v = beta2 * v + (1 - beta2) * g**2
        z = z - lr_t * (g / (sqrt(v / (1 - beta2**t)) + eps) + weight_decay * y)
        x = (1 - c) * x + c * z
        y = (1 - beta1) * z + beta1 * x

    g is the gradient at y. The parameter holds y while it is trained; evaluate and keep x,
    which `opt.averaged()` puts in its place. The state is z, which begins as the value,
    `exp_avg_sq`, which is v, and the numbers `weight_sum` and `lr_max`.

    Args:
        lr: the learning rate, at least 0.
        betas: how near y is to x, in (0, 1); how much of v is kept, in [0, 1).
        eps: added to the root, at least 0.
        weight_decay: decoupled decay by y, times lr, at least 0.
        warmup_steps: over how many updates lr rises from 0.
        weight_lr_power: the power of the largest lr in the weights, at least 0.
        r: the power of t in the weights, at least 0.

    Raises:
        HyperparameterError: a value out of range.

    Source: Defazio et al., The Road Less Scheduled, 2024, https://arxiv.org/abs/2405.15682

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> opt = optshare.ScheduleFreeAdamW([w], lr=0.1)
    >>> for _ in range(200): opt.update([w.value])
    >>> with opt.averaged(): print(abs(w.value) < 0.1)
    [ True]
    """

    lr: Number = 0.0025
    betas: tuple[Number, Number] = (0.9, 0.999)
    eps: Number = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_interpolation(self, "betas[0]", self.betas[0])

    def state_names(self) -> tuple[str, ...]:
        """The iterates of the rule inside, and its second moment."""
        return "z", "exp_avg_sq"

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new z, moment and numbers, and the step of y."""
        beta1, beta2 = self.betas
        v = beta2 * state["exp_avg_sq"] + (1 - beta2) * squared(gradient)
        normalised = gradient / (sqrt(v / (1 - beta2**t)) + self.eps)
        direction = decayed(normalised, value, self.weight_decay)
        new, step = self._averaged_step(value, direction, state, t, beta1)
        return {**new, "exp_avg_sq": v}, step

    def evaluation(self, value: Any, state: Arrays, t: Any) -> Any:
        """x."""
        return _average(value, state["z"], self.betas[0])
