"""Layers, losses and `ops` find the functions of arrays without numbers by themselves."""

import tracemalloc

import numpy as np
import pytest

import optshare
from optshare import Chain, Dense, Dropout, Flatten, Parameter, dispatch, layers, registry
from optshare.errors import DataError, LabelError, MixedBackendsError
from optshare.overlay import Overlay
from optshare.parameter import is_array, is_floating
from optshare.shapes import Shaped, counted, ops
from tests.unit.shapes.agreement import bare, described

X = Shaped((5, 3), np.float32)


class Cell:
    """A loss of a user's own: a scan, a mask, an einsum, and a constant of NumPy's."""

    def __init__(self):
        self.weight = Parameter(np.ones((4, 4), np.float32))
        self.places = np.linspace(0, 1, 4, dtype=np.float32)

    def __call__(self, x):
        xp = optshare.namespace_of(x)
        seen = xp.where(x > 0, x, 0.0) + self.places
        last, all_of_them = xp.scan(lambda c, a: (c @ self.weight + a,) * 2, seen[0], seen)
        scores = xp.einsum("tbf,tbg->bfg", all_of_them, all_of_them) / np.sqrt(x.shape[0])
        return xp.nn.softmax(scores, axis=-1) @ optshare.ops.expand_dims(last, axis=-1)


MODELS = {
    "Dense": (lambda: Dense(3, 2), (5, 3)),
    "Chain": (lambda: Chain(Dense(3, 8, optshare.gelu), Dense(8, 2, optshare.softmax)), (5, 3)),
    "Flatten": (lambda: Chain(Flatten(), Dense(12, 2, bias=False)), (5, 3, 4)),
    "Dropout": (lambda: Chain(Dense(3, 3, optshare.relu), Dropout(0.5)), (5, 3)),
    "NumPy's": (lambda: Chain(Dense(3, 3, np.tanh), lambda x: np.mean(x, axis=1)), (5, 3)),
    "its own": (Cell, (7, 5, 4)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("weights", ["numbers", "shapes"])
@pytest.mark.parametrize("recording", [True, False])
def test_a_model_is_called_without_computing(name, weights, recording):
    make, shape = MODELS[name]
    model = make()
    x = np.ones(shape, np.float32)
    held = optshare.params(model)
    with Overlay() as here:
        here.recording = recording
        if weights == "shapes":
            here.bind(held, [bare(each.stored) for each in held])
        found = model(bare(x))
        here.collected()
    assert type(found) is Shaped
    assert described(found) == described(model(x))


ACTIVATIONS = [each for each in layers.__all__ if getattr(layers.activations, each, None)]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_of_the_layers_keeps_the_shape(name):
    assert described(getattr(layers, name)(X)) == ((5, 3), "float32")


def test_an_input_that_does_not_fit_raises_as_on_numbers():
    with pytest.raises(DataError, match="needs an array whose last axis has 4 elements"):
        Dense(4, 2)(X)


@pytest.mark.parametrize("labels", [np.zeros(5, int), Shaped((5,), "int64")])
def test_losses_have_a_shape(labels):
    assert described(optshare.nll(X, labels)) == ((), "float32")
    assert described(optshare.mse(X, X)) == ((), "float32")
    losses = optshare.crossentropy(X, labels, label_smoothing=0.1, reduction="none")
    assert described(losses) == ((5,), "float32")


def test_known_labels_are_still_checked():
    with pytest.raises(LabelError, match="label 3 is not one of 3 classes"):
        optshare.nll(X, np.full(5, 3))


# -- how they are found -----------------------------------------------------------------------


def test_the_namespace_is_that_which_the_class_carries():
    constant = np.ones(3, np.float32)
    for arrays in ((X,), (X, constant), (constant, X), (X, 2.0), ([constant, X],)):
        assert optshare.namespace_of(*arrays) is ops
    assert described(optshare.ops.exp(X)) == ((5, 3), "float32")
    assert described(optshare.ops.concat([constant[None], X])) == ((6, 3), "float32")
    assert described(optshare.ops.clip(constant, min=X)) == ((5, 3), "float32")
    assert described(optshare.ops.nn.relu(X)) == ((5, 3), "float32")


def test_hot_paths_do_not_learn_the_class():
    optshare.namespace_of(X)
    optshare.namespace_of(X, np.ones(3))
    assert registry.sole(Shaped) is None
    assert not any(Shaped in kinds for kinds in dispatch._KNOWN)
    assert registry.claimants(Shaped) == ()


def test_any_class_may_carry_a_namespace():
    class Mine:
        shape, dtype = (2,), np.dtype("float32")
        optshare_ops = ops

    assert optshare.namespace_of(Mine()) is ops
    assert described(optshare.ops.exp(Mine())) == ((2,), "float32")


def test_without_one_the_error_is_that_of_the_door(monkeypatch):
    class Theirs:
        shape, dtype = (2,), np.dtype("float32")

    for arrays in ((Theirs(),), (Theirs(), np.ones(2))):
        with pytest.raises((MixedBackendsError, TypeError), match="Theirs"):
            optshare.namespace_of(*arrays)
        with pytest.raises((MixedBackendsError, TypeError), match="Theirs"):
            optshare.ops.add(*arrays, 1.0)


def test_it_is_an_array_and_may_be_floating():
    assert is_array(X)
    assert is_floating(X)
    assert not is_floating(X > 0)


# -- memory -----------------------------------------------------------------------------------


def huge(x):
    """Functions of all kinds, of an array that no memory holds."""
    n = x.shape[0]
    y = ops.nn.softmax(ops.exp(x - ops.max(x, axis=1, keepdims=True)) * 2.0, axis=0)
    y = ops.einsum("ij,jk,kl->il", y, y.T, y) @ y
    y = ops.concat([y, ops.flip(y, axis=0)], axis=1)[:, ::2]
    y = ops.where(y > 0, ops.roll(y, 1), ops.cumulative_sum(y, axis=0)) + ops.var(y, axis=0)
    y = ops.take(ops.pad(y, 1), np.array([1, 2]), axis=0)
    y = y + ops.tile(ops.repeat(y, 2, axis=1), (1, 3))[:, : n + 2]
    y = ops.reshape(y, (-1, 1)) * ops.arange(10**11)
    image = Shaped((10**3, 3, 10**5, 10**5), "f4")
    image = ops.nn.conv(image, Shaped((10**3, 3, 1001, 1001), "f4"), stride=3, padding=500)
    image = ops.nn.max_pool(ops.nn.gelu(image), 7)
    _, image = ops.scan(lambda c, a: (c * a, c), image[0], image)
    hs, *_ = ops.nn.lstm(
        Shaped((10**6, 10**5, 10**4), "f4"),
        *[Shaped((10**6, 10**5), "f4")] * 2,
        *(Shaped(shape, "f4") for shape in ((10**4, 4 * 10**5), (10**5, 4 * 10**5), 4 * 10**5)),
    )
    return y, image, hs


def test_a_huge_network_takes_no_memory():
    x = Shaped((10**6, 10**6), np.float64)
    huge(x)  # what is made once, such as caches
    tracemalloc.start()
    with counted() as count:
        y, image, hs = huge(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert y.shape == (2 * (10**6 + 2), 10**11)
    assert image.shape == (10**3, 10**3, 4762, 4762)
    assert hs.shape == (10**6, 10**5, 10**5)
    assert count.flops > 10**22
    assert peak < 64 * 1024
