"""Gradients that are NaN or infinite: raise, skip, propagate."""

import jax
import numpy as np
import pytest
import torch

from optshare import SGD, Adam, Optimizer, Parameter
from optshare.errors import HyperparameterError, NonFiniteGradientError, NonFiniteLossError
from optshare.transforms import SkipNonFinite

BAD = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_gradient_that_is_not_finite_raises_before_anything_changes(bad, dtype):
    p, q = Parameter([1.0, 2.0], dtype), Parameter([3.0], dtype)
    opt = Adam_over({"p": p, "q": q})
    opt.update([np.ones(2, dtype), np.ones(1, dtype)])
    before = p.value.copy(), q.value.copy(), opt.state_for(p).exp_avg.copy()
    with pytest.raises(NonFiniteGradientError, match=r"gradient of 'q' is not finite at step 2"):
        opt.update([np.ones(2, dtype), np.array([bad], dtype)])
    np.testing.assert_array_equal(p.value, before[0])
    np.testing.assert_array_equal(q.value, before[1])
    np.testing.assert_array_equal(opt.state_for(p).exp_avg, before[2])
    assert (opt.steps, opt.state_for(p).t) == (1, 1)


def Adam_over(model, **options):  # noqa: N802 # reads as the class
    return Optimizer(model, Adam(lr=0.1), **options)


@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_one_bad_element_of_many_is_found_in_every_layout(layout):
    p = Parameter(np.zeros((700, 900)))
    g = np.ones((700, 900))
    g[699, 899] = np.nan
    given = {"C": g, "F": np.asfortranarray(g), "strided": np.repeat(g, 2, axis=1)[:, ::2]}
    with pytest.raises(NonFiniteGradientError):
        Adam_over([p]).update([given[layout]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_numbers_whose_squares_overflow_are_finite(dtype):
    p = Parameter(np.zeros(5), dtype)
    Optimizer([p], SGD(lr=1.0)).update([np.full(5, np.finfo(dtype).max / 8, dtype)])
    assert np.isfinite(p.value).all()
    assert (p.value != 0).all()


def test_a_bad_gradient_of_torch_or_jax_raises_too():
    tensor = torch.nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))
    with pytest.raises(NonFiniteGradientError):
        Adam_over([tensor]).update([torch.tensor([1.0, torch.nan], dtype=torch.bfloat16)])
    tree = {"w": jax.numpy.zeros(2)}
    with pytest.raises(NonFiniteGradientError):
        Adam_over(tree).update({"w": jax.numpy.asarray([1.0, np.inf])})


def test_skip_leaves_the_step_out():
    p = Parameter([1.0])
    opt = Adam_over([p], nonfinite="skip")
    opt.update([np.array([np.nan])])
    assert (p.value[0], opt.steps, opt.state_for(p).t) == (1.0, 0, 0)
    opt.update([np.array([1.0])])
    assert (opt.steps, opt.state_for(p).t) == (1, 1)


def test_skip_leaves_out_a_loss_that_is_not_finite():
    p = Parameter([1.0])
    opt = Adam_over([p], nonfinite="skip")
    assert np.isnan(opt.step(lambda: (p * np.nan).sum()))
    assert (p.value[0], opt.steps) == (1.0, 0)


def test_propagate_lets_them_through():
    p = Parameter([1.0])
    Adam_over([p], nonfinite="propagate").update([np.array([np.nan])])
    assert np.isnan(p.value[0])


def test_a_finite_loss_with_a_bad_gradient_raises():
    p = Parameter([0.0, 1.0])
    with np.errstate(all="ignore"), pytest.raises(NonFiniteGradientError, match="'0'"):
        Adam_over([p]).step(lambda: (p**0.5).sum())
    assert p.value.tolist() == [0.0, 1.0]


def test_a_bad_loss_is_named_as_such():
    p = Parameter([1.0])
    with pytest.raises(NonFiniteLossError, match="the loss is nan at step 1"):
        Adam_over([p]).step(lambda: (p * np.nan).sum())


def test_a_frozen_parameter_may_have_any_gradient():
    p, q = Parameter([1.0]), Parameter([1.0])
    p.frozen = True
    Adam_over([p, q]).update([np.array([np.nan]), np.array([1.0])])
    assert p.value[0] == 1.0 != q.value[0]


def test_skipping_raises_after_too_many_in_a_row():
    p = Parameter([1.0])
    opt = Optimizer([p], SGD(lr=1.0), transforms=[SkipNonFinite(most=2)])
    for g in (np.nan, np.inf, 1.0, np.nan, np.nan):
        opt.update([np.array([g])])
    assert (p.value[0], opt.steps) == (0.0, 1)
    with pytest.raises(NonFiniteGradientError, match="2 steps in a row have been left out"):
        opt.update([np.array([np.nan])])
    opt.update([np.array([1.0])])
    assert p.value[0] == -1.0


@pytest.mark.parametrize("wrong", [{"most": -1}, {"most": 1.5}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(HyperparameterError, match="most must be"):
        SkipNonFinite(**wrong)


def test_an_unknown_policy_is_refused():
    with pytest.raises(HyperparameterError, match="'raise', 'skip' or 'propagate', not 'ignore'"):
        Optimizer([Parameter([1.0])], SGD(), nonfinite="ignore")
