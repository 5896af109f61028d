import numpy as np
import pytest

import optshare
from optshare import minibatch
from optshare.errors import DataError


def lists(batches):
    return [(x.tolist(), y.tolist()) for x, y in batches]


def test_parts_come_in_order_and_the_last_may_be_smaller():
    x, y = np.arange(5), np.arange(5) * 10
    assert lists(minibatch(x, y, 2)) == [([0, 1], [0, 10]), ([2, 3], [20, 30]), ([4], [40])]


def test_a_smaller_last_part_may_be_left_out():
    batches = minibatch(np.arange(5), np.arange(5), 2, partial=False)
    assert [x.tolist() for x, _ in batches] == [[0, 1], [2, 3]]
    assert len(batches) == 2


@pytest.mark.parametrize("count", [1, 4, 5, 6])
@pytest.mark.parametrize("size", [1, 2, 5, 7])
@pytest.mark.parametrize("partial", [True, False])
def test_its_length_is_the_number_of_parts(count, size, partial):
    batches = minibatch(np.arange(count), np.arange(count), size, partial=partial)
    parts = [x for x, _ in batches]
    assert len(parts) == len(batches)
    assert len(batches) == (-(-count // size) if partial else count // size)
    assert sum(map(len, parts)) == (count if partial else count // size * size)


def test_shuffling_keeps_pairs_together_and_draws_each_example_once():
    x = np.arange(20)
    batches = minibatch(x, x * 10, 6, shuffle=True, rng=np.random.default_rng(0))
    found = [(a, b) for xs, ys in batches for a, b in zip(xs, ys, strict=True)]
    assert all(b == 10 * a for a, b in found)
    assert sorted(a for a, _ in found) == x.tolist()
    assert [a for a, _ in found] != x.tolist()


def test_each_iteration_draws_a_new_order_and_a_seed_repeats_them():
    def orders():
        x = np.arange(20)
        batches = minibatch(x, x, 20, shuffle=True, rng=np.random.default_rng(3))
        return [next(iter(batches))[0].tolist() for _ in range(3)]

    first, second, third = orders()
    assert first != second != third
    assert orders() == [first, second, third]


def test_the_default_orders_come_from_the_seed():
    def order():
        optshare.seed(5)
        return next(iter(minibatch(np.arange(20), np.arange(20), 20, shuffle=True)))[0].tolist()

    assert order() == order()


def test_without_shuffling_no_number_is_drawn():
    rng = np.random.default_rng(0)
    list(minibatch(np.arange(4), np.arange(4), 2, rng=rng))
    assert rng.random() == np.random.default_rng(0).random()


def test_two_iterations_may_go_on_at_once():
    batches = minibatch(np.arange(4), np.arange(4), 2)
    pairs = [(a[0].tolist(), b[0].tolist()) for a, b in zip(batches, batches, strict=True)]
    assert pairs == [([0, 1], [0, 1]), ([2, 3], [2, 3])]


def test_arrays_of_many_axes_are_cut_along_the_first():
    x, y = np.arange(24).reshape(4, 3, 2), np.arange(4)
    parts = [x for x, _ in minibatch(x, y, 3)]
    assert [part.shape for part in parts] == [(3, 3, 2), (1, 3, 2)]
    np.testing.assert_array_equal(np.concatenate(parts), x)


@pytest.mark.parametrize(
    ("x", "y", "size", "says"),
    [
        (np.ones(3), np.ones(4), 2, "x has 3 examples, y has 4"),
        (np.ones(0), np.ones(0), 2, "empty"),
        (np.ones(3), np.ones(3), 0, "at least 1, not 0"),
        (np.ones(3), np.ones(3), -1, "at least 1, not -1"),
        (np.ones(3), np.ones(3), 1.5, "1.5"),
    ],
)
def test_data_that_does_not_fit_is_refused(x, y, size, says):
    with pytest.raises(DataError, match=says):
        minibatch(x, y, size)
