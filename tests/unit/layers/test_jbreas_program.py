"""jbrea's program of April 2018, which asked for layers without methods written twice."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import optshare
from optshare import (
    Adam,
    Chain,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    Model,
    accuracy,
    functional_call,
    minibatch,
    mnist,
    nll,
    optimizers,
    relu,
    update,
    write_idx,
)
from optshare_functional import grad


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Digits as IDX files of 28x28 images, as MNIST's are."""
    digits = load_digits()
    images = np.kron(digits.images, np.ones((3, 3))) * (255 / 16)
    images = np.pad(images, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    place = tmp_path_factory.mktemp("mnist")
    for name, part in (("train", slice(0, 400)), ("t10k", slice(400, 500))):
        write_idx(place / f"{name}-images-idx3-ubyte.gz", images[part])
        write_idx(place / f"{name}-labels-idx1-ubyte", digits.target[part].astype(np.uint8))
    return place


def loss(w, c, x, y):
    return nll(functional_call(c, w, x), y)


gradfun = grad(loss)


def trainepoch(model, data, gradfun, opt):
    for x, y in data:
        update(model.w, gradfun(model.w, model.chain, x, y), opt)


def test_jbreas_program(folder):
    xtrn, ytrn, xtst, ytst = mnist(folder)
    assert xtrn.shape == (400, 1, 28, 28)
    dtrn = minibatch(xtrn, ytrn, 25)
    dtst = minibatch(xtst, ytst, 50)
    model = Model(
        Chain(
            Conv((5, 5), 1, 20, relu),
            MaxPool(),
            Conv((5, 5), 20, 50, relu),
            MaxPool(),
            Flatten(),
            Dense(800, 500, relu),
            Dense(500, 10),
        )
    )
    assert [len(each) for each in model.w] == [2, 0, 2, 0, 0, 2, 2]
    opt = optimizers(model, Adam)
    before = accuracy(model, dtst)
    for _ in range(3):
        trainepoch(model, dtrn, gradfun, opt)
    assert before < 0.3
    assert accuracy(model, dtst) > 0.75
    assert opt.steps == 48


def test_the_same_program_without_methods_for_weights_trains_alike(folder):
    """`opt.step` of the model itself gives the numbers of the weightless style."""
    xtrn, ytrn, *_ = mnist(folder)
    chains = []
    for style in ("weights", "model"):
        optshare.seed(1)
        model = Model(Chain(Conv((5, 5), 4, relu), MaxPool(), Flatten(), Dense(10)))
        opt = optimizers(model, Adam)
        if style == "weights":
            optshare.build(model.chain, (1, 1, 28, 28))
        for x, y in minibatch(xtrn[:100], ytrn[:100], 25):
            if style == "weights":
                update(model.w, gradfun(model.w, model.chain, x, y), opt)
            else:
                with optshare.use("functional"):
                    opt.step(model, x, y)
        chains.append(model)
    for p, q in zip(*map(optshare.params, chains), strict=True):
        np.testing.assert_array_equal(p.value, q.value)
