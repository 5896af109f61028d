"""`ops.nn.lstm` and `ops.nn.gru`, on both engines, against PyTorch."""

import tracemalloc
from typing import ClassVar

import autograd.numpy as anp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare.extend import complete
from optshare_arrays import Scope, Tracked, ops
from optshare_arrays.nodes import PLAN
from optshare_arrays.recurrent import _composed
from optshare_functional import grad

CELLS = ["lstm", "gru"]
every_cell = pytest.mark.parametrize("cell", CELLS)
GATES = {"lstm": 4, "gru": 3}
STATES = {"lstm": 2, "gru": 1}


def arrays(cell, batch=3, time=4, features=5, hidden=2, dtype=np.float64, seed=0):
    """The arguments of a cell, all of them random."""
    draw, wide = np.random.default_rng(seed).normal, GATES[cell] * hidden
    shapes = [(batch, time, features), *[(batch, hidden)] * STATES[cell]]
    shapes += [(features, wide), (hidden, wide), *[(wide,)] * (3 - STATES[cell])]
    return [draw(size=shape).astype(dtype) for shape in shapes]


def torchs(cell):
    """PyTorch's function with our arguments."""

    def call(x, h, *rest):
        state, weights = h[None], rest
        if cell == "lstm":
            state, weights = (state, rest[0][None]), (*rest[1:], torch.zeros_like(rest[-1]))
        weights = [weights[0].T, weights[1].T, *weights[2:]]
        hs, *last = getattr(torch, cell)(x, state, weights, True, 1, 0.0, False, False, True)
        return hs, *(each[0] for each in last)

    return call


def weighted(numpy, outputs):
    """A scalar of all that a cell gives."""
    total, draw = 0.0, np.random.default_rng(5).uniform
    for each in outputs:
        weights = draw(0.5, 1.5, tuple(each.shape))
        if isinstance(each, torch.Tensor):
            weights = torch.tensor(weights, dtype=each.dtype)
        total = total + numpy.sum(each * weights)
    return total


def torch_gradients(cell, args, order=1):
    given = [torch.tensor(each, requires_grad=True) for each in args]
    loss = weighted(torch, torchs(cell)(*given))
    found = torch.autograd.grad(loss, given, create_graph=order == 2)
    if order == 2:
        found = torch.autograd.grad(sum((each**2).sum() for each in found), given)
    return [each.numpy() for each in found]


def penalty(engine, f):
    """The squared norm of a gradient."""
    return lambda *args: sum(ops.sum(each * each) for each in engine.gradient(f, *args))


def loss_of(function):
    return lambda *args: weighted(ops, function(*args))


SIZES = [
    {},
    {"time": 1},
    {"batch": 1},
    {"hidden": 1},
    {"features": 1},
    {"batch": 1, "time": 1, "features": 1, "hidden": 1},
]


@every_cell
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_value_and_every_gradient_are_torchs(cell, sizes, engine, close):
    args, function = arrays(cell, **sizes), getattr(ops.nn, cell)
    for found, expected in zip(
        function(*args), torchs(cell)(*map(torch.tensor, args)), strict=True
    ):
        close(found, expected.numpy())
    found = engine.gradient(loss_of(function), *args)
    for mine, theirs in zip(found, torch_gradients(cell, args), strict=True):
        close(mine, theirs)


@every_cell
@pytest.mark.parametrize("sizes", SIZES[:2], ids=str)
def test_the_gradient_of_a_gradient_penalty_is_torchs(cell, sizes, engine, close):
    args = arrays(cell, **sizes)
    found = engine.gradient(penalty(engine, loss_of(getattr(ops.nn, cell))), *args)
    for mine, theirs in zip(found, torch_gradients(cell, args, order=2), strict=True):
        close(mine, theirs)


