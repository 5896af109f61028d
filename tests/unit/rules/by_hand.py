"""Formulas of frameworks that are not at hand, by hand: each starts with a value and takes steps.

`lr` may change from step to step; a step without a gradient is left out.
"""

import numpy as np


class KerasMomentum:
    """velocity = momentum * velocity - lr * g; nesterov: value += momentum * velocity - lr * g."""

    def __init__(self, value, momentum, nesterov=False, weight_decay=0.0):
        self.value, self.velocity = value.copy(), np.zeros_like(value)
        self.momentum, self.nesterov, self.decay = momentum, nesterov, weight_decay

    def update(self, g, lr):
        g = g + self.decay * self.value
        self.velocity = self.momentum * self.velocity - lr * g
        move = self.momentum * self.velocity - lr * g if self.nesterov else self.velocity
        self.value = self.value + move

    @property
    def state(self):
        return {"momentum_buffer": -self.velocity}


class KerasAdam:
    """alpha = lr * sqrt(1 - b2**t) / (1 - b1**t); value -= alpha * m / (sqrt(v) + eps)."""

    def __init__(self, value, eps, amsgrad=False):
        self.value, self.eps, self.amsgrad, self.t = value.copy(), eps, amsgrad, 0
        self.m, self.v, self.top = (np.zeros_like(value) for _ in range(3))

    def update(self, g, lr):
        self.t += 1
        alpha = lr * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        self.m = self.m + (g - self.m) * (1 - 0.9)
        self.v = self.v + (g * g - self.v) * (1 - 0.999)
        self.top = np.maximum(self.top, self.v)
        divisor = self.top if self.amsgrad else self.v
        self.value = self.value - alpha * self.m / (np.sqrt(divisor) + self.eps)

    @property
    def state(self):
        largest = {"max_exp_avg_sq": self.top} if self.amsgrad else {}
        return {"exp_avg": self.m, "exp_avg_sq": self.v, **largest}
