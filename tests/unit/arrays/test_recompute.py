"""checkpoint and custom_vjp, on both engines."""

import numpy as np
import pytest

import optshare_functional
import optshare_tape
from optshare import Buffer, Dropout, Parameter
from optshare.errors import DifferentiationError, ParameterError
from optshare_arrays import ops
from optshare_functional import custom_vjp

X = np.array([0.3, -1.2, 0.7])


@pytest.fixture
def checkpoint(engine):
    """The engine's checkpoint as a function of a function."""
    if engine is optshare_functional:
        return optshare_functional.checkpoint
    return lambda f: lambda *args: optshare_tape.checkpoint(f, *args)


def deep(x):
    return ops.tanh(ops.sin(x) * x) + x**3


def test_a_checkpoint_has_the_same_value_and_gradient(checkpoint, engine):
    np.testing.assert_array_equal(checkpoint(deep)(X), deep(X))
    gradient = engine.grad(lambda x: ops.sum(checkpoint(deep)(x) * x))(X)
    expected = engine.grad(lambda x: ops.sum(deep(x) * x))(X)
    np.testing.assert_allclose(gradient, expected, rtol=1e-14)


def test_a_checkpoint_is_differentiated_twice(checkpoint, engine):
    def second(f):
        return engine.grad(lambda x: ops.sum(engine.grad(lambda y: ops.sum(f(y)))(x) * X))(X)

    np.testing.assert_allclose(second(checkpoint(deep)), second(deep), rtol=1e-13)


def test_checkpoints_nest(checkpoint, engine):
    def outer(x):
        return checkpoint(deep)(deep(x)) * x

    gradient = engine.grad(lambda x: ops.sum(checkpoint(outer)(x)))(X)
    expected = engine.grad(lambda x: ops.sum(deep(deep(x)) * x))(X)
    np.testing.assert_allclose(gradient, expected, rtol=1e-13)


def test_a_checkpoint_runs_its_function_again_only_in_the_backward_pass(checkpoint, engine):
    calls = []

    def counted(x):
        calls.append(len(calls))
        return x * x

    inside = checkpoint(counted)
    after_forward = []
    gradient = engine.grad(lambda x: (after_forward.append((inside(x), len(calls))), x.sum())[1])(X)
    assert after_forward[0][1] == len(calls) == 1
    np.testing.assert_array_equal(gradient, np.ones(3))
    engine.grad(lambda x: ops.sum(inside(x)))(X)
    assert len(calls) == 3


def test_a_checkpoint_sends_gradients_to_several_arguments(checkpoint, engine):
    found = engine.gradient(lambda x, y: ops.sum(checkpoint(lambda a, b: a * b**2)(x, y)), X, X + 2)
    np.testing.assert_allclose(found[0], (X + 2) ** 2, rtol=1e-15)
    np.testing.assert_allclose(found[1], 2 * X * (X + 2), rtol=1e-15)


@pytest.mark.parametrize("number", [2.0, 2, np.float64(2)])
def test_a_checkpoint_takes_numbers_among_its_arguments(number, checkpoint, engine):
    gradient = engine.grad(lambda x: ops.sum(checkpoint(lambda a, b: a * a * b)(x, number)))(X)
    np.testing.assert_array_equal(gradient, 4 * X)


@pytest.mark.parametrize(("option", "expected"), [(0, [2.0, 2.0, 2.0]), (None, [2.0, 2.0, 2.0])])
def test_a_checkpoint_hands_options_on_as_they_are(option, expected, checkpoint, engine):
    gradient = engine.grad(
        lambda x: checkpoint(lambda a, axis: ops.sum(2 * a, axis=axis))(x, option)
    )(X)
    np.testing.assert_array_equal(gradient, expected)


def test_a_checkpoint_may_ignore_an_argument(checkpoint, engine):
    def f(x, y):
        kept = checkpoint(lambda a, b: ops.sum(a * a))(x, y * 2)
        return kept + ops.sum(checkpoint(lambda a, b: b * 1.0)(x, y))

    found = engine.gradient(f, X, X)
    np.testing.assert_array_equal(found[0], 2 * X)
    np.testing.assert_array_equal(found[1], np.ones(3))


def test_a_checkpoint_refuses_a_tracked_value_in_its_closure(checkpoint, engine):
    with pytest.raises(DifferentiationError, match="pass it as an argument"):
        engine.grad(lambda x: ops.sum(checkpoint(lambda a: a * x)(x)))(X)


def test_parameters_read_inside_a_checkpoint_receive_gradients():
    import optshare

    p, q = Parameter(X), Parameter(X + 1)
    for name, module in (("tape", optshare_tape), ("functional", optshare_functional)):

        def recomputed(f, *args, module=module):
            if module is optshare_tape:
                return optshare_tape.checkpoint(f, *args)
            return optshare_functional.checkpoint(f)(*args)

        def loss(x, run=recomputed):
            return ops.sum(run(lambda a: ops.tanh(a * p.value) * p.value, x) * q.value)

        def direct(x):
            return ops.sum(ops.tanh(x * p.value) * p.value * q.value)

        with optshare.use(name):
            found = optshare.gradient(loss, X, wrt=(0, [p, q]))
            expected = optshare.gradient(direct, X, wrt=(0, [p, q]))
        for key in (0, p, q):
            np.testing.assert_allclose(found[key], expected[key], rtol=1e-14)


