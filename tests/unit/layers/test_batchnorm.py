import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare import BatchNorm, Chain, Dense, InstanceNorm, buffers, params
from optshare.errors import DataError, HyperparameterError
from tests.unit.layers.as_torch import assert_same_statistics, assert_trains_as, drawn, host

DOUBLE = {"dtype": np.float64}
SLOW_JAX = pytest.param("jax", marks=pytest.mark.slow)
SHAPES = [(6, 3), (2, 3), (4, 3, 5), (2, 3, 4, 5), (1, 3, 2, 2), (2, 3, 2, 3, 2)]


def module_for(kind, shape, *args, **options):
    axes = max(len(shape) - 2, 1)
    return getattr(torch.nn, f"{kind}{axes}d")(*args, **options)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("track", [True, False])
def test_batchnorm_is_torchs_in_both_modes(shape, affine, track, backend):
    layer = BatchNorm(3, affine=affine, track=track, **DOUBLE)
    module = module_for("BatchNorm", shape, 3, affine=affine, track_running_stats=track)
    batches = [drawn(*shape, seed=seed) for seed in range(3)]
    assert_trains_as(layer, module, *batches, engine=backend)


@pytest.mark.parametrize("shape", [(4, 3, 5), (2, 3, 4, 5), (1, 3, 2, 2), (2, 3, 2, 3, 2)])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("track", [True, False])
def test_instancenorm_is_torchs_in_both_modes(shape, affine, track, backend):
    layer = InstanceNorm(3, affine=affine, track=track, **DOUBLE)
    module = module_for("InstanceNorm", shape, 3, affine=affine, track_running_stats=track)
    batches = [drawn(*shape, seed=seed) for seed in range(3)]
    assert_trains_as(layer, module, *batches, engine=backend)


@pytest.mark.parametrize("engine", ["torch", "autograd", SLOW_JAX])
def test_the_other_engines_agree_too(engine):
    batches = [drawn(4, 3, 2, seed=seed) for seed in range(2)]
    for kind in "BatchNorm", "InstanceNorm":
        layer = getattr(optshare, kind)(3, affine=True, track=True, **DOUBLE)
        module = module_for(kind, (4, 3, 2), 3, affine=True, track_running_stats=True)
        assert_trains_as(layer, module, *batches, engine=engine)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(1, 4),
    st.floats(1e-4, 1.0),
    st.sampled_from([0.0, 0.1, 0.25, 1.0]),
)
def test_drawn_shapes_eps_and_momenta(rest, channels, eps, momentum):
    shape = (rest[0] + 1, channels, *rest[1:])
    layer = BatchNorm(eps=eps, momentum=momentum, **DOUBLE)
    module = module_for("BatchNorm", shape, channels, eps=eps, momentum=momentum)
    assert_trains_as(layer, module, drawn(*shape), drawn(*shape, seed=1))


def test_the_statistics_begin_at_torchs_and_follow_its_momentum(backend):
    layer = BatchNorm(2, momentum=0.5, **DOUBLE)
    assert (layer.mean.value.tolist(), layer.var.value.tolist()) == ([0.0, 0.0], [1.0, 1.0])
    x = np.array([[0.0, 1.0], [4.0, 1.0]])
    optshare.gradient(lambda x: layer(x).sum(), x)
    # means 2 and 1; unbiased variances 8 and 0
    assert layer.mean.value.tolist() == [1.0, 0.5]
    assert layer.var.value.tolist() == [4.5, 0.5]


