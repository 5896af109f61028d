"""Convolutions and pools on torch tensors: the numbers of the other engines."""

import numpy as np
import pytest
import torch

import optshare_functional
from optshare import ops, registry
from optshare.errors import DataError
from optshare_arrays import ops as arrays

CASES = {  # function, arrays' shapes, options
    "conv": ("conv", ((2, 4, 6, 5), (6, 2, 3, 2)), {"stride": 2, "padding": (1, 0), "groups": 2}),
    "line": ("conv", ((2, 2, 7), (3, 2, 2)), {"dilation": 2}),
    "volume": ("conv", ((1, 2, 3, 4, 3), (2, 2, 2, 2, 2)), {}),
    "uneven_padding": ("conv", ((2, 2, 4, 3), (3, 2, 2, 3)), {"padding": ((0, 2), (1, 0))}),
    "empty_batch": ("conv", ((0, 2, 4), (3, 2, 3)), {}),
    "conv_transpose": (
        "conv_transpose",
        ((2, 4, 3, 2), (4, 3, 3, 2)),
        {"stride": 3, "padding": 1, "output_padding": (1, 2), "dilation": 2, "groups": 2},
    ),
    "uneven_transpose": (
        "conv_transpose",
        ((2, 2, 3), (2, 3, 3)),
        {"stride": 2, "padding": ((2, 0),), "output_padding": 1},
    ),
    "max_pool": ("max_pool", ((2, 2, 5, 6),), {"window": 3, "stride": 2, "padding": 1}),
    "mean_pool": ("mean_pool", ((2, 2, 5, 6),), {"window": (3, 2), "stride": 2, "padding": (1, 0)}),
    "uneven_mean_pool": ("mean_pool", ((2, 2, 5),), {"window": 3, "padding": ((0, 1),)}),
    "mean_pool_of_volumes": ("mean_pool", ((2, 2, 4, 4, 2),), {"window": 2}),
}


def drawn(shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


def given(owner, name, options):
    """A function of its arrays alone."""
    options = dict(options)
    window = [options.pop("window")] if "window" in options else []
    return lambda *xs: getattr(owner.nn, name)(*xs, *window, **options)


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_of_both_orders_are_those_of_the_arrays(case):
    name, shapes, options = CASES[case]
    mine, f = drawn(shapes), given(arrays, name, options)
    theirs = [torch.from_numpy(each).requires_grad_() for each in mine]
    y = given(ops, name, options)(*theirs)
    np.testing.assert_allclose(y.detach(), f(*mine), rtol=1e-12, atol=1e-13)

    def slopes(*xs):
        return optshare_functional.gradient(lambda *zs: arrays.sum(f(*zs) ** 2), *xs)

    found = torch.autograd.grad((y**2).sum(), theirs, create_graph=True)
    for got, want in zip(found, slopes(*mine), strict=True):
        np.testing.assert_allclose(got.detach(), want, rtol=1e-12, atol=1e-12)
    again = torch.autograd.grad(
        sum((each**2).sum() for each in found), theirs, materialize_grads=True
    )
    wanted = optshare_functional.gradient(
        lambda *xs: sum(arrays.sum(each**2) for each in slopes(*xs)), *mine
    )
    for got, want in zip(again, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-10)


def test_elements_that_tie_for_a_maximum_share_its_gradient():
    x = torch.ones((1, 1, 4), dtype=torch.float64, requires_grad=True)
    ops.nn.max_pool(x, 2).sum().backward()
    assert x.grad.tolist() == [[[0.5, 0.5, 0.5, 0.5]]]


def test_an_array_of_numpy_beside_a_tensor_and_another_dtype_are_taken():
    x, w = drawn(((2, 3, 5), (4, 3, 2)))
    mine = registry.load("torch").ops.nn
    found = mine.conv(x.astype(np.float32), torch.from_numpy(w))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found, arrays.nn.conv(x.astype(np.float32), w), rtol=1e-12)


@pytest.mark.parametrize("name", ["conv", "conv_transpose", "mean_pool", "max_pool"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_dtype_is_kept(name, dtype):
    x, w = torch.ones((1, 2, 4), dtype=dtype), torch.ones((2, 2, 2), dtype=dtype)
    assert getattr(ops.nn, name)(x, w if name.startswith("conv") else 2).dtype == dtype


def test_what_does_not_fit_is_refused_in_the_same_words():
    with pytest.raises(DataError, match="conv: x has 3 channels, but weight takes 2"):
        ops.nn.conv(torch.ones((2, 3, 5)), torch.ones((4, 2, 3)))
