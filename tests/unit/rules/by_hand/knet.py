"""Knet: src/train20/update.jl; the penalty's gradient is in the loss's, for it has no decay."""

import numpy as np

from tests.unit.rules.by_hand.base import WithL2

NAMES = {
    "weight_decay": "decay",
    "betas.0": "beta1",
    "betas.1": "beta2",
    "alpha": "rho",
    "momentum": "gamma",
    "nesterov": None,
}


class SGD(WithL2):
    lr = 0.1

    def step(self, g):
        return self.lr * g


class Momentum(WithL2):
    lr, gamma = 0.05, 0.95

    def begin(self):
        self.velocity = self.full()

    def step(self, g):
        self.velocity = self.gamma * self.velocity - self.lr * g
        return -self.velocity

    @property
    def state(self):
        return {"momentum_buffer": -self.velocity}


class Nesterov(Momentum):
    def step(self, g):
        fallen = self.gamma * self.velocity
        self.velocity = fallen - self.lr * g
        return fallen - (1 + self.gamma) * self.velocity


class Adagrad(WithL2):
    lr, eps = 0.05, 1e-6

    def begin(self):
        self.G = self.full()

    def step(self, g):
        self.G = self.G + g * g
        return self.lr * g / np.sqrt(self.G + self.eps)

    @property
    def state(self):
        return {"sum": self.G}


class Rmsprop(WithL2):
    lr, rho, eps = 0.01, 0.9, 1e-6

    def begin(self):
        self.G = self.full()

    def step(self, g):
        self.G = self.rho * self.G + (1 - self.rho) * g * g
        return self.lr * g / np.sqrt(self.G + self.eps)

    @property
    def state(self):
        return {"square_avg": self.G}


class Adadelta(WithL2):
    lr, rho, eps = 1.0, 0.9, 1e-6

    def begin(self):
        self.G, self.delta = self.full(), self.full()

    def step(self, g):
        self.G = self.rho * self.G + (1 - self.rho) * g * g
        dw = g * np.sqrt(self.delta + self.eps) / np.sqrt(self.G + self.eps)
        self.delta = self.rho * self.delta + (1 - self.rho) * dw * dw
        return self.lr * dw

    @property
    def state(self):
        return {"square_avg": self.G, "acc_delta": self.delta}


class Adam(WithL2):
    lr, beta1, beta2, eps = 0.001, 0.9, 0.999, 1e-8

    def begin(self):
        self.fstm, self.scndm = self.full(), self.full()

    def step(self, g):
        self.fstm = self.beta1 * self.fstm + (1 - self.beta1) * g
        self.scndm = self.beta2 * self.scndm + (1 - self.beta2) * g * g
        first = self.fstm / (1 - self.beta1**self.t)
        second = self.scndm / (1 - self.beta2**self.t)
        return self.lr * first / (np.sqrt(second) + self.eps)

    @property
    def state(self):
        return {"exp_avg": self.fstm, "exp_avg_sq": self.scndm}
