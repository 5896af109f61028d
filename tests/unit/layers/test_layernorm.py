"""LayerNorm, RMSNorm and GroupNorm: the same in training and in prediction."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare import Chain, Dense, GroupNorm, LayerNorm, RMSNorm, params
from optshare.errors import DataError, HyperparameterError
from tests.unit.layers.as_torch import assert_trains_as, drawn, host

DOUBLE = {"dtype": np.float64}
SLOW_JAX = pytest.param("jax", marks=pytest.mark.slow)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (1, 4), (0, 4), (2, 3, 4)])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("ours", [LayerNorm, RMSNorm])
def test_over_the_last_axis_they_are_torchs(ours, shape, affine, backend):
    theirs = getattr(torch.nn, ours.__name__)(4, elementwise_affine=affine)
    assert_trains_as(ours(4, affine=affine, **DOUBLE), theirs, drawn(*shape), engine=backend)
    assert_trains_as(ours(affine=affine, **DOUBLE), theirs, drawn(*shape), engine=backend)


@pytest.mark.parametrize("ours", [LayerNorm, RMSNorm])
@pytest.mark.parametrize("sizes", [(3, 4), ((3, 4),), ([3, 4],)])
def test_over_several_axes_they_are_torchs(ours, sizes, backend):
    theirs = getattr(torch.nn, ours.__name__)((3, 4), eps=1e-3)
    layer = ours(*sizes, eps=1e-3, **DOUBLE)
    assert layer.weight.shape == (3, 4)
    assert_trains_as(layer, theirs, drawn(5, 3, 4), engine=backend)


@pytest.mark.parametrize("shape", [(2, 6), (1, 6), (2, 6, 5), (3, 6, 2, 3), (0, 6, 2)])
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("affine", [True, False])
def test_groupnorm_is_torchs(shape, groups, affine, backend):
    theirs = torch.nn.GroupNorm(groups, 6, affine=affine)
    layer = GroupNorm(groups, affine=affine, **DOUBLE)
    assert_trains_as(layer, theirs, drawn(*shape), engine=backend)


@pytest.mark.parametrize("engine", ["torch", "autograd", SLOW_JAX])
def test_the_other_engines_agree_too(engine):
    x = drawn(2, 3, 4)
    assert_trains_as(LayerNorm(3, 4, **DOUBLE), torch.nn.LayerNorm((3, 4)), x, engine=engine)
    assert_trains_as(RMSNorm(4, **DOUBLE), torch.nn.RMSNorm(4), x, engine=engine)
    assert_trains_as(GroupNorm(3, **DOUBLE), torch.nn.GroupNorm(3, 3), x, engine=engine)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.data())
def test_drawn_shapes_and_eps(shape, data):
    last = shape[-data.draw(st.integers(1, len(shape))) :]
    eps = data.draw(st.floats(1e-3, 1.0))
    x = drawn(*shape)
    assert_trains_as(LayerNorm(last, eps=eps, **DOUBLE), torch.nn.LayerNorm(last, eps), x)
    assert_trains_as(RMSNorm(last, eps=eps, **DOUBLE), torch.nn.RMSNorm(last, eps), x)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_default_eps_of_rmsnorm_is_torchs(dtype):
    x = torch.full((1, 2), 2.0**-12, dtype=getattr(torch, dtype))
    layer = optshare.to(RMSNorm(2), "torch", dtype=dtype)
    wanted = torch.nn.functional.rms_norm(x, (2,))
    assert 0.5 < float(wanted[0, 0]) < 1.0 or dtype == "float64"
    torch.testing.assert_close(layer(x), wanted, rtol=2 * torch.finfo(x.dtype).eps, atol=0)


@pytest.mark.parametrize(
    ("layer", "x", "essence"),
    [
        (LayerNorm(3), np.ones((4, 2)), r"LayerNorm\(3\) needs .*last axes have \(3,\)"),
        (LayerNorm(3), np.ones(()), "last axes have"),
        (LayerNorm(4, 3), np.ones((3, 4)), r"LayerNorm\(4, 3\) needs"),
        (LayerNorm(4, 3), np.ones(3), r"last axes have \(4, 3\)"),
        (LayerNorm(), np.ones((4, 0)), "last axis is not empty"),
        (LayerNorm(), np.ones(()), "last axis is not empty"),
        (LayerNorm(affine=False), np.ones((2, 3), int), "floating numbers, not an array of int"),
        (RMSNorm(3), np.ones((2, 3), int), "floating numbers"),
        (RMSNorm(3), "text", "floating numbers, not a str"),
        (GroupNorm(2, 4), np.ones((1, 6)), r"GroupNorm\(2, 4\) needs .* with 4 channels"),
        (GroupNorm(2), np.ones((1, 3)), "2 groups do not divide 3 channels"),
        (GroupNorm(2), np.ones((1, 4, 0)), "at least one element in each group"),
        (GroupNorm(2), np.ones(4), "with some channels"),
    ],
)
def test_what_does_not_fit_is_refused(layer, x, essence, backend):
    before = [p.built for p in params(layer)]
    with pytest.raises(DataError, match=essence):
        layer(x)
    assert [p.built for p in params(layer)] == before


@pytest.mark.parametrize(
    ("make", "essence"),
    [
        (lambda: LayerNorm(0), "LayerNorm: size must be a whole number"),
        (lambda: LayerNorm((3, -1)), "size must be a whole number, at least 1, not -1"),
        (lambda: RMSNorm(2.5), "RMSNorm: size must be"),
        (lambda: GroupNorm(0), "groups must be a whole number"),
        (lambda: GroupNorm(2, 3), r"GroupNorm\(2, 3\): 2 groups do not divide 3 channels"),
        (lambda: LayerNorm(eps=-1.0), "LayerNorm: eps must be"),
        (lambda: RMSNorm(eps=np.nan), "RMSNorm: eps must be"),
    ],
)
def test_sizes_and_eps_out_of_range_are_refused(make, essence):
    with pytest.raises((DataError, HyperparameterError), match=essence):
        make()


def test_groupnorm_wants_its_groups():
    with pytest.raises(TypeError, match="GroupNorm takes groups, channels, not 0 sizes"):
        GroupNorm()


@pytest.mark.parametrize("layer", [LayerNorm(), RMSNorm(), GroupNorm(1)], ids=repr)
def test_sizes_come_with_the_first_step_and_single_precision_stays(layer, backend):
    model = Chain(Dense(3), layer, Dense(1))
    opt = optshare.SGD(model, lr=0.1)
    loss = opt.step(lambda x: optshare.ops.mean(model(x) ** 2), np.ones((4, 2), np.float32))
    assert loss.dtype == np.float32
    assert layer.weight.shape == (3,)
    assert layer.weight.dtype == np.float32
    assert np.any(layer.weight.value != 1)


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_value_given_before_the_first_input_tells_the_size_too(name, backend):
    layer = LayerNorm(**DOUBLE)
    getattr(layer, name).value = [1.0, 2.0, 3.0]
    with pytest.raises(DataError, match=r"last axes have \(3,\)"):
        layer(np.ones((4, 2)))
    assert layer(np.ones((4, 3))).shape == (4, 3)
    assert layer.weight.shape == layer.bias.shape == (3,)


def test_the_activation_comes_last(backend):
    x = np.array([[-1.0, 1.0]])
    for layer in LayerNorm(optshare.relu), RMSNorm(2, optshare.relu), GroupNorm(1, optshare.relu):
        assert layer(x)[0, 0] == 0
        assert layer(x)[0, 1] > 0.99


def test_they_are_shown_and_compared_by_what_they_were_made_with():
    assert repr(LayerNorm()) == "LayerNorm()"
    assert repr(LayerNorm((3, 4), optshare.relu)) == "LayerNorm(3, 4, relu)"
    assert repr(RMSNorm(3, eps=1e-6)) == "RMSNorm(3, eps=1e-06)"
    assert repr(GroupNorm(2, 4, affine=False)) == "GroupNorm(2, 4, affine=False)"
    assert LayerNorm((3, 4)) == LayerNorm(3, 4)
    assert LayerNorm(3) != LayerNorm(3, affine=False)
    assert GroupNorm(2, 4) != GroupNorm(4, 4)


@pytest.mark.parametrize("layer", [LayerNorm(2, 2, **DOUBLE), RMSNorm(**DOUBLE)], ids=repr)
def test_derivatives_pass_gradcheck(layer):
    optshare.gradcheck(lambda x: (layer(x) ** 3).sum(), drawn(3, 2, 2))


def test_derivatives_of_groupnorm_pass_gradcheck():
    layer = GroupNorm(2, **DOUBLE)
    optshare.gradcheck(lambda x: (layer(x) ** 3).sum(), drawn(2, 4, 2))


@pytest.mark.parametrize("engine", ["tape", "functional", "torch", "jax"])
@pytest.mark.parametrize("kind", ["BatchNorm", "GroupNorm", "LayerNorm", "RMSNorm"])
def test_half_precision_is_computed_in_single_precision(kind, engine):
    sizes = (2, 4) if kind == "GroupNorm" else (4,)
    x = (drawn(6, 4) * 50).astype(np.float16)  # whose squares overflow
    half, single = (getattr(optshare, kind)(*sizes, dtype=dtype) for dtype in "ef")
    with optshare.trainmode([half, single]):
        wanted = single(x.astype(np.float32))
        optshare.to(half, engine)
        given = optshare.registry.load(engine).ops.asarray(x)
        found = half(given)
    assert found.dtype == given.dtype
    assert np.array_equal(host(found), wanted.astype(np.float16))
    assert half(given).dtype == given.dtype
    g = optshare.gradient(lambda x: half(x).sum(), given, wrt=(0, half))
    assert g[0].dtype == g[half.weight].dtype == given.dtype


def test_half_precision_beside_parameters_of_single_precision_gives_single():
    x = drawn(6, 4).astype(np.float16)
    for layer in LayerNorm(4), RMSNorm(4), GroupNorm(2, 4), optshare.BatchNorm(4):
        assert layer(x).dtype == np.float32
    assert LayerNorm(affine=False)(x).dtype == np.float16


def test_complex_numbers_are_refused():
    for layer in LayerNorm(2), RMSNorm(), GroupNorm(1), optshare.BatchNorm(2):
        with pytest.raises(DataError, match="needs real numbers, not an array of complex128"):
            layer(np.ones((2, 2), complex))
    for kind in LayerNorm, RMSNorm, optshare.BatchNorm:
        with pytest.raises(DataError, match="dtype must be one of real floating numbers, not com"):
            kind(2, dtype="complex64")
