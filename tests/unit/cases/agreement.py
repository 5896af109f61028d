"""Value, gradients and Hessian-vector product of a case, by our engines and by other libraries."""

from functools import cache, reduce

import numpy as np

from optshare_arrays import ops

TOLERANCE = 1e-12
"""Of the largest element, or of 1 where that is smaller."""


def drawn(shape, limits=(-2.0, 2.0), seed=0):
    """Fixed numbers between two limits, no two of them equal."""
    return np.random.default_rng([seed, *shape]).uniform(*limits, shape)


def arguments(case):
    """The arrays of a case."""
    return [
        drawn(shape, limits, place)
        for place, (shape, limits) in enumerate(zip(case.shapes, case.limits, strict=True))
    ]


def weighted(numpy, y):
    """A scalar whose first and second derivatives reach every element of y."""
    weights = np.random.default_rng(11).uniform(0.5, 1.5, np.shape(y))
    return numpy.sum(weights * y * (1 + y / 4))


def paired(numpy, arrays, gradients):
    """The inner product of gradients with fixed directions, where there are gradients."""
    terms = [
        numpy.sum(each * np.random.default_rng([13, place]).uniform(0.5, 1.5, np.shape(array)))
        for place, (array, each) in enumerate(zip(arrays, gradients, strict=True))
        if each is not None
    ]
    return reduce(lambda one, other: one + other, terms) if terms else 0.0


def filled(gradients, arrays):
    """Gradients with zeros where there is no path."""
    pairs = zip(gradients, arrays, strict=True)
    return [np.zeros(np.shape(x)) if g is None else np.asarray(g) for g, x in pairs]


def by_engine(engine, case, numpy=np):
    """By an engine of ours, on NumPy's own functions or on those of `ops`."""
    arrays = arguments(case)

    def loss(*xs):
        return weighted(ops, case.f(numpy, *xs))

    def slope(*xs):
        return paired(ops, arrays, engine.gradient(loss, *xs))

    value = np.asarray(case.f(numpy, *arrays))
    first, second = engine.gradient(loss, *arrays), engine.gradient(slope, *arrays)
    return value, filled(first, arrays), filled(second, arrays)


@cache
def by_autograd(case):
    """By HIPS autograd."""
    import autograd
    import autograd.numpy as anp

    arrays = arguments(case)
    f = case.reference or case.f
    everything = tuple(range(len(arrays)))

    def anchored(value, xs):  # without effect; keeps autograd from warning of no path
        return value + 0.0 * sum(anp.sum(x * x * x) for x in xs)

    grad = autograd.grad(lambda *xs: anchored(weighted(anp, f(anp, *xs)), xs), everything)
    again = autograd.grad(lambda *xs: anchored(paired(anp, arrays, grad(*xs)), xs), everything)
    return np.asarray(f(anp, *arrays)), list(grad(*arrays)), list(again(*arrays))


@cache
def by_jax(case):
    """By JAX, not compiled as a whole."""
    import jax
    import jax.numpy as jnp

    arrays = arguments(case)
    everything = tuple(range(len(arrays)))
    grad = jax.grad(lambda *xs: weighted(jnp, case.f(jnp, *xs)), everything)
    again = jax.grad(lambda *xs: paired(jnp, arrays, grad(*xs)), everything)
    given = [jnp.asarray(each) for each in arrays]
    return np.asarray(case.f(jnp, *given)), list(grad(*given)), list(again(*given))


def assert_agree(found, expected):
    """Equal shapes, dtypes and numbers: of the value, each gradient, each Hessian product."""
    value, first, second = found
    reference, *derivatives = expected
    assert_close(value, reference, "the value")
    for order, ours, theirs in zip(
        ("gradient", "Hessian"), (first, second), derivatives, strict=True
    ):
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_close(one, other, f"the {order} of argument {place}")


def assert_close(found, expected, what=""):
    """Equal shapes, and equal to the tolerance."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, what
    scale = float(np.max(np.abs(expected), initial=1.0))
    np.testing.assert_allclose(found, expected, 0, TOLERANCE * scale, err_msg=what)
