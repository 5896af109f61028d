"""Recurrent networks on PyTorch: its own kernels where they are exact to the second order."""

import numpy as np
import pytest
import torch

import optshare
from optshare import registry
from optshare.extend import complete
from optshare_torch.functions import Functions, ops

composed = complete(Functions()).nn
TAPE = registry.load("tape").ops


def arrays(cell, dtype=np.float64):
    draw, wide = np.random.default_rng(0).normal, 8 if cell == "lstm" else 6
    states = [(3, 2)] * (2 if cell == "lstm" else 1)
    biases = [(wide,)] * (1 if cell == "lstm" else 2)
    shapes = [(3, 4, 5), *states, (5, wide), (2, wide), *biases]
    return [draw(size=shape).astype(dtype) for shape in shapes]


def loss_of(cell, namespace):
    return lambda *args: sum(
        namespace.sum(each * each) for each in getattr(namespace.nn, cell)(*args)
    )


def penalty(cell, namespace):
    """The squared norm of the gradient."""
    return lambda *args: sum(
        namespace.sum(each * each) for each in optshare.gradient(loss_of(cell, namespace), *args)
    )


every_cell = pytest.mark.parametrize("cell", ["lstm", "gru"])


@every_cell
@pytest.mark.parametrize("f", [loss_of, penalty])
def test_gradients_of_the_first_and_the_second_order_are_the_tapes(cell, f):
    args = arrays(cell)
    wanted = optshare.gradient(f(cell, TAPE), *args)
    found = optshare.gradient(f(cell, ops), *map(torch.tensor, args))
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-12, atol=1e-12)


@every_cell
def test_pytorchs_kernel_has_the_numbers_of_the_definition(cell):
    args = [torch.tensor(each) for each in arrays(cell)]
    pairs = zip(getattr(ops.nn, cell)(*args), getattr(composed, cell)(*args), strict=True)
    for kernel, definition in pairs:
        torch.testing.assert_close(kernel, definition, rtol=1e-13, atol=1e-14)


@every_cell
def test_a_dtype_without_a_kernel_and_a_mixture_take_the_definition(cell):
    half = [torch.tensor(each).bfloat16() for each in arrays(cell)]
    assert {each.dtype for each in getattr(ops.nn, cell)(*half)} == {torch.bfloat16}
    leaves = [each.requires_grad_() for each in half]
    found = torch.autograd.grad(
        sum(each.sum() for each in getattr(ops.nn, cell)(*leaves)), leaves, create_graph=True
    )
    twice = torch.autograd.grad(sum((each * each).sum() for each in found), leaves)
    assert {each.dtype for each in twice} == {torch.bfloat16}


@every_cell
def test_single_precision_can_be_differentiated_twice(cell):
    args = arrays(cell, np.float32)
    wanted = optshare.gradient(penalty(cell, TAPE), *(each.astype(np.float64) for each in args))
    found = optshare.gradient(penalty(cell, ops), *map(torch.tensor, args))
    for mine, theirs in zip(found, wanted, strict=True):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-4, atol=1e-5 * scale)


@every_cell
def test_shapes_that_do_not_fit_are_named_as_elsewhere(cell):
    args = [torch.tensor(each) for each in arrays(cell)]
    args[-1] = args[-1][:-1]
    wide = 8 if cell == "lstm" else 6
    with pytest.raises(ValueError, match=rf"has shape \({wide - 1},\); .* must be \({wide},\)"):
        getattr(ops.nn, cell)(*args)
    with pytest.raises(ValueError, match="axis 1, time, must have at least one step"):
        getattr(ops.nn, cell)(args[0][:, :0], *args[1:])


@every_cell
def test_an_empty_batch_gives_an_empty_sequence(cell):
    args = [torch.tensor(each) for each in arrays(cell)]
    states = 3 if cell == "lstm" else 2
    outputs = getattr(ops.nn, cell)(*(each[:0] for each in args[:states]), *args[states:])
    assert [tuple(each.shape) for each in outputs] == [(0, 4, 2), *[(0, 2)] * (states - 1)]


def test_an_embedding_has_torchs_values_gradients_and_errors():
    weight = torch.arange(12.0).reshape(4, 3)
    indices = torch.tensor([[0, 2], [2, 2]])
    own = torch.nn.functional.embedding
    assert torch.equal(ops.nn.embedding(indices, weight), own(indices, weight))
    (found,) = optshare.gradient(lambda w: (ops.nn.embedding(indices, w) ** 2).sum(), weight)
    leaf = weight.clone().requires_grad_()
    (own(indices, leaf) ** 2).sum().backward()
    assert torch.equal(found, leaf.grad)
    for wrong, named in ((4, "index 4"), (-1, "index -1")):
        with pytest.raises(IndexError, match=f"{named} is out of range; there are 4 rows"):
            ops.nn.embedding(torch.tensor([0, wrong]), weight)
    with pytest.raises(TypeError, match=r"must be integers, not torch\.float32"):
        ops.nn.embedding(torch.tensor([0.0]), weight)