@pytest.mark.parametrize("engine", ["tape", "functional", "torch", "autograd", "jax"])
def test_steps_of_an_optimizer_keep_torchs_statistics(engine):
    model = Chain(BatchNorm(**DOUBLE), Dense(4, 2, **DOUBLE))
    x = drawn(6, 4)
    model(x)
    twin = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)).double()
    with torch.no_grad():
        twin[1].weight.copy_(torch.tensor(model[1].weight.value.T))
        twin[1].bias.zero_()
    sgd = torch.optim.SGD(twin.parameters(), lr=0.1)
    with optshare.use(engine):
        optshare.to(model, engine)
        opt = optshare.SGD(model, lr=0.1)
        for seed in range(3):
            batch = drawn(6, 4, seed=seed)
            given = optshare.registry.load(engine).ops.asarray(batch)
            loss = opt.step(lambda x: optshare.ops.mean(model(x) ** 2), given)
            sgd.zero_grad()
            expected = (twin(torch.tensor(batch)) ** 2).mean()
            expected.backward()
            sgd.step()
            np.testing.assert_allclose(float(loss), expected.item(), rtol=1e-12)
    assert_same_statistics(model[0], twin[0])
    np.testing.assert_allclose(
        host(model[0].weight.value), host(twin[0].weight), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("kind", [BatchNorm, InstanceNorm])
def test_a_batch_with_one_value_for_each_channel_is_refused_in_training(kind, backend, unchanged):
    layer = kind(3, track=True, affine=True, **DOUBLE)
    shape = (1, 3, 1) if kind is BatchNorm else (4, 3, 1)
    message = rf"{kind.__name__}\(3.*\) needs more than one value for each channel.*\(., 3, 1\)"
    with unchanged(layer), pytest.raises(DataError, match=message):
        optshare.gradient(lambda x: layer(x).sum(), np.ones(shape))
    np.testing.assert_allclose(layer(np.ones(shape)), np.ones(shape), rtol=1e-5)


def test_a_lone_value_is_refused_before_sizes_are_taken(backend):
    layer = BatchNorm(**DOUBLE)
    with optshare.trainmode(layer), pytest.raises(DataError, match="more than one value"):
        layer(np.ones((1, 3)))
    assert not layer.weight.built
    with pytest.raises(DataError, match="more than one value"):
        BatchNorm(track=False)(np.ones((1, 3)))


def test_an_empty_batch_is_predicted_and_not_trained_on(backend, unchanged):
    layer = BatchNorm(3, **DOUBLE)
    assert layer(np.ones((0, 3, 2))).shape == (0, 3, 2)
    with unchanged(layer), pytest.raises(DataError, match="more than one value"):
        optshare.gradient(lambda x: layer(x).sum(), np.ones((0, 3, 2)))


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (BatchNorm(3), np.ones((4, 2))),
        (BatchNorm(3), np.ones(3)),
        (BatchNorm(3, affine=False, track=False), np.ones((4, 2, 3))),
        (BatchNorm(), np.ones((4, 0))),
        (BatchNorm(3), np.ones((4, 3), int)),
        (BatchNorm(3), [[1.0, 2.0, 3.0]]),
        (InstanceNorm(3), np.ones((4, 3))),
        (InstanceNorm(), np.ones((4, 3), int)),
    ],
)
def test_what_does_not_fit_is_refused_with_the_layer_and_its_shape(layer, x, backend, unchanged):
    with unchanged(layer if params(layer) else [BatchNorm(1)]):
        with pytest.raises(DataError) as caught:
            layer(x)
        with pytest.raises(DataError), optshare.trainmode(layer):
            layer(x)
    assert repr(layer) in str(caught.value)
    assert "integ" in str(caught.value) or "needs an array" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "essence"),
    [
        ({"eps": -1e-5}, r"eps must be finite and at least 0, not -1e-05"),
        ({"eps": np.inf}, "eps must be"),
        ({"eps": "small"}, "eps must be finite and at least 0, not 'small'"),
        ({"momentum": 1.5}, r"momentum must be in \[0, 1\], not 1.5"),
        ({"momentum": None}, "momentum must be"),
    ],
)
def test_options_out_of_range_are_refused(options, essence):
    with pytest.raises(HyperparameterError, match=essence):
        BatchNorm(3, **options)


def test_sizes_that_are_none_are_refused():
    with pytest.raises(DataError, match="BatchNorm: channels must be a whole number"):
        BatchNorm(0)
    with pytest.raises(TypeError, match="BatchNorm takes channels, not 2 sizes"):
        BatchNorm(3, 4)
    with pytest.raises(TypeError, match="must be a function"):
        BatchNorm(3, "relu")


def test_channels_are_taken_from_the_first_input_by_all_boxes_of_a_chain_or_none(backend):
    model = Chain(BatchNorm(), Dense(3, 2))
    with pytest.raises(DataError, match=r"layers\.1"):
        model(np.ones((4, 5), np.float32))
    assert not any(box.built for box in [*params(model[0]), *buffers(model)])
    model(np.ones((4, 3), np.float32))
    assert [box.shape for box in (*params(model[0]), *buffers(model))] == [(3,)] * 4


@pytest.mark.parametrize("engine", ["tape", "functional", "torch", "autograd", "jax"])
def test_the_first_step_takes_the_channels_and_counts_once(engine):
    model = Chain(BatchNorm(**DOUBLE), Dense(1, **DOUBLE))
    given = optshare.registry.load(engine).ops.asarray(drawn(5, 3))
    with optshare.use(engine):
        optshare.to(model, engine)
        optshare.SGD(model, lr=0.1).step(lambda x: optshare.ops.mean(model(x) ** 2), given)
    wanted = torch.nn.BatchNorm1d(3).double()
    wanted(torch.tensor(drawn(5, 3)))
    assert_same_statistics(model[0], wanted)


