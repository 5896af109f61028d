"""Both engines, and a reference: HIPS autograd on the same formula."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import torch

import optshare_functional
import optshare_tape
from optshare.extend import complete
from optshare_arrays import Traceable, namespace, ops
from optshare_tape import Variable, back, zero_grad
from tests.unit.closeness import assert_close


def weights(value, seed=7):
    """Fixed numbers of a value's shape and dtype, none of them 0."""
    return np.random.default_rng(seed).uniform(0.5, 1.5, np.shape(value)).astype(value.dtype)


def filled(gradients, arrays):
    """Gradients with zeros where there is no path."""
    return [
        np.zeros(np.shape(array)) if gradient is None else gradient
        for gradient, array in zip(gradients, arrays, strict=True)
    ]


def paired(numpy, gradients):
    """A scalar that depends on every element of some gradients."""
    return sum(
        numpy.sum(each * weights(each, place))
        for place, each in enumerate(gradients)
        if each is not None
    )


class Derivatives:
    """What an engine finds for a function: its value, gradients, and the gradients of those."""

    def __init__(self, engine):
        self.engine = engine

    def first(self, f, *arrays):
        given = weights(plain_value(f, arrays))
        return filled(self.engine.gradient(lambda *xs: ops.sum(f(*xs) * given), *arrays), arrays)

    def second(self, f, *arrays):
        given = weights(plain_value(f, arrays))

        def paired_gradients(*xs):
            found = self.engine.gradient(lambda *ys: ops.sum(f(*ys) * given), *xs)
            return paired(ops, found)

        return filled(self.engine.gradient(paired_gradients, *arrays), arrays)

    def recorded(self, f, *arrays):
        """The second derivatives, from a backward pass that the tape has recorded."""
        given, variables = weights(plain_value(f, arrays)), list(map(Variable, arrays))
        back(ops.sum(f(*(x.value for x in variables)) * given), higher_order=True)
        slopes = [x.grad for x in variables]
        zero_grad(variables)
        total = paired(ops, slopes)
        if isinstance(total, Traceable):
            back(total)
        return filled([x.grad for x in variables], arrays)

    def agree(self, f, reference, *arrays, order=2, rtol=1e-12):
        """Value and derivatives up to an order against autograd's of a reference."""
        value = plain_value(f, arrays)
        assert_close(value, reference(*arrays), rtol)
        given, everything = weights(value), tuple(range(len(arrays)))

        def loss(*xs):  # a quadratic without effect keeps autograd from warning of no path
            return anp.sum(reference(*xs) * given) + 0.0 * sum(anp.sum(x * x) for x in xs)

        grad = autograd.grad(loss, everything)
        for found, expected in zip(self.first(f, *arrays), grad(*arrays), strict=True):
            assert_close(found, expected, rtol)
        if order == 2:
            again = autograd.grad(lambda *xs: paired(anp, grad(*xs)), everything)
            ways = [self.second, self.recorded] if self.engine is optshare_tape else [self.second]
            for second in ways:
                for found, expected in zip(second(f, *arrays), again(*arrays), strict=True):
                    assert_close(found, expected, rtol)

    def agree_with_torch(self, f, reference, *arrays):
        """Value, gradients and gradients of these against PyTorch's of a reference."""
        value = plain_value(f, arrays)
        leaves = [torch.from_numpy(np.array(each)).requires_grad_() for each in arrays]
        theirs = reference(*leaves)
        assert_close(value, theirs.detach().numpy())
        loss = (theirs * torch.from_numpy(weights(value))).sum()
        first = torch.autograd.grad(loss, leaves, create_graph=True)
        for found, expected in zip(self.first(f, *arrays), first, strict=True):
            assert_close(found, expected.detach().numpy())
        both = zip(first, arrays, strict=True)
        again = sum(
            (g * torch.from_numpy(weights(a, i))).sum() for i, (g, a) in enumerate(both)
        ) + 0.0 * sum((each * each).sum() for each in leaves)
        expected = torch.autograd.grad(again, leaves)
        for mine, its in zip(self.second(f, *arrays), expected, strict=True):
            assert_close(mine, its.detach().numpy())


def plain_value(f, arrays):
    """The value of a function of arrays, outside any differentiation."""
    return np.asarray(f(*arrays))


@pytest.fixture(params=[optshare_tape, optshare_functional], ids=["tape", "functional"])
def engine(request):
    """The module of an engine."""
    return request.param


@pytest.fixture
def derivatives(engine):
    return Derivatives(engine)


@pytest.fixture(params=["primitives", "fallbacks"])
def nn(request):
    """`ops.nn` of the engines, and what a backend has that brings no neural functions."""
    return ops.nn if request.param == "primitives" else complete(namespace).nn


@pytest.fixture
def close():
    return assert_close
