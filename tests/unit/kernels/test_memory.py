"""Memory that is given out again only when nobody refers to it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from optshare.kernels.memory import ALIGNMENT, Pool, aligned_copy


def test_memory_that_somebody_views_is_not_given_out_again():
    pool = Pool()
    [first] = pool.taken([64])
    view = first[8:16].view(np.float32)
    view[:] = 1.0
    del first
    for _ in range(3):
        [other] = pool.taken([64])
        other[:] = 0
    assert view.tolist() == [1.0, 1.0]


def test_memory_of_several_sizes_is_each_used_again():
    pool = Pool()
    places = {each.ctypes.data for each in pool.taken([64, 128, 64])}
    assert {each.ctypes.data for each in pool.taken([128, 64, 64])} == places


def test_what_is_free_and_not_asked_for_is_let_go_of():
    pool = Pool()
    pool.taken([1 << 20])
    pool.taken([64])
    assert [owner.size for owner in pool._owners] == [64 + ALIGNMENT]


@given(st.lists(st.lists(st.integers(0, 300), max_size=5), max_size=8))
def test_memory_that_is_held_is_aligned_and_apart(requests):
    pool, held = Pool(), []
    for at, sizes in enumerate(requests):
        for size, each in zip(sizes, pool.taken(sizes), strict=True):
            assert each.nbytes == size
            assert not size or each.ctypes.data % ALIGNMENT == 0
            each[:] = at
            held.append((at, each))
    assert all((each == at).all() for at, each in held)


def test_a_copy_of_any_order_is_contiguous_and_aligned():
    array = np.arange(24.0).reshape(2, 3, 4)[:, ::2].T
    copy = aligned_copy(array)
    np.testing.assert_array_equal(copy, array)
    assert copy.flags.c_contiguous
    assert copy.ctypes.data % ALIGNMENT == 0
