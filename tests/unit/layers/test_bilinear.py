import numpy as np
import pytest
import torch

import optshare
from optshare import Bilinear, Chain, Dense, Parallel
from optshare.errors import DataError
from tests.unit.closeness import assert_close
from tests.unit.layers.as_torch import drawn, host

DOUBLE = {"dtype": np.float64}


@pytest.mark.parametrize("engine", ["tape", "functional", "torch", "autograd", "jax"])
@pytest.mark.parametrize("rows", [(5,), (), (2, 1, 3), (0,)])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_torchs(rows, bias, engine):
    if engine == "jax" and (rows, bias) != ((5,), True):
        return  # one is enough of what it compiles
    layer = Bilinear(3, 4, 2, bias=bias, **DOUBLE)
    module = torch.nn.Bilinear(3, 4, 2, bias=bias).double()
    with torch.no_grad():
        module.weight.copy_(torch.tensor(layer.weight.value))
        if bias:
            layer.bias.value = [0.5, -0.25]
            module.bias.copy_(torch.tensor([0.5, -0.25]))
    x, y, weigh = drawn(*rows, 3), drawn(*rows, 4, seed=1), drawn(*rows, 2, seed=2)
    tensors = [torch.tensor(each, requires_grad=True) for each in (x, y)]
    out = module(*tensors)
    (out * torch.tensor(weigh)).sum().backward()

    optshare.to(layer, engine)
    given = map(optshare.registry.load(engine).ops.asarray, (x, y, weigh))
    with optshare.use(engine):
        g = optshare.gradient(lambda x, y, w: (layer(x, y) * w).sum(), *given, wrt=(0, 1, 2, layer))
    for mine, theirs in zip(range(3), (*tensors, None), strict=True):
        assert_close(host(g[mine]), host(out if theirs is None else theirs.grad))
    assert_close(host(g[layer.weight]), host(module.weight.grad))
    if bias:
        assert_close(host(g[layer.bias]), host(module.bias.grad))


def test_the_sizes_of_both_inputs_come_with_the_first(backend):
    layer = Bilinear(2)
    assert layer(np.ones((5, 3), np.float32), np.ones((5, 4), np.float32)).shape == (5, 2)
    assert layer.weight.shape == (2, 3, 4)
    assert layer.weight.dtype == layer.bias.dtype == np.float32


def test_it_connects_two_branches(backend):
    model = Parallel(Bilinear(2), Dense(3), Chain(Dense(4), optshare.tanh))
    loss = optshare.SGD(model, lr=0.1).step(
        lambda x: optshare.ops.mean(model(x) ** 2), np.ones((5, 2), np.float32)
    )
    assert loss.dtype == np.float32
    assert model.connection.weight.shape == (2, 3, 4)
    assert len(optshare.params(model)) == 6


@pytest.mark.parametrize(
    ("x", "y", "essence"),
    [
        ((5, 2), (5, 4), r"Bilinear\(3, 4, 2\) needs .*last axis has 3 elements.*\(5, 2\)"),
        ((5, 3), (5, 3), r"last axis has 4 elements.*\(5, 3\)"),
        ((5, 3), (6, 4), r"a second input of shape \(5, 4\), not .*\(6, 4\)"),
        ((), (5, 4), "last axis has 3 elements"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(x, y, essence, backend):
    with pytest.raises(DataError, match=essence):
        Bilinear(3, 4, 2)(np.ones(x), np.ones(y))


def test_bad_inputs_leave_the_sizes_open(backend):
    layer = Bilinear(2)
    for x, y in ((5, 3), (6, 4)), ((5, 0), (5, 4)):
        with pytest.raises(DataError):
            layer(np.ones(x), np.ones(y))
    with pytest.raises(DataError, match="floating numbers"):
        layer(np.ones((5, 3)), np.ones((5, 4), int))
    assert not layer.weight.built


def test_sizes_that_are_none_are_refused():
    with pytest.raises(TypeError, match="not 2 sizes"):
        Bilinear(3, 4)
    with pytest.raises(DataError, match="in2 must be a whole number, at least 1, not 0"):
        Bilinear(3, 0, 2)


def test_it_is_shown_and_compared_by_what_it_was_made_with():
    assert repr(Bilinear(3, 4, 2, optshare.relu)) == "Bilinear(3, 4, 2, relu)"
    assert repr(Bilinear(2, bias=False)) == "Bilinear(2, bias=False)"
    assert Bilinear(2) == Bilinear(2) != Bilinear(3)


def test_the_activation_comes_last(backend):
    layer = Bilinear(1, 1, 1, optshare.relu, **DOUBLE)
    layer.weight.value = [[[-2.0]]]
    assert layer(np.ones((1, 1)), np.ones((1, 1))).tolist() == [[0.0]]


def test_derivatives_pass_gradcheck():
    layer = Bilinear(2, 3, 2, **DOUBLE)
    optshare.gradcheck(lambda x, y: (layer(x, y) ** 2).sum(), drawn(4, 2), drawn(4, 3, seed=1))
