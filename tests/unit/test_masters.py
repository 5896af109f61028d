"""Parameters in half precision with masters in single precision."""

import pickle

import jax
import numpy as np
import pytest
import torch

from optshare import SGD, AdamW, Muon, Optimizer, Parameter, ScheduleFreeSGD

SMALL = 1e-4
"""A step that vanishes beside 1 in half precision, whose numbers are 0.00098 apart there."""


def small_steps(model, gradient, count=20, **options):
    opt = Optimizer(model, SGD(lr=SMALL), **options)
    for _ in range(count):
        opt.update([gradient])
    return opt


def test_small_steps_add_up_with_masters_and_vanish_without():
    p, q = (Parameter(np.ones(1), np.float16) for _ in range(2))
    small_steps([p], np.ones(1, np.float16))
    small_steps([q], np.ones(1, np.float16), masters=True)
    assert p.value[0] == 1.0
    assert q.value[0] == np.float16(1 - 20 * SMALL)


def test_training_with_masters_is_training_in_single_precision():
    half, single = Parameter(np.ones((3, 2)), np.float16), Parameter(np.ones((3, 2)), np.float32)
    rules = AdamW(lr=1e-3, weight_decay=0.1)
    ours, theirs = Optimizer([half], rules, masters=True), Optimizer([single], rules)
    for step in range(50):
        g = np.random.default_rng(step).normal(size=(3, 2)).astype(np.float16)
        ours.update([g])
        theirs.update([g.astype(np.float32)])
    np.testing.assert_array_equal(ours.state_for(half).master, single.value)
    np.testing.assert_array_equal(half.value, single.value.astype(np.float16))
    assert half.value.dtype == np.float16


def test_a_value_that_somebody_has_set_is_taken_up():
    p = Parameter(np.ones(3), np.float16)
    opt = small_steps([p], np.ones(3, np.float16), masters=True)
    p.value = np.array([p.value[0], 5.0, np.nan], np.float16)
    opt.update([np.ones(3, np.float16)])
    master = opt.state_for(p).master
    assert master[0] == pytest.approx(1 - 21 * SMALL, abs=1e-6)
    assert master[1] == pytest.approx(5 - SMALL, abs=1e-6)
    assert np.isnan(p.value[2])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_torch_tensors_have_masters(dtype):
    tensor = torch.nn.Parameter(torch.ones(2, dtype=dtype))
    opt = small_steps([tensor], torch.ones(2, dtype=dtype), 100, masters=True)
    assert tensor.dtype == dtype
    assert tensor[0] == torch.tensor(1 - 100 * SMALL).to(dtype) < 1
    np.testing.assert_allclose(np.asarray(opt.state_for(tensor).master), 1 - 100 * SMALL, rtol=1e-5)


def test_jax_arrays_have_masters():
    opt = small_steps({"w": jax.numpy.ones(2, "bfloat16")}, None, 0, masters=True)
    for _ in range(100):
        opt.update({"w": jax.numpy.ones(2, "bfloat16")})
    assert opt.tree["w"].dtype == "bfloat16"
    assert float(opt.tree["w"][0]) < 1


def test_rules_that_see_the_whole_array_have_masters():
    p = Parameter(np.ones((4, 4)), np.float16)
    opt = Optimizer([p], Muon(lr=SMALL, weight_decay=0.0), masters=True)
    for _ in range(20):
        opt.update([np.eye(4, dtype=np.float16)])
    assert (np.diagonal(p.value) < 1).all()


def test_parameters_in_other_precisions_have_none():
    p = Parameter(np.ones(2), np.float32)
    opt = small_steps([p], np.ones(2, np.float32), masters=True)
    assert opt.state_for(p).master is None


def test_a_saved_optimizer_goes_on_bit_for_bit():
    p, q = (Parameter(np.ones(2), np.float16) for _ in range(2))
    opt = small_steps([p], np.ones(2, np.float16), 7, masters=True)
    q.value = p.value
    other = Optimizer([q], SGD(), masters=True)
    other.load_state_dict(pickle.loads(pickle.dumps(opt.state_dict())))
    for each in (opt, other):
        for _ in range(13):
            each.update([np.ones(2, np.float16)])
    assert p.value[0] == q.value[0] == np.float16(1 - 20 * SMALL)


def test_evaluation_values_are_computed_from_the_masters():
    half, single = Parameter(np.ones(3), np.float16), Parameter(np.ones(3), np.float32)
    rule = ScheduleFreeSGD(lr=0.01)
    ours, theirs = Optimizer([half], rule, masters=True), Optimizer([single], rule)
    for step in range(30):
        g = np.random.default_rng(step).normal(size=3).astype(np.float16)
        ours.update([g])
        theirs.update([g.astype(np.float32)])
    with ours.averaged(), theirs.averaged():
        np.testing.assert_array_equal(half.value, single.value.astype(np.float16))
    np.testing.assert_array_equal(ours.state_for(half).master, single.value)
