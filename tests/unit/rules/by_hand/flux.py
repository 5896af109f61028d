"""Flux: Optimisers.jl 0.4.8, src/rules.jl; L2 by its WeightDecay before the rule in a chain."""

import numpy as np

from tests.unit.rules.by_hand.base import Hand, WithL2

NAMES = {
    "weight_decay": "decay",
    "betas": "beta",
    "alpha": "rho",
    "momentum": "rho",
    "centered": "centred",
    "etas": "ell",
    "amsgrad": None,
    "nesterov": None,
}


class Descent(WithL2):
    lr = 0.1

    def step(self, dx):
        return dx * self.lr


class Momentum(WithL2):
    lr, rho = 0.01, 0.9

    def begin(self):
        self.velocity = self.full()

    def step(self, dx):
        self.velocity = self.rho * self.velocity + self.lr * dx
        return self.velocity

    @property
    def state(self):
        return {"momentum_buffer": self.velocity}


class Nesterov(WithL2):
    lr, rho = 0.001, 0.9

    def begin(self):
        self.velocity = self.full()

    def step(self, dx):
        new = -(self.rho**2) * self.velocity + (1 + self.rho) * self.lr * dx
        self.velocity = self.rho * self.velocity - self.lr * dx
        return new

    @property
    def state(self):
        return {"momentum_buffer": -self.velocity}


class Moments(WithL2):
    lr, beta, eps = 0.001, (0.9, 0.999), 1e-8
    first = 0.0

    def begin(self):
        self.m, self.v, self.powers = self.full(self.first), self.full(self.first), self.beta

    def step(self, dx):
        b1, b2 = self.beta
        self.m = b1 * self.m + (1 - b1) * dx
        self.v = b2 * self.v + (1 - b2) * dx**2
        moved = self.moved(dx, 1 - self.powers[0], 1 - self.powers[1])
        self.powers = self.powers[0] * b1, self.powers[1] * b2
        return moved

    @property
    def state(self):
        return {"exp_avg": self.m, "exp_avg_sq": self.v}


class Adam(Moments):
    def moved(self, dx, c1, c2):
        return self.m / c1 / (np.sqrt(self.v / c2) + self.eps) * self.lr


class AdamW(Moments):
    couple = True

    def update(self, gradient):
        Hand.update(self, gradient)

    def moved(self, dx, c1, c2):
        direction = self.m / c1 / (np.sqrt(self.v / c2) + self.eps)
        if self.couple:
            return self.lr * (direction + self.decay * self.x)
        return self.lr * direction + self.decay * self.x


class AMSGrad(Moments):
    def begin(self):
        self.first = self.eps
        super().begin()
        self.top = self.full(self.eps)

    def moved(self, dx, c1, c2):
        self.top = np.maximum(self.top, self.v)
        return self.lr * self.m / (np.sqrt(self.top) + self.eps)

    @property
    def state(self):
        return {**super().state, "max_exp_avg_sq": self.top}


class NAdam(Moments):
    def moved(self, dx, c1, c2):
        b1, b2 = self.beta
        ahead = b1 * self.m / (1 - b1 * self.powers[0]) + (1 - b1) * dx / c1
        return ahead / (np.sqrt(self.v * b2 / c2) + self.eps) * self.lr

    @property
    def state(self):
        return {**super().state, "mu_product": np.asarray(self.beta[0] ** self.t)}


class RAdam(Moments):
    def moved(self, dx, c1, c2):
        whole = 2 / (1 - self.beta[1]) - 1
        rho = whole - 2 * self.t * (1 - c2) / c2
        if rho <= 4:
            return self.m / c1 * self.lr
        r = np.sqrt((rho - 4) * (rho - 2) * whole / ((whole - 4) * (whole - 2) * rho))
        return self.m / c1 / (np.sqrt(self.v / c2) + self.eps) * self.lr * r


class AdaMax(Moments):
    def begin(self):
        super().begin()
        self.u = self.full()

    def moved(self, dx, c1, c2):
        self.u = np.maximum(self.beta[1] * self.u, np.abs(dx))
        return (self.lr / c1) * self.m / (self.u + self.eps)

    @property
    def state(self):
        return {"exp_avg": self.m, "exp_inf": self.u}


class OAdam(Moments):
    beta = (0.5, 0.9)

    def begin(self):
        super().begin()
        self.term = self.full()

    def moved(self, dx, c1, c2):
        before = self.term
        self.term = self.lr * self.m / c1 / (np.sqrt(self.v / c2) + self.eps)
        return 2 * self.term - before

    @property
    def state(self):
        return {**super().state, "previous": self.term}


class AdaBelief(Moments):
    eps = 1e-16

    def begin(self):
        super().begin()
        self.s = self.full()

    def moved(self, dx, c1, c2):
        b2 = self.beta[1]
        self.s = b2 * self.s + (1 - b2) * (dx - self.m) ** 2 + self.eps
        return self.lr * self.m / c1 / (np.sqrt(self.s / c2) + self.eps)

    @property
    def state(self):
        return {"exp_avg": self.m, "exp_avg_var": self.s}


class RMSProp(WithL2):
    lr, rho, eps, centred = 0.001, 0.9, 1e-8, False

    def begin(self):
        self.quad, self.lin = self.full(), self.full()

    def step(self, dx):
        self.quad = self.rho * self.quad + (1 - self.rho) * dx**2
        if self.centred:
            self.lin = self.rho * self.lin + (1 - self.rho) * dx
        return dx * self.lr / (np.sqrt(self.quad - self.lin**2) + self.eps)

    @property
    def state(self):
        return {"square_avg": self.quad, **({"grad_avg": self.lin} if self.centred else {})}


class AdaGrad(WithL2):
    lr, eps = 0.1, 1e-8

    def begin(self):
        self.acc = self.full(self.eps)

    def step(self, dx):
        self.acc = self.acc + dx**2
        return dx * self.lr / (np.sqrt(self.acc) + self.eps)

    @property
    def state(self):
        return {"sum": self.acc}


class AdaDelta(WithL2):
    rho, eps = 0.9, 1e-8

    def begin(self):
        self.acc, self.delta = self.full(), self.full()

    def step(self, dx):
        self.acc = self.rho * self.acc + (1 - self.rho) * dx**2
        new = dx * np.sqrt(self.delta + self.eps) / np.sqrt(self.acc + self.eps)
        self.delta = self.rho * self.delta + (1 - self.rho) * new**2
        return new

    @property
    def state(self):
        return {"square_avg": self.acc, "acc_delta": self.delta}


class Rprop(Hand):
    lr, ell, gamma = 1e-3, (0.5, 1.2), (1e-6, 50.0)

    def begin(self):
        self.g, self.size = self.full(), self.full(self.lr)

    def step(self, dx):
        turn = self.g * dx
        grown = np.minimum(self.size * self.ell[1], self.gamma[1])
        shrunk = np.maximum(self.size * self.ell[0], self.gamma[0])
        self.size = np.select([turn > 0, turn < 0], [grown, shrunk], self.size)
        self.g = np.where(turn < 0, 0.0, dx)
        return self.size * np.sign(self.g)

    @property
    def state(self):
        return {"prev": self.g, "step_size": self.size}