def test_a_frozen_parameter_inside_a_checkpoint_is_a_constant(checkpoint, engine):
    p = Parameter(X)
    p.frozen = True
    gradient = engine.grad(lambda x: ops.sum(checkpoint(lambda a: a * p.value)(x)))(X + 1)
    np.testing.assert_array_equal(gradient, X)


def test_dropout_draws_the_same_mask_when_it_is_computed_again(checkpoint, engine):
    x = np.linspace(1.0, 2.0, 64)
    first, second = Dropout(0.5, seed=3), Dropout(0.5, seed=3)
    found = engine.grad(lambda a: ops.sum(checkpoint(lambda b: first(b) * b)(a)))(x)
    expected = engine.grad(lambda a: ops.sum(second(a) * a))(x)
    np.testing.assert_array_equal(found, expected)
    assert 0 < np.count_nonzero(found) < 64
    assert first.calls.stored == second.calls.stored == 1


def test_a_buffer_written_inside_a_checkpoint_is_written_once(checkpoint, engine):
    count, mean = Buffer(0.0), Buffer(np.zeros(3))

    def f(x):
        count.value = count.value + 1
        mean.value = 0.5 * mean.value + 0.5 * x
        return x * count.value

    for step in (1.0, 2.0):
        gradient = engine.grad(lambda x: ops.sum(checkpoint(f)(x)))(X)
        np.testing.assert_array_equal(gradient, [step] * 3)
        assert count.stored == step
    assert type(mean.stored) is np.ndarray
    np.testing.assert_allclose(mean.stored, 0.75 * X, rtol=1e-15)


def test_an_exception_inside_a_checkpoint_leaves_buffers_alone(checkpoint, engine):
    count = Buffer(0.0)

    def f(x):
        count.value = count.value + 1
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        engine.grad(lambda x: ops.sum(checkpoint(f)(x)))(X)
    assert count.stored == 0.0
    count.value = 5.0  # no differentiation is left open
    assert count.stored == 5.0


def test_a_parameter_is_not_written_inside_a_checkpoint(checkpoint, engine):
    p = Parameter(X)

    def f(x):
        p.value = X + 1
        return x

    with pytest.raises(ParameterError, match="differentiated"):
        engine.grad(lambda x: ops.sum(checkpoint(f)(x)))(X)
    np.testing.assert_array_equal(p.stored, X)


# -- custom_vjp -------------------------------------------------------------------------------


def square(backward=lambda x, g: (2 * x * g,)):
    return custom_vjp(lambda x: x * x, lambda x: (x * x, x), backward)


def test_a_custom_derivative_replaces_the_true_one(engine):
    clipped = square(lambda x, g: (np.clip(2 * x * g, -1.0, 1.0),))
    np.testing.assert_array_equal(clipped(X), X * X)
    gradient = engine.grad(lambda x: ops.sum(clipped(x)))(X)
    np.testing.assert_allclose(gradient, np.clip(2 * X, -1, 1), rtol=1e-15)


def test_a_custom_derivative_is_differentiated_again(engine):
    custom = square()
    second = engine.grad(lambda x: ops.sum(engine.grad(lambda y: ops.sum(custom(y) * y))(x)))(X)
    np.testing.assert_allclose(second, 6 * X, rtol=1e-14)


def test_a_custom_derivative_may_leave_an_argument_out(engine):
    f = custom_vjp(lambda x, y: x * y, lambda x, y: (x * y, y), lambda y, g: (g * y, None))
    found = engine.gradient(lambda x, y: ops.sum(f(x, y * 2) + y), X, X)
    np.testing.assert_array_equal(found[0], 2 * X)
    np.testing.assert_array_equal(found[1], np.ones(3))


def test_a_custom_derivative_with_the_wrong_count_raises(engine):
    broken = square(lambda x, g: (g, g))
    with pytest.raises(DifferentiationError, match="2 cotangents for 1"):
        engine.grad(lambda x: ops.sum(broken(x)))(X)


def test_a_custom_derivative_of_the_wrong_shape_raises(engine):
    for wrong in (np.ones(2), np.ones((3, 2)), np.ones(())):
        broken = square(lambda x, g, wrong=wrong: (wrong,))
        with pytest.raises((DifferentiationError, ValueError)):
            engine.grad(lambda x, broken=broken: ops.sum(broken(x)))(X)


def test_a_custom_derivative_that_gives_its_input_back_gives_a_copy(engine):
    f = custom_vjp(
        lambda x: ops.sum(x * x) / 2, lambda x: (ops.sum(x * x) / 2, x), lambda x, g: (x,)
    )
    x = X.copy()
    gradient = engine.grad(f)(x)
    np.testing.assert_array_equal(gradient, x)
    assert not np.shares_memory(gradient, x)
