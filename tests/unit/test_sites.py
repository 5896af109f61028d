"""Where parameters stand, and which of their axes are inputs and which outputs."""

import numpy as np
import pytest

import optshare
from optshare import Parameter
from optshare.orientation import NO_MATRIX, Site, first_in, first_out
from optshare.rules import AdamW, Muon
from optshare.sites import sites
from optshare.testing.layer_cases import CASES
from optshare.tree import grouped, keyed

IN_OUT, OUT_IN = first_in(2), first_out(2)


def fans(model):
    return {site.path: site.fans for site in sites(model) if site.fans is not None}


def test_sites_come_in_the_order_of_definition():
    model = optshare.Chain(optshare.Dense(3, 2), optshare.Dense(2))
    assert sites(model) == [
        Site(0, "layers.0.weight", IN_OUT),
        Site(1, "layers.0.bias", None),
        Site(2, "layers.1.weight", IN_OUT),
        Site(3, "layers.1.bias", None),
    ]


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (lambda: optshare.Dense(3, 2), {"weight": IN_OUT}),
        (lambda: optshare.Bilinear(2, 3, 4), {"weight": ((1, 2), (0,))}),
        (lambda: optshare.Conv((5,), 3, 2), {"weight": ((1, 2), (0,))}),
        (lambda: optshare.Conv((5, 5), 3), {"weight": ((1, 2, 3), (0,))}),
        (lambda: optshare.DepthwiseConv((5, 5)), {"weight": ((1, 2, 3), (0,))}),
        (lambda: optshare.ConvTranspose((5, 5), 3), {"weight": ((0,), (1, 2, 3))}),
        (lambda: optshare.Embedding(5, 3), {"weight": NO_MATRIX}),
        (lambda: optshare.LearnedEncoding(5, 3), {"weight": NO_MATRIX}),
        (lambda: optshare.LayerNorm(3, 4), {"weight": NO_MATRIX, "bias": NO_MATRIX}),
        (lambda: optshare.RMSNorm(3, 4), {"weight": NO_MATRIX}),
        (lambda: optshare.BatchNorm(3), {}),
        (
            lambda: optshare.LSTM(3, 2),
            {"cells.0.input_weight": IN_OUT, "cells.0.hidden_weight": IN_OUT},
        ),
        (
            lambda: optshare.MultiHeadAttention(4, 2),
            {f"{name}.weight": IN_OUT for name in ("query", "key", "value", "out")},
        ),
    ],
)
def test_a_layer_tells_the_axes_of_its_weights(layer, wanted):
    model = layer()
    told = fans(model)
    shapes = dict(zip([s.path for s in sites(model)], optshare.params(model), strict=True))
    assert {path: each for path, each in told.items() if path in shapes} == wanted


@pytest.mark.parametrize("layer", ["Dense", "Conv", "ConvTranspose"])
def test_the_sizes_along_the_axes_are_those_of_the_layer(layer):
    sizes = {"Dense": (3, 2), "Conv": ((5,), 3, 2), "ConvTranspose": ((5,), 3, 2)}[layer]
    model = getattr(optshare, layer)(*sizes)
    ins, outs = fans(model)["weight"]
    assert model.weight.shape[ins[0]] == 3
    assert model.weight.shape[outs[0]] == 2


def test_a_matrix_that_is_an_embedding_too_is_none():
    embedding = optshare.Embedding(5, 3)
    for model in ([embedding, optshare.Dense(tie=embedding)],):
        assert fans(model)["0.weight"] == NO_MATRIX
        assert fans(model[::-1])["0.weight"] == NO_MATRIX


def test_of_two_tied_matrices_the_first_tells():
    dense = optshare.Dense(5, 3)
    back = optshare.Dense(tie=dense)
    assert fans([dense, back])["0.weight"] == IN_OUT
    assert fans([back, dense])["0.weight"] == OUT_IN


def test_a_class_of_your_own_tells_by_fans():
    class Mixing:
        def __init__(self):
            self.mix, self.scale = Parameter(np.ones((2, 3))), Parameter(np.ones(3))

        def __fans__(self):
            return {"mix": OUT_IN}

    assert fans({"a": [Mixing()]}) == {"a.0.mix": OUT_IN}


def test_plain_arrays_tell_nothing():
    assert [site.fans for site in sites([np.ones((2, 3)), np.ones(3)])] == [None, None]


