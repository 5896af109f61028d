"""Arrays whose elements come to lie in another order than those that a batch was made of."""

import numpy as np
import pytest
import torch

import optshare
from optshare import Parameter
from tests.unit.batches.one_by_one import (
    RUNNERS,
    assert_same_bits,
    batches_of,
    counted,
    picture,
)

SHAPES = [(200, 200), (3, 4), (4, 3), (2, 3, 4)]
"""The first is large enough to be updated by itself in NumPy."""
every_runner = pytest.mark.parametrize("runner", RUNNERS)


def spaced(array):
    """The same numbers, with gaps between them."""
    return np.repeat(array, 2, axis=-1)[..., ::2]


def reversed_axes(array):
    """The same numbers in the order of Fortran."""
    return np.asfortranarray(array)


def tensor(array):
    return torch.nn.Parameter(torch.from_numpy(array))


def arrays(seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in SHAPES]


def trained(runner, kinds, laid, change=lambda parameters: None):
    """The picture after 5 steps, with gradients laid out at steps 2 and 3; sizes of batches."""
    parameters = [kinds(each) for each in arrays(0)]
    opt = optshare.Adam(parameters, lr=0.1)
    with batches_of(runner), counted() as sizes:
        for step in range(5):
            given = [laid(each) if step in (2, 3) else each for each in arrays(step + 1)]
            if step == 2:
                change(parameters)
            opt.update(given if kinds is Parameter else list(map(torch.from_numpy, given)))
    return picture(opt, parameters), sizes


def assert_as_one_by_one(runner, *how):
    found, sizes = trained(runner, *how)
    assert sizes[0] == len(SHAPES)
    assert_same_bits(found, trained(None, *how)[0])


@pytest.mark.parametrize("laid", [spaced, reversed_axes])
@pytest.mark.parametrize("kinds", [Parameter, tensor])
@every_runner
def test_gradients_in_another_order_than_the_first_belong_to_their_elements(runner, kinds, laid):
    assert_as_one_by_one(runner, kinds, laid)


@pytest.mark.parametrize("laid", [spaced, reversed_axes])
@every_runner
def test_values_in_another_order_than_the_first_belong_to_their_elements(runner, laid):
    def change(parameters):
        for each in parameters:
            each.stored = laid(each.stored)

    assert_as_one_by_one(runner, Parameter, np.copy, change)


@every_runner
def test_a_tensor_that_is_given_its_transpose_is_read_by_its_strides(runner):
    def change(parameters):
        parameters[0].data = parameters[0].data.t()  # of the same address and shape

    assert_as_one_by_one(runner, tensor, np.copy, change)


@every_runner
def test_a_gradient_that_is_transposed_in_place_is_read_by_its_strides(runner):
    def trained(runner):
        w = torch.nn.Parameter(torch.ones(200, 200))
        opt = optshare.Adam([w], lr=0.1)
        gradient = torch.arange(40_000.0).reshape(200, 200)
        with batches_of(runner):
            for step in range(4):
                if step == 3:
                    gradient.t_()
                opt.update([gradient])
        return picture(opt, [w])

    assert_same_bits(trained(runner), trained(None))
