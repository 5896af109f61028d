"""Moving models between the engines: identities, ties and state stay, training goes on."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import optshare
from optshare import Buffer, Parameter, registry
from optshare.errors import CapabilityError, EmptyModelError, ParameterError

ENGINES = ["tape", "functional", "torch", "jax", "autograd"]
RULES = [optshare.Adam(lr=0.1), optshare.SGD(lr=0.1, momentum=0.9)]


def classifier():
    optshare.seed(0)
    return optshare.Chain(
        optshare.Dense(4, 8, optshare.tanh, dtype=np.float64),
        optshare.Dropout(0.3, seed=3),
        optshare.Dense(8, 3, dtype=np.float64),
    )


def trained(engines, rule, steps=5):
    """A model and its optimizer after some steps on each of several engines."""
    model = classifier()
    opt = optshare.Optimizer(model, rule)
    rng = np.random.default_rng(1)
    for engine in engines:
        asarray = registry.load(engine).ops.asarray
        optshare.to(model, engine)
        for _ in range(steps):
            x, y = asarray(rng.normal(size=(16, 4))), asarray(rng.integers(0, 3, 16))
            with optshare.use(engine):
                opt.step(lambda x, y: optshare.nll(model(x), y), x, y)
    return model, opt


@pytest.mark.parametrize("rule", RULES, ids=["adam", "momentum"])
@pytest.mark.parametrize("pair", list(itertools.permutations(ENGINES, 2)), ids="-".join)
def test_a_model_that_moves_in_mid_run_ends_where_one_that_stays_does(pair, rule, farthest):
    stayed, _ = trained(["tape", "tape"], rule)
    moved, opt = trained(pair, rule)
    assert farthest(stayed, moved, rule.lr) <= 1e-12
    assert opt.steps == 10


@pytest.mark.parametrize("pair", list(itertools.permutations(ENGINES, 2)), ids="-".join)
def test_state_is_not_touched_by_a_move_in_host_memory(pair):
    model, opt = trained(pair[:1], RULES[0])
    states = [opt.state_for(p) for p in optshare.params(model)]
    before = [each.exp_avg for each in states]
    optshare.to(model, pair[1])
    assert all(each.exp_avg is array for each, array in zip(states, before, strict=True))
    expected = [0.9 * array for array in before]
    opt.update([np.zeros(p.shape) for p in optshare.params(model)])
    for each, array in zip(states, expected, strict=True):
        assert type(each.exp_avg) is np.ndarray
        np.testing.assert_allclose(each.exp_avg, array, rtol=1e-15)


def test_moving_keeps_identities_ties_and_state():
    p = Parameter([1.0, 2.0])
    model = {"a": p, "b": [p]}
    opt = optshare.Adam(model)
    opt.update(p, np.ones(2))
    assert optshare.to(model, "torch", dtype="float32") is model
    assert type(p.value) is torch.Tensor
    assert p.dtype == torch.float32
    assert model["b"][0] is p
    assert opt.state_for(p).t == 1
    opt.update(p, torch.ones(2))
    assert opt.state_for(p).exp_avg.dtype == np.float32


def test_only_buffers_of_floating_numbers_move():
    class Counted:
        def __init__(self):
            self.p, self.mean, self.calls = Parameter([1.0]), Buffer([0.5]), Buffer(np.int64(3))

    model = optshare.to(Counted(), "torch")
    assert type(model.mean.value) is torch.Tensor
    assert type(model.calls.value) is np.ndarray


def test_moving_what_holds_no_parameters_is_refused():
    with pytest.raises(EmptyModelError, match="no Parameter to move"):
        optshare.to([1, 2], "torch")


@pytest.mark.parametrize("dtype", ["int32", "float33", "bool"])
def test_a_dtype_that_does_not_train_is_refused(dtype):
    dense = optshare.Dense(2, 2)
    with pytest.raises(ParameterError):
        optshare.to(dense, "torch", dtype=dtype)
    assert type(dense.weight.value) is np.ndarray


def test_half_precision_moves_there_and_back():
    dense = optshare.to(optshare.Dense(2, 2, dtype=np.float32), "torch", dtype="bfloat16")
    assert dense.weight.dtype == torch.bfloat16
    kept = dense.weight.value.float().numpy()
    optshare.to(dense, "tape", dtype="float32")
    np.testing.assert_array_equal(dense.weight.value, kept)


def test_a_saved_state_goes_on_on_another_engine():
    model, opt = trained(["tape"], RULES[0])
    other = optshare.to(classifier(), "torch")
    fresh = optshare.Optimizer(other, RULES[0])
    fresh.load_state_dict(opt.state_dict())
    key = optshare.params(other)[0]
    assert fresh.state_for(key).t == 5
    np.testing.assert_array_equal(
        fresh.state_for(key).exp_avg, opt.state_for(optshare.params(model)[0]).exp_avg
    )


def test_a_model_moves_to_a_device_and_back_with_its_state():
    second = jax.devices()[1]
    p = Parameter([1.0, 2.0])
    opt = optshare.Adam([p], lr=0.5)
    opt.update(p, np.ones(2))
    optshare.to([p], "jax", device="cpu:1")
    opt.update(p, jax.device_put(jnp.ones(2), second))
    assert p.value.devices() == opt.state_for(p).exp_avg.devices() == {second}
    fresh = optshare.Adam([p])
    fresh.load_state_dict(opt.state_dict())
    assert fresh.state_for(p).exp_avg.devices() == {second}
    optshare.to([p], "tape")
    opt.update(p, np.ones(2))
    assert type(opt.state_for(p).exp_avg) is np.ndarray
    stayed = Parameter([1.0, 2.0])
    other = optshare.Adam([stayed], lr=0.5)
    for _ in range(3):
        other.update(stayed, np.ones(2))
    np.testing.assert_allclose(p.value, stayed.value, rtol=1e-15)


@pytest.mark.parametrize(
    ("engine", "device"),
    [("torch", "cuda"), ("torch", "nowhere"), ("torch", "meta"), ("tape", "cuda"),
     ("functional", "gpu"), ("jax", "tpu"), ("jax", "cpu:9")],
)  # fmt: skip
def test_a_device_that_is_not_there_is_refused(engine, device):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    dense = optshare.Dense(2, 2)
    with pytest.raises(ParameterError, match=device):
        optshare.to(dense, engine, device=device)
    assert type(dense.weight.value) is np.ndarray


def test_float64_does_not_move_to_jax_without_x64():
    dense = optshare.Dense(2, 2, dtype=np.float64)
    with jax.enable_x64(False), pytest.raises(CapabilityError, match="jax_enable_x64"):
        optshare.to(dense, "jax")
    assert type(dense.weight.value) is np.ndarray
    with jax.enable_x64(False):
        optshare.to(dense, "jax", dtype="float32")
    assert dense.weight.dtype == np.float32


def test_a_layer_that_has_only_running_statistics_moves_too():
    layer = optshare.to(optshare.BatchNorm(3, affine=False), "torch", dtype="float64")
    assert str(layer.mean.stored.dtype) == "torch.float64"