def test_a_torch_module_tells_the_axes_of_its_weights():
    from torch import nn

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Parameter(nn.Linear(3, 2).weight.detach())
            self.stack = nn.Parameter(nn.Linear(3, 2).weight.detach()[None])

    model = nn.ModuleDict(
        {
            "linear": nn.Linear(3, 2),
            "conv": nn.Conv2d(3, 2, 5),
            "back": nn.ConvTranspose1d(3, 2, 5),
            "pairs": nn.Bilinear(2, 3, 4),
            "words": nn.Embedding(5, 3),
            "norm": nn.LayerNorm((3, 4)),
            "lstm": nn.LSTM(3, 2),
            "own": Own(),
        }
    )
    assert fans(model) == {
        "linear.weight": OUT_IN,
        "conv.weight": first_out(4),
        "back.weight": first_in(3),
        "pairs.weight": first_out(3),
        "words.weight": NO_MATRIX,
        "norm.weight": NO_MATRIX,
        "norm.bias": NO_MATRIX,
        "lstm.weight_ih_l0": OUT_IN,
        "lstm.weight_hh_l0": OUT_IN,
        "own.mix": OUT_IN,
    }
    assert fans({"net": [model]})["net.0.linear.weight"] == OUT_IN


def test_lone_matrices_of_torch_are_out_in():
    from torch import nn

    assert fans(list(nn.Linear(3, 2).parameters())) == {"0": OUT_IN}


def test_a_flax_module_tells_the_axes_of_its_weights():
    from flax import nnx

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(3, 2, rngs=rngs)
            self.conv = nnx.Conv(3, 2, (5, 5), rngs=rngs)
            self.back = nnx.ConvTranspose(3, 2, (5,), transpose_kernel=True, rngs=rngs)
            self.words = nnx.Embed(5, 3, rngs=rngs)
            self.norm = nnx.LayerNorm(3, rngs=rngs)
            self.heads = nnx.MultiHeadAttention(2, 4, decode=False, rngs=rngs)

    told = fans(Model(nnx.Rngs(0)))
    assert told.pop("linear.kernel") == IN_OUT
    assert told.pop("conv.kernel") == ((0, 1, 2), (3,))
    assert told.pop("back.kernel") == ((0, 2), (1,))
    assert told.pop("words.embedding") == NO_MATRIX
    assert told.pop("heads.query.kernel") == ((0,), (1, 2))
    assert told.pop("heads.out.kernel") == ((0, 1), (2,))
    assert {path for path, each in told.items() if each != NO_MATRIX} == {
        "heads.key.kernel",
        "heads.value.kernel",
    }


def test_an_equinox_module_tells_the_axes_of_its_weights():
    import equinox as eqx
    import jax

    class Model(eqx.Module):
        linear: eqx.nn.Linear
        conv: eqx.nn.Conv1d
        words: eqx.nn.Embedding
        cell: eqx.nn.GRUCell

    keys = jax.random.split(jax.random.key(0), 4)
    model = Model(
        eqx.nn.Linear(3, 2, key=keys[0]),
        eqx.nn.Conv1d(3, 2, 5, key=keys[1]),
        eqx.nn.Embedding(5, 3, key=keys[2]),
        eqx.nn.GRUCell(3, 2, key=keys[3]),
    )
    told = fans(model)
    matrices = {
        "linear.weight": OUT_IN,
        "conv.weight": first_out(3),
        "cell.weight_ih": OUT_IN,
        "cell.weight_hh": OUT_IN,
    }
    assert {path: each for path, each in told.items() if each != NO_MATRIX} == matrices
    assert told["words.weight"] == told["conv.bias"] == NO_MATRIX
    assert fans(model.linear)["weight"] == OUT_IN


def test_one_muon_gives_a_dense_layer_and_torchs_linear_transposed_values():
    from torch import nn

    dense, linear = optshare.Dense(7, 4, dtype=np.float64), nn.Linear(7, 4).double()
    weight = np.random.default_rng(0).normal(size=(7, 4))
    g = np.random.default_rng(1).normal(size=(7, 4))
    rule = Muon(lr=0.1, fallback=AdamW())
    found = []
    for model, value, gradient in ((dense, weight, g), (linear, weight.T, g.T)):
        for site, key in zip(sites(model), optshare.params(model), strict=True):
            own = rule.for_parameter(site, tuple(key.shape))
            if site.path == "bias":
                assert own is rule.fallback
                continue
            state = own.initial_state(np, value, site)
            _, step = own.array_step(np, value, gradient, state, 1)
            found.append(step)
    np.testing.assert_allclose(found[1].T, found[0], rtol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_every_bundled_layer_tells_of_what_has_two_axes_or_more(name):
    for site, key in zip(*_of_layer(CASES[name]), strict=True):
        assert site.fans is not None or len(key.shape) < 2, site.path


def _of_layer(case):
    layer = case.make()
    entries = grouped(keyed(layer)) if optshare.params(layer) else []
    return sites(layer, entries), [each.key for each in entries]