@every_cell
def test_a_backward_pass_recorded_in_its_own_differentiation_is_exact(cell, close):
    args, scope = arrays(cell), Scope(Tracked)
    leaves = [scope.leaf(each) for each in args]
    loss = weighted(ops, getattr(ops.nn, cell)(*leaves))
    first = scope.pull(loss, np.ones(()), free=False, again=True)
    norm = sum(ops.sum(each * each) for each in first.values())
    second = scope.pull(norm, np.ones(()), free=True)
    for leaf, theirs in zip(leaves, torch_gradients(cell, args, order=2), strict=True):
        close(second[leaf.node[PLAN]], theirs)


@every_cell
def test_third_derivatives_are_those_of_the_definition(cell, close):
    args, hidden_weight = arrays(cell, time=3), -2 if cell == "lstm" else -3

    def along(function):
        def f(step):
            moved = list(args)
            moved[hidden_weight] = args[hidden_weight] * step
            return weighted(ops, function(*moved))

        return grad(grad(grad(f)))(1.0)

    close(along(getattr(ops.nn, cell)), along(getattr(_composed.nn, cell)))


@every_cell
def test_the_fallback_has_the_numbers_of_the_fused_one(cell, engine, close):
    args = arrays(cell)
    pairs = zip(getattr(complete(np).nn, cell)(*args), getattr(ops.nn, cell)(*args), strict=True)
    for composed, fused in pairs:
        close(fused, composed)
    fused = engine.gradient(loss_of(getattr(ops.nn, cell)), *args)
    composed = engine.gradient(loss_of(getattr(_composed.nn, cell)), *args)
    for mine, theirs in zip(fused, composed, strict=True):
        close(mine, theirs)


