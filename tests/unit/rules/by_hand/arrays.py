"""Rules that see the whole array, from papers and Keras: LARS, and LAMB with its decay outside."""

import numpy as np


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
