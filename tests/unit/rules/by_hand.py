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


class Lars:
    """The paper's: local = trust * |w| / (|g| + decay * |w| + eps), 1 where a norm is 0."""

    def __init__(
        self,
        value,
        momentum=0.9,
        weight_decay=0.0,
        trust_coefficient=0.001,
        eps=0.0,
        nesterov=False,
    ):
        self.value, self.buffer = value.copy(), np.zeros_like(value)
        self.options = momentum, weight_decay, trust_coefficient, eps, nesterov

    def update(self, g, lr):
        if g is None:
            return
        momentum, decay, trust, eps, nesterov = self.options
        w_norm, g_norm = np.linalg.norm(self.value), np.linalg.norm(g)
        local = trust * w_norm / (g_norm + decay * w_norm + eps) if w_norm * g_norm else 1.0
        move = lr * local * (g + decay * self.value)
        self.buffer = momentum * self.buffer + move
        self.value = self.value - (momentum * self.buffer + move if nesterov else self.buffer)

    @property
    def state(self):
        return {"momentum_buffer": self.buffer} if self.options[0] else {}


class LambOutside:
    """Keras's: value *= 1 - lr * decay, then value -= lr * |value| / |r| * r, r Adam's."""

    def __init__(self, value, decay, eps):
        self.value, self.decay, self.eps, self.t = value.copy(), decay, eps, 0
        self.m, self.v = np.zeros_like(value), np.zeros_like(value)

    def update(self, g, lr):
        if g is None:
            return
        self.t += 1
        self.value = self.value * (1 - lr * self.decay)
        self.m, self.v = self.m + 0.1 * (g - self.m), self.v + 0.001 * (g * g - self.v)
        r = self.m / (1 - 0.9**self.t) / (np.sqrt(self.v / (1 - 0.999**self.t)) + self.eps)
        self.value = self.value - lr * np.linalg.norm(self.value) / np.linalg.norm(r) * r

    @property
    def state(self):
        return {"exp_avg": self.m, "exp_avg_sq": self.v}
