"""chainer 7: chainer/optimizers; L2 by its WeightDecay hook where the rule has no decay."""

import numpy as np

from tests.unit.rules.by_hand.base import Hand, WithL2

NAMES = {
    "weight_decay": "decay",
    "betas.0": "beta1",
    "betas.1": "beta2",
    "eps_in_root": "eps_inside_sqrt",
    "centered": None,
}


class SGD(WithL2):
    lr = 0.01

    def step(self, grad):
        return self.lr * grad


class MomentumSGD(WithL2):
    lr, momentum = 0.01, 0.9

    def begin(self):
        self.v = self.full()

    def step(self, grad):
        self.v = self.momentum * self.v - self.lr * grad
        return -self.v

    @property
    def state(self):
        return {"momentum_buffer": -self.v}


class RMSprop(WithL2):
    lr, alpha, eps, eps_inside_sqrt = 0.01, 0.99, 1e-8, False

    def begin(self):
        self.ms = self.full()

    def step(self, grad):
        self.ms = self.alpha * self.ms + (1 - self.alpha) * grad * grad
        inside, outside = (self.eps, 0.0) if self.eps_inside_sqrt else (0.0, self.eps)
        return self.lr * grad / (np.sqrt(self.ms + inside) + outside)

    @property
    def state(self):
        return {"square_avg": self.ms}


class RMSpropGraves(WithL2):
    lr, alpha, momentum, eps = 1e-4, 0.95, 0.9, 1e-4

    def begin(self):
        self.n, self.g, self.delta = self.full(), self.full(), self.full()

    def step(self, grad):
        self.n = self.alpha * self.n + (1 - self.alpha) * grad * grad
        self.g = self.alpha * self.g + (1 - self.alpha) * grad
        moved = self.lr * grad / np.sqrt(self.n - self.g * self.g + self.eps)
        self.delta = self.delta * self.momentum - moved
        return -self.delta

    @property
    def state(self):
        return {"square_avg": self.n, "grad_avg": self.g, "momentum_buffer": -self.delta}


class AdaGrad(WithL2):
    lr, eps = 0.001, 1e-8

    def begin(self):
        self.h = self.full()

    def step(self, grad):
        self.h = self.h + grad * grad
        return self.lr * grad / (np.sqrt(self.h) + self.eps)

    @property
    def state(self):
        return {"sum": self.h}


class AdaDelta(WithL2):
    rho, eps = 0.95, 1e-6

    def begin(self):
        self.msg, self.msdx = self.full(), self.full()

    def step(self, grad):
        self.msg = self.rho * self.msg + (1 - self.rho) * grad * grad
        dx = np.sqrt((self.msdx + self.eps) / (self.msg + self.eps)) * grad
        self.msdx = self.rho * self.msdx + (1 - self.rho) * dx * dx
        return dx

    @property
    def state(self):
        return {"square_avg": self.msg, "acc_delta": self.msdx}


class Adam(Hand):
    lr, beta1, beta2, eps, eta, amsgrad = 0.001, 0.9, 0.999, 1e-8, 1.0, False

    def begin(self):
        self.m, self.v, self.vhat = self.full(), self.full(), self.full()

    def step(self, grad):
        self.m = self.m + (1 - self.beta1) * (grad - self.m)
        self.v = self.v + (1 - self.beta2) * (grad * grad - self.v)
        self.vhat = np.maximum(self.vhat, self.v) if self.amsgrad else self.v
        alpha = self.lr * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        moved = alpha / (np.sqrt(self.vhat) + self.eps) * self.m
        return self.eta * (moved + self.decay * self.x)

    @property
    def state(self):
        largest = {"max_exp_avg_sq": self.vhat} if self.amsgrad else {}
        return {"exp_avg": self.m, "exp_avg_sq": self.v, **largest}


class AdamW(Adam):
    """Adam by another name; its weight decay begins as 0 as well."""
