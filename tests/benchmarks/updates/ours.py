"""optshare's own contestants, through its public face."""

import os
from contextlib import contextmanager
from functools import partial

import numpy as np

from tests.benchmarks.updates.peers import half_squares, in_jax
from tests.benchmarks.updates.problem import BETAS, EPS, LR


@contextmanager
def kernel(name):
    """Batches that are made in this block use the kernel of a name; None is the best one."""
    os.environ.pop("OPTSHARE_KERNEL", None)
    if name:
        os.environ["OPTSHARE_KERNEL"] = name
    try:
        yield
    finally:
        os.environ.pop("OPTSHARE_KERNEL", None)


def limited(only, step):
    """A step by the kernel of a name, which a batch looks for at its first update."""
    if only is None:
        return step

    def run():
        with kernel(only):
            step()

    return run


def adam():
    """The rule that all contestants share."""
    import optshare

    return optshare.Adam(lr=LR, betas=BETAS, eps=EPS)


def updated(kind, **options):
    """A kind of parameters by `opt.update(gradients)`; options are those of `Ours`."""
    return partial(_updated, kind, options)


def _updated(kind, options, problem):
    found = kind(problem, **options)
    found.step = limited(found.only, found.update)
    return found


def stepped(kind, **options):
    """A kind of parameters that have `.grad`, by `opt.step()`."""
    return partial(_stepped, kind, options)


def _stepped(kind, options, problem):
    found = kind(problem, **options)
    found.give, found.step = found.record, limited(found.only, found.optimizer.step)
    found.give(problem.gradients)
    return found


class Ours:
    """An optimizer over parameters of some kind: Parameters over NumPy's arrays."""

    family = "given"

    def __init__(self, problem, *, rule=adam, only=None, nonfinite="propagate"):
        import optshare

        self.parameters = self.made(problem.parameters)
        self.only = only
        self.optimizer = optshare.Optimizer(self.parameters, rule(), nonfinite=nonfinite)
        if rule is not adam:
            self.family = None
        self.give = self.keep
        self.give(problem.gradients)

    def made(self, arrays):
        """Parameters over NumPy's arrays, copies."""
        import optshare

        return [optshare.Parameter(each.copy()) for each in arrays]

    def keep(self, gradients):
        """Have them at hand, as this engine has them."""
        self.gradients = gradients

    def record(self, gradients):
        """Leave them in `.grad`."""
        self.keep(gradients)
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient

    def update(self):
        """`opt.update(gradients)`."""
        self.optimizer.update(self.gradients)

    def values(self):
        """The parameters, as NumPy's arrays."""
        return [each.value for each in self.parameters]


class OverTorch(Ours):
    """An optimizer over leaves of torch."""

    def made(self, arrays):
        """torch's Parameters."""
        import torch

        return [torch.nn.Parameter(torch.tensor(each)) for each in arrays]

    def keep(self, gradients):
        """Have them at hand as tensors."""
        import torch

        self.gradients = list(map(torch.from_numpy, gradients))

    def values(self):
        """The tensors."""
        return [each.detach().numpy() for each in self.parameters]


class OverJax(Ours):
    """An optimizer over a list of JAX's arrays; `opt.tree` is the list of the new ones."""

    def made(self, arrays):
        """JAX's arrays."""
        return in_jax(arrays)

    def keep(self, gradients):
        """Have them at hand as JAX's arrays."""
        self.gradients = in_jax(gradients)

    def update(self):
        """`opt.update(gradients)`, finished."""
        self.optimizer.update(self.gradients)
        self.finish()

    def values(self):
        """The arrays."""
        return list(map(np.asarray, self.optimizer.tree))

    def finish(self):
        """Wait for the parameters."""
        import jax

        jax.block_until_ready(self.optimizer.tree)


class OverJaxWithLoss(OverJax):
    """The same, by `opt.step(fn)`."""

    family = "loss"

    def step(self):
        """Half the sum of all squares."""
        self.optimizer.step(half_squares)
        self.finish()