@every_cell
@given(sizes=st.tuples(*[st.integers(1, 4)] * 4), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_fused_and_composed_agree_for_any_size(cell, sizes, seed):
    args = arrays(cell, *sizes, seed=seed)
    fused = grad(loss_of(getattr(ops.nn, cell)), tuple(range(len(args))))(*args)
    composed = grad(loss_of(getattr(_composed.nn, cell)), tuple(range(len(args))))(*args)
    for mine, theirs in zip(fused, composed, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-12)


@every_cell
def test_each_argument_alone_has_the_gradient_that_it_has_among_all(cell, engine):
    args, function = arrays(cell), getattr(ops.nn, cell)
    together = engine.gradient(loss_of(function), *args)
    for place, expected in enumerate(together):

        def alone(each, place=place):
            return weighted(ops, function(*args[:place], each, *args[place + 1 :]))

        np.testing.assert_array_equal(engine.gradient(alone, args[place])[0], expected)


@every_cell
@pytest.mark.parametrize("output", [0, 1, -1])
def test_each_output_alone_can_be_differentiated(cell, output, engine, close):
    args = arrays(cell)
    found = engine.gradient(lambda *a: ops.sum(getattr(ops.nn, cell)(*a)[output] ** 2), *args)
    composed = engine.gradient(
        lambda *a: ops.sum(getattr(_composed.nn, cell)(*a)[output] ** 2), *args
    )
    for mine, theirs in zip(found, composed, strict=True):
        close(mine, theirs)


@every_cell
def test_an_empty_batch_has_gradients_of_zero(cell, engine):
    args = arrays(cell, batch=0)
    assert [each.shape for each in getattr(ops.nn, cell)(*args)] == [
        (0, 4, 2),
        *[(0, 2)] * STATES[cell],
    ]
    found = engine.gradient(loss_of(getattr(ops.nn, cell)), *args)
    for mine, argument in zip(found, args, strict=True):
        assert mine.shape == argument.shape
        assert not mine.any()


@every_cell
@pytest.mark.parametrize("nn", [ops.nn, complete(np).nn], ids=["fused", "composed"])
def test_an_empty_sequence_is_refused_as_torch_refuses_it(cell, nn):
    args = arrays(cell, time=0)
    with pytest.raises(RuntimeError, match="sequence length to be larger than 0"):
        torchs(cell)(*map(torch.tensor, args))
    with pytest.raises(ValueError, match=r"x has shape \(3, 0, 5\): axis 1, time"):
        getattr(nn, cell)(*args)


@every_cell
@pytest.mark.parametrize("nn", [ops.nn, complete(np).nn], ids=["fused", "composed"])
def test_shapes_that_do_not_fit_are_named_with_what_they_must_fit_to(cell, nn):
    right = arrays(cell)
    for place in range(1, len(right)):
        args = list(right)
        args[place] = args[place][..., :-1] if place > 1 else args[place][:-1]
        with pytest.raises(ValueError, match=rf"{cell}: .*has shape") as caught:
            getattr(nn, cell)(*args)
        message = str(caught.value)
        assert str(args[place].shape) in message
        assert str(right[place].shape) in message
        assert "x of shape (3, 4, 5)" in message
    with pytest.raises(ValueError, match=r"x has shape \(4, 5\) and h has shape \(3, 2\)"):
        getattr(nn, cell)(right[0][0], *right[1:])


@every_cell
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_and_gradients_keep_the_dtype(cell, dtype, engine):
    args = arrays(cell, dtype=dtype)
    assert {each.dtype for each in getattr(ops.nn, cell)(*args)} == {np.dtype(dtype)}
    found = engine.gradient(
        lambda *a: sum(ops.sum(each) for each in getattr(ops.nn, cell)(*a)), *args
    )
    assert {each.dtype for each in found} == {np.dtype(dtype)}
    twice = engine.gradient(
        penalty(engine, lambda *a: ops.sum(getattr(ops.nn, cell)(*a)[0])), *args
    )
    assert {each.dtype for each in twice} == {np.dtype(dtype)}


@every_cell
def test_half_precision_is_rounded_once(cell, engine):
    args = arrays(cell, dtype=np.float16, time=20)
    exact = getattr(ops.nn, cell)(*(each.astype(np.float64) for each in args))
    for half, whole in zip(getattr(ops.nn, cell)(*args), exact, strict=True):
        unit = np.spacing(np.abs(whole).astype(np.float16)).astype(np.float64)
        assert (abs(half - whole) <= 0.51 * unit + 1e-5).all()
    found = engine.gradient(lambda *a: ops.sum(getattr(ops.nn, cell)(*a)[0]), *args)
    wanted = engine.gradient(
        lambda *a: ops.sum(getattr(ops.nn, cell)(*a)[0]),
        *(each.astype(np.float64) for each in args),
    )
    for half, whole in zip(found, wanted, strict=True):
        np.testing.assert_allclose(half, whole, rtol=2e-3, atol=2e-3)


@every_cell
def test_data_of_another_dtype_widens_as_numpy_does(cell, engine):
    args = arrays(cell)
    args[0] = args[0].astype(np.float32)
    assert {each.dtype for each in getattr(ops.nn, cell)(*args)} == {np.dtype(np.float64)}
    found = engine.gradient(loss_of(getattr(ops.nn, cell)), *args)
    assert [each.dtype for each in found] == [each.dtype for each in args]


@every_cell
def test_large_numbers_saturate_without_overflow(cell, engine):
    args = [each * 1e4 for each in arrays(cell)]
    outputs = getattr(ops.nn, cell)(*args)
    found = engine.gradient(loss_of(getattr(ops.nn, cell)), *args)
    assert all(np.isfinite(each).all() for each in (*outputs, *found))


@every_cell
def test_arrays_of_any_memory_layout_are_taken(cell, engine, close):
    args = arrays(cell)
    expected = engine.gradient(loss_of(getattr(ops.nn, cell)), *args)
    turned = [np.asfortranarray(each) for each in args]
    spread = [np.repeat(each, 2, axis=0)[::2] for each in args]
    for layout in (turned, spread):
        for mine, theirs in zip(
            engine.gradient(loss_of(getattr(ops.nn, cell)), *layout), expected, strict=True
        ):
            close(mine, theirs)


@every_cell
def test_nothing_is_written_and_runs_are_equal_bit_by_bit(cell, engine):
    args = arrays(cell)
    before = [each.copy() for each in args]
    one, other = (engine.gradient(loss_of(getattr(ops.nn, cell)), *args) for _ in range(2))
    for array, copy, first, second in zip(args, before, one, other, strict=True):
        np.testing.assert_array_equal(array, copy)
        np.testing.assert_array_equal(first, second)


@every_cell
def test_the_last_states_do_not_share_memory_with_the_sequence(cell):
    hs, *states = getattr(ops.nn, cell)(*arrays(cell))
    for each in states:
        assert not np.shares_memory(each, hs)


@every_cell
def test_frozen_weights_are_left_out_and_the_rest_keeps_its_gradient(cell):
    args = arrays(cell)
    boxes = [optshare.Parameter(each) for each in args]

    def loss():
        return weighted(ops, getattr(ops.nn, cell)(*(box.value for box in boxes)))

    whole = dict(zip(boxes, optshare.gradient(loss, wrt=boxes), strict=True))
    optshare.freeze(boxes[:-2])
    for box, g in zip(boxes[-2:], optshare.gradient(loss, wrt=boxes[-2:]), strict=True):
        np.testing.assert_array_equal(g, whole[box])


@every_cell
def test_variables_are_taken_as_they_are(cell):
    from optshare_tape import Variable, back

    args = arrays(cell)
    variables = [Variable(each) for each in args]
    back(weighted(ops, getattr(ops.nn, cell)(*variables)))
    for variable, g in zip(variables, torch_gradients(cell, args), strict=True):
        np.testing.assert_allclose(variable.grad, g, rtol=1e-11, atol=1e-12)


@every_cell
def test_a_parameter_is_refused_by_name(cell):
    args = arrays(cell)
    args[-1] = optshare.Parameter(args[-1])
    with pytest.raises(optshare.errors.ImplicitUnwrapError, match=r"p\.value"):
        getattr(ops.nn, cell)(*args)


@pytest.mark.parametrize(("cell", "kept"), [("lstm", 6), ("gru", 5)])
def test_what_is_kept_for_the_backward_pass_is_what_the_docstring_says(cell, kept):
    import optshare_tape

    args = arrays(cell, batch=16, time=100, features=1, hidden=32)
    size = 16 * 100 * 32 * 8
    with optshare_tape.record():
        variables = [optshare_tape.Variable(each) for each in args]
        tracemalloc.start()
        outputs = getattr(ops.nn, cell)(*variables)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert outputs[0].shape == (16, 100, 32)
    assert kept * size <= held < (kept + 0.2) * size


def test_a_cell_written_with_scan_is_that_of_a_loop(derivatives):
    x, w = np.random.default_rng(0).normal(size=(5, 3)), np.eye(3) * 0.5 + 0.1

    def ours(x, w):
        return ops.scan(lambda h, each: ((h := ops.tanh(h @ w + each)), h), x[0], x)[1]

    def theirs(x, w):
        h, hs = x[0], []
        for t in range(5):
            h = anp.tanh(h @ w + x[t])
            hs.append(h)
        return anp.stack(hs)

    derivatives.agree(ours, theirs, x, w)


def test_the_entries_of_a_loop_are_taken_from_few_so_that_their_gradients_are_small():
    class Watched(np.ndarray):
        taken: ClassVar[list[int]] = []

        def __getitem__(self, place):
            self.taken.append(len(self))
            return super().__getitem__(place)

    x = np.arange(1000.0).view(Watched)
    carry, outputs = complete(np).scan(lambda c, a: (c + a, a), 0.0, x)
    assert outputs.tolist() == list(range(1000))
    assert carry == 499500
    assert sum(Watched.taken) < 32 * 1000  # of the whole: 1000 * 1000
