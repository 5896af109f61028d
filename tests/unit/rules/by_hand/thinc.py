"""thinc 9.1: thinc/optimizers.py, without clipping; L2_is_weight_decay, which is its default."""

import numpy as np

from tests.unit.rules.by_hand.base import Hand

NAMES = {"weight_decay": "decay", "betas.0": "b1", "betas.1": "b2"}


class SGD(Hand):
    lr = 0.001  # it has no default

    def update(self, gradient):
        if gradient is not None:
            self.t += 1
            self.x = self.x - self.step(gradient)
            self.x = self.x - self.lr * self.decay * self.x

    def step(self, gradient):
        return self.lr * gradient


class Adam(SGD):
    lr, b1, b2, eps = 0.001, 0.9, 0.999, 1e-8

    def begin(self):
        self.mom1, self.mom2 = self.full(), self.full()

    def step(self, gradient):
        fix1, fix2 = 1.0 - self.b1**self.t, 1.0 - self.b2**self.t
        rate = self.lr * fix2**0.5 / fix1
        self.mom1 = self.mom1 * self.b1 + gradient * (1.0 - self.b1)
        self.mom2 = self.mom2 * self.b2 + gradient * gradient * (1.0 - self.b2)
        return rate * (self.mom1 / (np.sqrt(self.mom2) + self.eps))

    @property
    def state(self):
        return {"exp_avg": self.mom1, "exp_avg_sq": self.mom2}
