"""Backward passes that are recorded themselves: back and differentiate of higher order."""

import gc
import weakref

import numpy as np
import pytest
import torch

import optshare
import optshare_functional
import optshare_tape
from optshare import Buffer, Chain, Dense, Parameter, tanh
from optshare.errors import DifferentiationError, FreedRecordError, StaleRecordError
from optshare_arrays import Traceable, ops
from optshare_tape import (
    Variable,
    back,
    checkpoint,
    detach,
    differentiate,
    gradient,
    no_grad,
    record,
    value,
    zero_grad,
)
from tests.unit.closeness import assert_close


def slope_of(y, x):
    """The tracked gradient of a value for a Variable."""
    x.zero_grad()
    back(y, higher_order=True)
    found = x.grad
    x.zero_grad()
    return found


@pytest.mark.parametrize("order", range(1, 10))
def test_the_derivatives_of_sine_are_exact_to_the_ninth(order):
    for at in (0.0, 0.7, -2.0):
        x = Variable(at)
        y = np.sin(x)
        for _ in range(order - 1):
            y = slope_of(y, x)
        back(y)
        expected = (np.sin, np.cos, lambda a: -np.sin(a), lambda a: -np.cos(a))[order % 4](at)
        assert type(x.grad) is np.ndarray
        np.testing.assert_allclose(x.grad, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("order", range(1, 10))
def test_differentiate_of_higher_order_nests_to_the_ninth(order):
    x = Variable(0.7)

    def nested(n):
        if n == 0:
            return np.sin(x)
        return gradient(differentiate(lambda: nested(n - 1), higher_order=True), x)

    expected = (np.sin, np.cos, lambda a: -np.sin(a), lambda a: -np.cos(a))[order % 4](0.7)
    np.testing.assert_allclose(value(nested(order)), expected, rtol=1e-12)
    back(nested(order - 1))
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12)


def test_a_gradient_of_higher_order_is_tracked_and_the_next_plain_one_is_not():
    x = Variable([1.0, 2.0])
    y = (x**3).sum()
    back(y, higher_order=True)
    assert isinstance(x.grad, Traceable)
    np.testing.assert_array_equal(value(x.grad), [3.0, 12.0])
    back(y, higher_order=True)  # nothing was freed
    np.testing.assert_array_equal(value(x.grad), [6.0, 24.0])
    back(y)
    assert type(x.grad) is np.ndarray
    np.testing.assert_array_equal(x.grad, [9.0, 36.0])
    with pytest.raises(FreedRecordError):
        back(y)


def test_the_accumulated_gradient_is_differentiated_as_a_whole():
    x = Variable([1.0, 2.0])
    back((x**3).sum(), higher_order=True)
    back((x**4).sum(), higher_order=True)
    total = x.grad
    x.zero_grad()
    back(total.sum())
    np.testing.assert_allclose(x.grad, 6 * value(x) + 12 * value(x) ** 2, rtol=1e-15)


def test_mixed_derivatives_run_through_every_variable():
    x, p = Variable([1.0, 2.0]), Parameter([3.0, 4.0])
    with record():
        y = (x * x * p * p).sum()
    slope = slope_of(y, x)
    p.grad = None
    back(slope.sum())  # d/dx 2 x p**2, d/dp of it
    np.testing.assert_array_equal(x.grad, 2 * p.value**2)
    np.testing.assert_array_equal(p.grad, 4 * value(x) * p.value)


def test_a_seed_weighs_a_backward_pass_of_higher_order():
    x = Variable([1.0, 2.0])
    back(x**3, [1.0, 10.0], higher_order=True)
    slope = x.grad
    x.zero_grad()
    back(slope, [1.0, 1.0])
    np.testing.assert_array_equal(x.grad, [6.0, 120.0])


def test_a_checkpoint_is_differentiated_twice():
    x = Variable([0.3, 0.7])
    slope = slope_of(ops.sum(checkpoint(lambda a: np.sin(a) * a, x.value)), x)
    back(slope.sum())
    a = value(x)
    np.testing.assert_allclose(x.grad, 2 * np.cos(a) - a * np.sin(a), rtol=1e-14)


