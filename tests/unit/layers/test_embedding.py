import numpy as np
import pytest
import torch

import optshare
from optshare import Chain, Dense, Embedding
from optshare.errors import DataError
from tests.unit.closeness import assert_close
from tests.unit.layers.as_torch import drawn, host

DOUBLE = {"dtype": np.float64}


@pytest.mark.parametrize("engine", ["tape", "functional", "torch", "autograd", "jax"])
@pytest.mark.parametrize("indices", [[[1, 4, 1], [0, 1, 2]], 3, [], [4, 4, 4]])
def test_values_and_gradients_are_torchs(indices, engine):
    layer = Embedding(5, 3, **DOUBLE)
    host_indices = np.array(indices, np.int64)
    weight = torch.tensor(layer.weight.value, requires_grad=True)
    out = torch.nn.functional.embedding(torch.tensor(host_indices), weight)
    weigh = drawn(*host_indices.shape, 3)
    (out * torch.tensor(weigh)).sum().backward()

    optshare.to(layer, engine)
    asarray = optshare.registry.load(engine).ops.asarray
    given, factor = asarray(host_indices), asarray(weigh)
    with optshare.use(engine):
        assert_close(host(layer(given)), host(out))
        g = optshare.gradient(lambda: (layer(given) * factor).sum(), wrt=layer)
    assert_close(host(g[layer.weight]), host(weight.grad))


@pytest.mark.parametrize("engine", ["tape", "functional", "torch", "autograd", "jax"])
@pytest.mark.parametrize(("index", "wrong"), [([1, 5], 5), ([-1, 2], -1), ([[7], [-3]], -3)])
def test_an_index_out_of_range_is_named(index, wrong, engine):
    layer = optshare.to(Embedding(5, 3), engine)
    given = optshare.registry.load(engine).ops.asarray(np.array(index))
    message = rf"Embedding\(5, 3\) needs indices from 0 to 4, not {wrong}"
    with optshare.use(engine):
        with pytest.raises(DataError, match=message):
            layer(given)
        with pytest.raises(DataError, match=message):
            optshare.gradient(lambda: layer(given).sum(), wrt=layer)


def test_in_a_chain_the_error_has_the_place(backend):
    with pytest.raises(DataError, match=r"layers\.0: Embedding\(5, 3\) needs indices"):
        Chain(Embedding(5, 3), Dense(2))(np.array([5]))


def test_what_jax_compiles_gives_nan_out_of_range_and_no_gradient_there():
    import optshare_jax

    layer = optshare.to(Embedding(5, 3), "jax")
    indices = optshare.registry.load("jax").ops.asarray(np.array([1, 5]))
    found = host(optshare_jax.jit(layer)(indices))
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize(
    ("indices", "what"),
    [
        (np.array([1.0]), "an array of float64"),
        (np.array([True]), "an array of bool"),
        ([1, 2], r"\[1, 2\]"),
        (2, "2"),
    ],
)
def test_what_is_no_array_of_integers_is_refused(indices, what, backend):
    with pytest.raises(
        DataError, match=rf"Embedding\(5, 3\) needs an array of integers, not {what}"
    ):
        Embedding(5, 3)(indices)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_integers_of_any_width_are_indices(dtype, backend):
    layer = Embedding(5, 3)
    assert_close(layer(np.array([4, 0], dtype)), layer.weight.value[[4, 0]])


def test_the_weight_is_normal_in_single_precision():
    weight = Embedding(200, 50, rng=np.random.default_rng(0)).weight.value
    assert weight.dtype == np.float32
    # of 10000 draws, the mean has the standard deviation 1/100, the variance sqrt(2)/100
    assert abs(weight.mean()) < 0.05
    assert abs(weight.var() - 1) < 0.07


def test_dense_may_be_tied_to_it_and_both_add_to_its_gradient(backend):
    words = Embedding(5, 3, **DOUBLE)
    model = Chain(words, Dense(tie=words, bias=False))
    assert optshare.params(model) == [words.weight]
    indices = np.array([1, 4])
    weight = torch.tensor(words.weight.value, requires_grad=True)
    (
        torch.nn.functional.embedding(torch.tensor(indices), weight) @ weight.T
    ).square().sum().backward()
    g = optshare.gradient(lambda: (model(indices) ** 2).sum(), wrt=model)
    assert model(indices).shape == (2, 5)
    assert_close(g[words.weight], host(weight.grad))


def test_sizes_that_are_none_are_refused():
    with pytest.raises(DataError, match="vocabulary must be a whole number"):
        Embedding(0, 3)
    with pytest.raises(DataError, match=r"features must be a whole number, at least 1, not 2\.5"):
        Embedding(3, 2.5)


def test_it_is_shown_and_compared_by_its_sizes():
    assert repr(Embedding(5, 3)) == "Embedding(5, 3)"
    assert Embedding(5, 3) == Embedding(5, 3) != Embedding(5, 4)


def test_another_initialiser_draws_the_weight():
    layer = Embedding(2, 3, init=lambda shape, dtype, rng: np.full(shape, 7, dtype))
    assert layer.weight.value.tolist() == [[7.0] * 3] * 2


def test_derivatives_pass_gradcheck():
    layer, indices = Embedding(4, 2, **DOUBLE), np.array([0, 3, 3])
    optshare.gradcheck(lambda x: (layer(indices) ** 2 * x).sum(), drawn(3, 2))
