"""What holds for every rule: dtypes, gradients, saved state, frozen and skipped parameters."""

import copy
import json
import pickle

import numpy as np
import pytest

import optshare
from optshare import Optimizer, Parameter
from optshare.rules import Site
from tests.unit.rules.cases import ARRAY_CASES, CASES, made

ALL = CASES | ARRAY_CASES
every_case = pytest.mark.parametrize("case", ALL)


def gradients(count, shape=(2, 2), dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for _ in range(count)]


def trained(case, steps=7, dtype=np.float64):
    p = Parameter(np.array([[1.0, -2.0], [3.0, 0.5]], dtype))
    opt = Optimizer([p], made(case, lr=0.1))
    for g in gradients(steps, dtype=dtype):
        opt.update([g])
    return p, opt


@every_case
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_no_rule_changes_a_dtype_and_half_precision_has_state_in_single(case, dtype):
    p, opt = trained(case, dtype=dtype)
    working = np.float32 if dtype == np.float16 else dtype
    assert p.value.dtype == dtype
    assert np.isfinite(p.value).all()
    assert {each.dtype for each in opt.state_for(p).arrays.values()} == {np.dtype(working)}
    assert all(type(each) is float for each in opt.state_for(p).scalars.values())


@every_case
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_low_precision_follows_double_precision(case, dtype):
    near, far = trained(case, 3, dtype)[0].value, trained(case, 3)[0].value
    np.testing.assert_allclose(near, far, rtol=0, atol=40 * np.finfo(dtype).eps)


@every_case
def test_gradients_are_left_as_they_are(case):
    p = Parameter([[1.0, -2.0], [3.0, 0.5]])
    opt = Optimizer([p], made(case, lr=0.1))
    given = gradients(5)
    kept = copy.deepcopy(given)
    for g in given:
        g.flags.writeable = False
        opt.update([g])
    np.testing.assert_equal(given, kept)


@every_case
@pytest.mark.parametrize("through", ["memory", "json", "pickle", "deepcopy"])
def test_a_saved_optimizer_goes_on_bit_for_bit(case, through):
    p, opt = trained(case)
    if through in ("pickle", "deepcopy"):
        again = pickle.loads(pickle.dumps((p, opt))) if through == "pickle" else None
        q, other = again or copy.deepcopy((p, opt))
    else:
        saved = opt.state_dict()
        if through == "json":
            saved = json.loads(json.dumps(saved, default=lambda array: array.tolist()))
        q = Parameter(p.value.copy())
        other = Optimizer([q], type(made(case))(**ALL[case][1]))
        other.load_state_dict(saved)
    np.testing.assert_equal(other.state_dict(), opt.state_dict())
    for g in gradients(12)[7:]:
        opt.update([g])
        other.update([g])
    np.testing.assert_array_equal(q.value, p.value)
    np.testing.assert_equal(other.state_dict(), opt.state_dict())


@every_case
def test_a_reset_optimizer_begins_again(case):
    p, opt = trained(case)
    opt.reset()
    assert (opt.state_for(p).arrays, opt.state_for(p).scalars, opt.state_for(p).t) == ({}, {}, 0)
    q = Parameter(p.value.copy())
    other = Optimizer([q], made(case, lr=0.1))
    for g in gradients(3):
        opt.update([g])
        other.update([g])
    np.testing.assert_array_equal(p.value, q.value)


@every_case
def test_parameters_of_one_optimizer_do_not_touch_each_other(case):
    """Also where one of them has had fewer updates."""
    one, other = Parameter(np.ones((2, 2))), Parameter(np.ones((2, 2)))
    together = Optimizer([one, other], made(case, lr=0.1))
    alone = Parameter(np.ones((2, 2)))
    apart = Optimizer([alone], made(case, lr=0.1))
    for step, g in enumerate(gradients(9)):
        late = g if step >= 4 else None
        together.update([g, late])
        apart.update([late])
    np.testing.assert_array_equal(other.value, alone.value)
    assert not np.array_equal(one.value, other.value)


@every_case
def test_a_frozen_parameter_keeps_its_value_and_state(case):
    p, opt = trained(case)
    before = opt.state_dict()
    value = p.value.copy()
    p.frozen = True
    opt.update(gradients(1))
    np.testing.assert_array_equal(p.value, value)
    np.testing.assert_equal(opt.state_dict(), before)


@pytest.mark.parametrize("case", CASES)
def test_blocks_of_a_large_array_are_updated_alike(case):
    g = np.random.default_rng(1).normal(size=(3, 40_001))
    whole, part = Parameter(np.ones(g.shape)), Parameter(np.ones((3, 1)))
    one, other = Optimizer([whole], made(case)), Optimizer([part], made(case))
    for _ in range(2):
        one.update([g])
        other.update([g[:, -1:]])
    np.testing.assert_array_equal(whole.value[:, -1:], part.value)


@pytest.mark.parametrize("name", sorted({name for name, _ in ALL.values()}))
def test_every_face_binds_with_a_model_and_is_a_rule_without(name):
    face, p = getattr(optshare, name), Parameter([[1.0]])
    rule = face(lr=0.25)
    assert isinstance(rule, optshare.Rule)
    assert isinstance(rule, face)
    opt = face([p], lr=0.25)
    assert isinstance(opt, Optimizer)
    assert opt.state_for(p).rule == rule.for_parameter(Site(0, "0"), (1, 1))
    assert face.__doc__.startswith(type(rule).__doc__)
    assert repr(face) == f"optshare.{name}"