def test_functions_of_every_kind_have_second_derivatives():
    x = Variable([[0.3, -1.2, 0.7], [0.5, 0.1, 2.0]])
    other = np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.3]])

    def f(a):
        rows = np.concatenate([np.tanh(a @ other), np.exp(a[:, 1:])], axis=1)
        return ops.logsumexp(np.where(a[:, :1] > 0.4, rows, rows * rows)) + np.max(a) ** 2

    slope = slope_of(f(x.value), x)
    back((slope * slope).sum())
    grad = optshare_functional.grad
    expected = grad(lambda a: ops.sum(grad(f)(a) ** 2))(value(x))
    assert_close(x.grad, expected)


def test_an_update_after_it_makes_the_record_stale():
    x = Variable([1.0, 2.0])
    slope = slope_of((x**3).sum(), x)
    x.value = [5.0, 6.0]
    with pytest.raises(StaleRecordError):
        back(slope.sum())
    assert x.grad is None


def test_a_slope_that_depends_on_nothing_has_no_backward_pass():
    x = Variable([1.0, 2.0])
    slope = slope_of((3 * x).sum(), x)
    with pytest.raises(DifferentiationError, match="no Variable"):
        back(slope.sum())


def test_an_optimizer_takes_a_tracked_gradient():
    for rule in (optshare.SGD, optshare.Adam):
        x, y = Variable([1.0, 2.0]), Variable([1.0, 2.0])
        for each, higher in ((x, True), (y, False)):
            opt = rule([each], lr=0.1)
            for _ in range(3):
                opt.zero_grad()
                back((each**3).sum(), higher_order=higher)
                opt.step()
        np.testing.assert_array_equal(value(x), value(y))


def test_a_recorded_backward_pass_is_freed_with_its_gradient():
    x = Variable(np.ones(3))
    back((x**3).sum(), higher_order=True)
    node = weakref.ref(x)
    x.zero_grad()
    gc.disable()
    try:
        del x
        assert node() is None
    finally:
        gc.enable()


def test_inside_no_grad_a_backward_pass_is_not_recorded():
    x = Variable([1.0, 2.0])
    y = (x**3).sum()
    with no_grad():
        back(y, higher_order=True)
    assert type(x.grad) is np.ndarray
    np.testing.assert_array_equal(x.grad, [3.0, 12.0])


# -- differentiate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Variable, Parameter])
def test_a_result_of_higher_order_is_differentiated_by_back(kind):
    w, x = kind([1.0, 2.0]), np.array([3.0, 5.0])
    result = differentiate(
        lambda a, scale: scale * (w**3 * a).sum(), x, scale=2.0, higher_order=True
    )
    assert (w.grad, optshare.recording()) == (None, False)
    np.testing.assert_array_equal(value(gradient(result, w)), 6 * w.stored**2 * x)
    back((gradient(result, w) ** 2).sum() + value(result))
    expected = 2 * (6 * w.stored**2 * x) * 12 * w.stored * x + 6 * w.stored**2 * x
    np.testing.assert_allclose(w.grad, expected, rtol=1e-15)


def test_a_result_is_plain_unless_it_is_of_higher_order():
    w = Variable([1.0, 2.0])
    assert type(gradient(differentiate(lambda: (w**3).sum()), w)) is np.ndarray
    assert isinstance(
        gradient(differentiate(lambda: (w**3).sum(), higher_order=True), w), Traceable
    )


def test_a_result_of_higher_order_has_a_number_and_updates_its_parameter():
    w = Variable([1.0, 2.0])
    result = differentiate(lambda: (w**3).sum(), higher_order=True)
    assert float(result) == 9.0
    optshare.SGD([w], lr=1.0).update(w, gradient(result, w))
    np.testing.assert_array_equal(value(w), [-2.0, -10.0])
    np.testing.assert_array_equal(value(gradient(result, w)), [3.0, 12.0])


def test_a_result_of_higher_order_leaves_buffers_plain_and_grads_alone():
    w, count = Parameter([2.0]), Buffer(0.0)

    def loss():
        count.value = count.value + w.value.sum()
        return (w**3).sum()

    result = differentiate(loss, higher_order=True)
    assert type(count.stored) is np.ndarray
    assert count.stored == 2.0
    w.value = [3.0]
    with pytest.raises(StaleRecordError):
        back(gradient(result, w).sum())
    assert w.grad is None


