"""What is given back keeps its numbers: no view of an input, no work done twice."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import optshare_functional
import optshare_tape
from optshare_arrays import ops


@pytest.mark.parametrize("index", [1, np.int64(1), np.array(1)])
def test_take_by_one_index_is_no_view(index):
    x = np.arange(6.0).reshape(2, 3)
    row = ops.take(x, index, axis=0)
    assert_array_equal(row, [3.0, 4.0, 5.0])
    assert not np.shares_memory(row, x)


def test_a_value_that_no_input_reaches_keeps_its_numbers_when_the_input_is_written():
    x = np.array([1.0, 2.0])
    value, pullback = optshare_functional.vjp(ops.stop_gradient, x)
    x[0] = 9.0
    assert_array_equal(value, [1.0, 2.0])
    assert pullback(np.ones(2)) == [None]


def test_a_result_without_gradients_keeps_its_number_too():
    x = optshare_tape.Variable(1.0)
    result = optshare_tape.differentiate(lambda: optshare_tape.value(x))
    x.stored[...] = 7.0
    assert float(result) == 1.0


def test_a_tracked_number_fills_the_shape_that_is_asked_for(engine):
    found = engine.grad(lambda a: ops.sum(ops.full_like(np.zeros(3), a, shape=(5,))))(2.0)
    assert found == 5.0


@pytest.mark.parametrize("residuals", [None, 1.0])
def test_a_hand_written_forward_runs_once_whatever_it_keeps(residuals):
    calls = []

    def forward(x):
        calls.append(x)
        return x * x, residuals

    square = optshare_functional.custom_vjp(lambda x: x * x, forward, lambda kept, g: (3 * g,))
    assert optshare_functional.grad(square)(2.0) == 3.0
    assert len(calls) == 1