@pytest.mark.parametrize("engine", ["tape", "functional", "torch", "autograd", "jax"])
def test_the_channels_may_be_taken_inside_a_differentiation_for_the_input(engine):
    layer, asarray = BatchNorm(**DOUBLE), optshare.registry.load(engine).ops.asarray
    optshare.to(layer, engine)
    with optshare.use(engine):
        optshare.gradient(lambda x: optshare.ops.sum(layer(x) ** 3), asarray(drawn(5, 3)))
    wanted = torch.nn.BatchNorm1d(3).double()
    wanted(torch.tensor(drawn(5, 3)))
    assert_same_statistics(layer, wanted)
    assert layer.weight.shape == (3,)


@pytest.mark.parametrize("name", ["weight", "bias", "mean"])
def test_a_value_given_before_the_first_input_tells_the_channels_too(name, backend):
    layer = BatchNorm(**DOUBLE)
    getattr(layer, name).value = np.array([1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="with 3 channels"):
        layer(np.ones((4, 2)))
    assert layer(np.ones((4, 3))).shape == (4, 3)
    assert [box.shape for box in (*params(layer), *buffers(layer))] == [(3,)] * 4
    assert getattr(layer, name).value.tolist() == [1.0, 2.0, 3.0]


def test_no_gradient_flows_through_the_running_statistics(backend):
    layer, x = BatchNorm(momentum=0.5, **DOUBLE), drawn(4, 3)

    def loss(x, y):
        layer(x)
        with optshare.testmode(layer):
            return layer(y).sum()

    g = optshare.gradient(loss, x, drawn(2, 3))
    assert g[0] is None or not np.any(g[0])
    assert np.all(g[1] != 0)


def test_single_precision_stays(backend):
    layer, x = BatchNorm(3), np.ones((4, 3), np.float32)
    seen = []
    optshare.gradient(lambda x: seen.append(layer(x)) or seen[0].sum(), x)
    assert seen[0].dtype == layer(x).dtype == np.float32
    assert layer.mean.dtype == layer.var.dtype == layer.weight.dtype == np.float32


def test_a_wider_input_leaves_the_statistics_in_their_dtype(backend):
    layer = BatchNorm(3)
    optshare.gradient(lambda x: layer(x).sum(), drawn(4, 3))
    assert layer.mean.value.dtype == np.float32
    np.testing.assert_allclose(layer.mean.value, 0.1 * drawn(4, 3).mean(0), rtol=1e-6)


def test_the_activation_comes_last(backend):
    layer = BatchNorm(2, optshare.relu, **DOUBLE)
    assert layer(np.array([[-1.0, 0.0]])).tolist() == [[0.0, 0.0]]


def test_it_is_shown_and_compared_by_what_it_was_made_with():
    assert repr(BatchNorm()) == "BatchNorm()"
    assert (
        repr(BatchNorm(3, optshare.relu, affine=False, momentum=0.5))
        == "BatchNorm(3, relu, momentum=0.5, affine=False)"
    )
    assert repr(InstanceNorm(3, track=True)) == "InstanceNorm(3, track=True)"
    assert BatchNorm(3) == BatchNorm(3)
    assert BatchNorm(3) != BatchNorm(3, eps=1e-3)
    assert BatchNorm(3) != InstanceNorm(3)


def test_a_copy_has_its_own_statistics(backend):
    layer = BatchNorm(3, **DOUBLE)
    twin = copy.deepcopy(layer)
    optshare.gradient(lambda x: layer(x).sum(), drawn(4, 3))
    assert twin.mean.value.tolist() == [0.0] * 3
    assert layer.mean.value.tolist() != [0.0] * 3


def test_a_frozen_layer_keeps_its_parameters_and_still_counts(backend):
    model = Chain(BatchNorm(3, **DOUBLE), Dense(3, 1, **DOUBLE))
    optshare.freeze(model[0])
    optshare.SGD(model, lr=0.1).step(lambda x: optshare.ops.mean(model(x) ** 2), drawn(4, 3))
    assert model[0].weight.value.tolist() == [1.0] * 3
    assert model[0].mean.value.tolist() != [0.0] * 3


def test_a_step_whose_loss_is_not_finite_leaves_the_statistics(backend, unchanged):
    model = Chain(BatchNorm(3, **DOUBLE), Dense(3, 1, **DOUBLE))
    opt = optshare.SGD(model, lr=0.1)
    with unchanged(model, opt), pytest.raises(optshare.OptshareError, match="is inf"):
        opt.step(lambda x: model(x).sum() + np.inf, drawn(4, 3))


@pytest.mark.parametrize("kind", [BatchNorm, InstanceNorm])
@pytest.mark.parametrize("track", [True, False])
def test_derivatives_pass_gradcheck(kind, track):
    layer = kind(2, affine=True, track=track, **DOUBLE)
    with optshare.trainmode(layer):
        optshare.gradcheck(lambda x: (layer(x) ** 3).sum(), drawn(3, 2, 4))