def test_a_result_of_higher_order_inside_another_differentiation_is_tracked_by_that():
    w, x = Variable([1.0, 2.0]), np.array([3.0, 4.0])

    def outer(a):
        result = differentiate(lambda: ops.sum(w**2 * a**2), higher_order=True)
        return ops.sum(gradient(result, w)) + value(result)

    found = optshare_functional.grad(outer)(x)
    np.testing.assert_allclose(found, 4 * value(w) * x + 2 * value(w) ** 2 * x, rtol=1e-15)
    result = differentiate(lambda: ops.sum(gradient(differentiate(lambda: ops.sum(w**3)), w)))
    np.testing.assert_array_equal(gradient(result, w), 6 * value(w))


def test_an_exception_in_it_leaves_nothing_behind():
    w = Variable([1.0])
    with pytest.raises(LookupError):
        differentiate(lambda: {}["missing"], higher_order=True)
    assert not optshare.recording()
    assert type(Parameter([1.0]).value) is np.ndarray
    back((w * 2).sum())
    np.testing.assert_array_equal(w.grad, [2.0])


# -- a gradient penalty (Gulrajani et al., 2017) ---------------------------------------------------

RANDOM = np.random.default_rng(3)
REAL, FAKE, MIX = RANDOM.normal(size=(8, 4)) + 1, RANDOM.normal(size=(8, 4)), RANDOM.random((8, 1))
BETWEEN = MIX * REAL + (1 - MIX) * FAKE


def a_critic():
    optshare.seed(5)
    layers = Dense(4, 6, tanh, dtype=np.float64), Dense(6, 6, tanh, dtype=np.float64)
    return Chain(*layers, Dense(6, 1, dtype=np.float64))


def penalised(critic, slopes):
    """The critic's loss, given the gradient of its sum for each sample between."""
    norms = np.sqrt(np.sum(slopes * slopes, axis=1))
    return np.mean(critic(FAKE)) - np.mean(critic(REAL)) + 10 * np.mean((norms - 1) ** 2)


def by_functional_grad(critic, opt):
    slope = optshare_functional.grad(lambda a: np.sum(critic(a)))
    return opt.step(lambda: penalised(critic, slope(BETWEEN)))


def by_the_tapes_grad(critic, opt):
    slope = optshare_tape.grad(lambda a: np.sum(critic(a)))
    with optshare.use("functional"):
        return opt.step(lambda: penalised(critic, slope(BETWEEN)))


def by_back(critic, opt):
    between = Variable(BETWEEN)
    with record():
        back(np.sum(critic(between.value)), higher_order=True)
        slopes = between.grad
        zero_grad(critic, between)
        loss = penalised(critic, slopes)
    back(loss)
    opt.step()
    opt.zero_grad()
    return value(loss)


def by_differentiate(critic, opt):
    between = Variable(BETWEEN)

    def loss():
        slopes = gradient(differentiate(lambda: np.sum(critic(between.value))), between)
        return penalised(critic, slopes)

    result = differentiate(loss)
    opt.update([gradient(result, each) for each in optshare.params(critic)])
    return value(result)


def losses_of_torch(steps):
    critic = a_critic()
    weights = [torch.tensor(p.stored.copy(), requires_grad=True) for p in optshare.params(critic)]
    opt = torch.optim.Adam(weights, lr=0.01)
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)

    def score(x):
        a, b, c, d, e, f = weights
        return torch.tanh(torch.tanh(x @ a + b) @ c + d) @ e + f

    losses = []
    for _ in range(steps):
        between = torch.tensor(BETWEEN, requires_grad=True)
        (slopes,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
        norms = slopes.pow(2).sum(1).sqrt()
        loss = score(fake).mean() - score(real).mean() + 10 * ((norms - 1) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses, [each.detach().numpy() for each in weights]


@pytest.mark.parametrize("step", [by_functional_grad, by_the_tapes_grad, by_back, by_differentiate])
def test_a_gradient_penalty_trains_with_torchs_numbers(step):
    critic = a_critic()
    opt = optshare.Adam(critic, lr=0.01)
    losses = [float(step(critic, opt)) for _ in range(20)]
    expected, weights = losses_of_torch(20)
    assert losses[-1] < losses[0] / 2
    assert_close(np.array(losses), np.array(expected))
    for p, other in zip(optshare.params(critic), weights, strict=True):
        assert_close(p.stored, other)


def test_detach_inside_makes_a_slope_a_constant():
    x = Variable([1.0, 2.0])
    slope = slope_of((x**3).sum(), x)
    back((detach(slope) * x).sum())
    np.testing.assert_array_equal(x.grad, [3.0, 12.0])
