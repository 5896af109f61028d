"""What goes wrong on JAX is said clearly, and changes nothing."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare
import optshare_jax
from optshare import Parameter
from optshare.errors import (
    CapabilityError,
    EscapedValueError,
    LabelError,
    NonFiniteLossError,
    NonScalarLossError,
    ParameterError,
    UnclaimedArrayError,
)
from optshare_jax.functions import device_named


@pytest.fixture
def model():
    return optshare.to(optshare.Dense(2, 3, dtype=np.float64), "jax")


@pytest.fixture
def opt(model):
    opt = optshare.Adam(model, lr=0.1)
    opt.step(lambda x: (model(x) ** 2).sum(), jnp.ones((4, 2)))
    return opt


X, LABELS = jnp.ones((4, 2)), jnp.array([0, 1, 2, 0])


@pytest.fixture
def narrow():
    with jax.enable_x64(False):
        yield optshare.to(optshare.Dense(2, 3, dtype=np.float32), "jax")
        assert not jax.config.jax_enable_x64


def test_moving_to_double_precision_without_x64_is_refused(narrow):
    before = narrow.weight.value
    with pytest.raises(CapabilityError, match="jax_enable_x64"):
        optshare.to(narrow, "jax", dtype="float64")
    wide = optshare.Dense(2, 3, dtype=np.float64)
    with pytest.raises(CapabilityError, match="jax_enable_x64"):
        optshare.to(wide, "jax")
    assert narrow.weight.value is before
    assert type(wide.weight.value) is np.ndarray
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize("wide", [np.ones((4, 2)), np.ones((4, 2), complex)], ids=["real", "cplx"])
def test_a_wide_batch_without_x64_is_refused(narrow, wide, unchanged):
    opt = optshare.Adam(narrow)

    def loss(x):
        return narrow(x).sum()

    with unchanged(narrow, opt):
        for batch in (wide, [wide], {"x": wide}):
            with pytest.raises(CapabilityError, match="jax_enable_x64"):
                opt.step(lambda x: loss(jax.tree.leaves(x)[0]), batch)
        with pytest.raises(CapabilityError, match="jax_enable_x64"):
            optshare_jax.jit(narrow)(wide)
    assert np.isfinite(opt.step(loss, wide.real.astype(np.float32)))


def test_a_wide_argument_of_a_gradient_without_x64_is_refused(narrow):
    with pytest.raises(CapabilityError, match="jax_enable_x64"):
        optshare.gradient(lambda x: narrow(x).sum(), np.ones((4, 2)), wrt=narrow)


@pytest.mark.parametrize("dtype", [np.float64, np.dtype("float64"), jnp.float64], ids=repr)
def test_functions_of_ops_refuse_double_precision_without_x64(narrow, dtype):
    ops = optshare.registry.load("jax").ops
    with pytest.raises(CapabilityError, match="jax_enable_x64"):
        ops.asarray(np.ones(2))
    with pytest.raises(CapabilityError, match="jax_enable_x64"):
        ops.asarray([1.0], dtype=dtype)
    with pytest.raises(CapabilityError, match="jax_enable_x64"):
        ops.astype(narrow.weight.value, dtype)


def test_a_deleted_or_donated_argument_is_named(model, opt, unchanged):
    deleted, donated = jnp.ones((4, 2)), jnp.ones((4, 2))
    deleted.delete()
    jax.jit(lambda x: x + 1, donate_argnums=0)(donated)
    for batch in (deleted, donated):
        assert batch.is_deleted()
        with (
            unchanged(model, opt),
            pytest.raises(ParameterError, match=r"argument of shape \(4, 2\) was deleted or donat"),
        ):
            opt.step(lambda x: model(x).sum(), batch)


def test_a_deleted_parameter_is_named_and_the_others_stay(model, opt):
    model.weight.stored.delete()
    bias, moment = np.array(model.bias.value), np.array(opt.state_for(model.bias).exp_avg)
    with pytest.raises(ParameterError, match=r"parameter of shape \(2, 3\) was deleted or donated"):
        opt.step(lambda x: model(x).sum(), X)
    np.testing.assert_array_equal(model.bias.value, bias)
    np.testing.assert_array_equal(opt.state_for(model.bias).exp_avg, moment)
    assert opt.steps == 1
    model.weight.value = jnp.ones((2, 3))
    loss = opt.step(lambda x: model(x).sum(), X)
    np.testing.assert_allclose(loss, 24 + 4 * bias.sum(), rtol=1e-12)


@pytest.mark.parametrize("traced_before", [False, True], ids=["first", "later"])
def test_an_argument_on_another_device_is_refused(model, opt, unchanged, traced_before):
    far = jax.device_put(X, jax.devices()[1])

    def loss(x):
        return (model(x) ** 2).mean()

    if traced_before:
        opt.step(loss, X)
    with unchanged(model, opt), pytest.raises(ParameterError, match="on several devices"):
        opt.step(loss, far)
    assert np.isfinite(opt.step(loss, X))


def test_parameters_on_another_device_train_there():
    there = jax.devices()[1]
    p = Parameter(jax.device_put(jnp.array([1.0, 2.0]), there))
    opt = optshare.SGD([p], lr=0.5)
    for _ in range(2):
        opt.step(lambda x: (p * x).sum(), jax.device_put(jnp.ones(2), there))
    assert p.value.tolist() == [0.0, 1.0]
    assert p.value.devices() == {there}


@pytest.mark.parametrize("wrong", [3, -1, 99])
def test_a_label_out_of_range_is_no_finite_loss(model, opt, wrong, unchanged):
    labels = LABELS.at[2].set(wrong)
    with unchanged(model, opt), pytest.raises(NonFiniteLossError, match="nan at step 2"):
        opt.step(lambda x, y: optshare.nll(model(x), y), X, labels)
    with unchanged(model, opt), pytest.raises(LabelError, match=f"label {wrong} is not one of 3"):
        optshare.gradient(lambda: optshare.nll(model(X), labels), wrt=model)


@pytest.mark.parametrize("labels", [LABELS + 0.5, LABELS > 0, LABELS[:3]], ids=str)
def test_labels_of_another_kind_or_shape_are_refused(model, opt, labels, unchanged):
    with unchanged(model, opt), pytest.raises(LabelError, match="labels "):
        opt.step(lambda x, y: optshare.nll(model(x), y), X, labels)


LOSSES = {
    "vector": (lambda y: y[0], r"the loss has shape \(3,\); return a scalar"),
    "one": (lambda y: y[0, :1], r"the loss has shape \(1,\)"),
    "none": (lambda y: None, "did the function forget to return"),
    "text": (lambda y: "loss", "the loss is a str, not a number"),
    "pair": (lambda y: (y.sum(), y), "the loss is a tuple, not a number"),
}


@pytest.mark.parametrize(("made", "message"), LOSSES.values(), ids=LOSSES)
def test_a_loss_that_is_no_number_is_refused(model, opt, made, message, unchanged):
    with unchanged(model, opt):
        with pytest.raises(NonScalarLossError, match=message):
            opt.step(lambda x: made(model(x)), X)
        with pytest.raises(NonScalarLossError, match=message):
            optshare.gradient(lambda: made(model(X)), wrt=model)


def test_what_is_no_function_is_refused(model, opt, unchanged):
    with unchanged(model, opt), pytest.raises(TypeError, match="step takes a function"):
        opt.step(X)


@pytest.mark.parametrize("array", [jnp.arange(3), jnp.array([True])], ids=["int", "bool"])
def test_an_array_that_is_not_floating_cannot_be_trained(array):
    def train():
        p, q = Parameter(array), Parameter(jnp.ones(1))
        optshare.SGD([p, q], lr=1.0).step(lambda: (p.value * q.value).sum())

    with pytest.raises(ParameterError, match=r"float|real"):
        train()


def test_a_device_that_jax_lacks_is_named():
    with pytest.raises(ParameterError, match=r"no device 'tpu:7'; choices: cpu:0, cpu:1"):
        device_named("tpu:7")
    with pytest.raises(ParameterError, match=r"no device 'cpu:9'; choices: cpu:0, cpu:1"):
        optshare.registry.load("jax").ops.asarray(np.ones(2), device="cpu:9")
    assert device_named("cpu:1") == jax.devices()[1]


REMEDY = re.escape("optshare_jax.jit(model)")


@pytest.mark.parametrize(
    "compiled",
    [
        lambda f: jax.jit(f),
        lambda f: lambda x: jax.lax.scan(lambda s, row: (s, f(row)), 0, x),
        lambda f: lambda x: jax.lax.cond(x[0, 0] > 0, f, lambda x: f(x), x),
        lambda f: jax.jit(jax.grad(lambda x: f(x).sum())),
        lambda f: jax.jit(jax.vmap(f)),
    ],
    ids=["jit", "scan", "cond", "jit of grad", "jit of vmap"],
)
def test_a_model_that_jax_would_compile_with_todays_weights_is_refused(model, compiled):
    predict = optshare_jax.jit(model)
    for function in (model, predict):
        with pytest.raises(EscapedValueError, match=REMEDY):
            compiled(function)(X)
    np.testing.assert_allclose(jax.vmap(predict)(X), model(X), rtol=1e-12)
    grown = jax.grad(lambda x: model(x).sum())(X)
    np.testing.assert_allclose(grown, np.ones((4, 3)) @ np.array(model.weight.value).T, rtol=1e-12)


def test_a_step_or_an_update_inside_jit_is_refused(model, opt, unchanged):
    with unchanged(model, opt):
        with pytest.raises(EscapedValueError, match=REMEDY):
            jax.jit(lambda x: opt.step(lambda x: model(x).sum(), x))(X)
        with pytest.raises(EscapedValueError, match=REMEDY):
            jax.jit(lambda x: optshare.gradient(lambda: model(x).sum(), wrt=model)[model.bias])(X)
    assert not isinstance(model.weight.stored, jax.core.Tracer)


def test_a_gradient_that_is_still_traced_is_not_taken(model, opt, unchanged):
    def update(x):
        opt.update(model.bias, x.sum() * jnp.ones(3))
        return x

    with unchanged(model, opt), pytest.raises((EscapedValueError, jax.errors.JAXTypeError)):
        jax.jit(update)(X)
    assert not isinstance(model.bias.stored, jax.core.Tracer)


def test_an_object_that_nobody_claims_is_named():
    class Strange:
        shape, dtype = (), "float64"

    p = Parameter(jnp.ones(2))
    with pytest.raises(UnclaimedArrayError, match="No backend owns Strange"):
        optshare.SGD([p]).step(lambda x: p.value.sum(), Strange())
