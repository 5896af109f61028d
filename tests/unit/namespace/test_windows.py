"""Where windows lie, and what is said when they do not fit."""

import numpy as np
import pytest

from optshare.errors import DataError
from optshare.extend import complete, conv_windows, pool_windows
from optshare_arrays import namespace, ops

REFUSED = [
    ("conv", (2, 3), (4, 3), {}, r"x has shape (2, 3), weight (4, 3); both need the same 3 to 5"),
    ("conv", (2, 3, 5, 5), (4, 3, 3), {}, "weight (4, 3, 3); both need the same"),
    ("conv", (1, 1, 3, 3, 3, 3), (1, 1, 1, 1, 1, 1), {}, "3 to 5 axes"),
    ("conv", (2, 3, 5), (4, 2, 3), {}, "x has 3 channels, but weight takes 2 in each of 1 groups"),
    ("conv", (2, 3, 5), (4, 2, 3), {}, "x has shape (2, 3, 5), weight (4, 2, 3); weight is (out,"),
    ("conv", (2, 4, 5), (3, 2, 3), {"groups": 2}, "groups=2 must be a whole number that divides"),
    ("conv", (2, 4, 5), (3, 2, 3), {"groups": 2}, "the 3 output channels; x has shape (2, 4, 5)"),
    ("conv", (2, 4, 5), (3, 2, 3), {"groups": 0}, "groups=0"),
    ("conv", (2, 4, 5), (4, 2, 3), {"groups": 2.0}, "groups=2.0"),
    ("conv", (2, 1, 5), (1, 1, 3), {"dilation": 3}, "a window of size (3,) with dilation=3 does"),
    ("conv", (2, 1, 5), (1, 1, 8), {"padding": 1}, "x, whose spatial size is (5,), with padding=1"),
    ("conv", (2, 1, 5, 0), (1, 1, 1, 1), {"padding": 1}, "spatial size is (5, 0)"),
    ("conv", (2, 1, 5), (1, 1, 0), {}, "the window is empty"),
    ("conv", (2, 1, 5), (1, 1, 2), {"stride": 0}, "stride=0 must be a whole number, at least 1"),
    ("conv", (2, 1, 5), (1, 1, 2), {"stride": True}, "stride=True"),
    ("conv", (2, 1, 5), (1, 1, 2), {"stride": (1, 1)}, "or 1 of them, one for each spatial axis"),
    ("conv", (2, 1, 5), (1, 1, 2), {"padding": -1}, "padding=-1 must be a whole number, at least"),
    ("conv", (2, 1, 5), (1, 1, 2), {"padding": ((1, 1, 1),)}, "may be a pair (before, after)"),
    ("conv_transpose", (2, 3, 5), (4, 3, 3), {}, "x has 3 channels, but weight takes 4"),
    ("conv_transpose", (2, 3, 5), (3, 3, 3), {"groups": 2}, "divides the 3 input channels"),
    ("conv_transpose", (2, 1, 1), (1, 1, 2), {"padding": 1}, "the answer would have the size (0,)"),
    ("conv_transpose", (2, 1, 3), (1, 1, 2), {"output_padding": 1}, "must be less than stride=1"),
    ("max_pool", (2, 3), 2, {}, "x has shape (2, 3); it must be (batch, channels, *space)"),
    ("max_pool", (2, 3, 4), 5, {}, "a window of size (5,) with dilation=1 does not fit"),
    ("max_pool", (2, 3, 4), 2, {"padding": 2}, "padding=2 is more than half of window=2"),
    ("max_pool", (2, 3, 4), (2, 2), {}, "window=(2, 2) must be a whole number"),
    ("mean_pool", (2, 3, 4), 0, {}, "window=0 must be a whole number, at least 1"),
    ("mean_pool", (2, 3, 4), 2, {"stride": 0}, "stride=0"),
]


@pytest.mark.parametrize("nn", [ops.nn, complete(namespace).nn], ids=["primitives", "fallbacks"])
@pytest.mark.parametrize(("name", "x", "other", "options", "said"), REFUSED)
def test_what_does_not_fit_is_refused_with_the_shapes_and_the_fix(
    name, x, other, options, said, nn
):
    second = np.ones(other) if name.startswith("conv") else other
    with pytest.raises(DataError) as caught:
        getattr(nn, name)(np.ones(x), second, **options)
    assert str(caught.value).startswith(f"{name}: ")
    assert said in str(caught.value)


def test_windows_count_their_places_and_name_what_they_meet():
    windows = conv_windows((1, 1, 7, 4), (1, 1, 2, 3), (2, 1), (0, 1), (3, 1), 1)
    assert windows.counts == (2, 4)
    assert windows.padded == (7, 6)
    x = np.pad(np.arange(28.0).reshape(7, 4), ((0, 0), (1, 1)))
    met = [x[each] for each in windows.slices()]
    assert len(met) == 6
    for row in range(2):
        for column in range(4):
            found = [each[row, column] for each in met]
            start = 2 * row
            wanted = x[start : start + 4 : 3, column : column + 3]
            assert found == wanted.ravel().tolist()


def test_numpys_integers_are_whole_numbers():
    size = np.int64(2)
    assert conv_windows((1, 1, 9), (1, 1, 3), size, size, size, 1).counts == (5,)
    assert pool_windows("max_pool", (1, 1, 9), size, None, np.int8(1)).counts == (5,)


@pytest.mark.parametrize(
    ("window", "stride", "apart"), [(2, 2, True), (2, 3, True), (3, 2, False), ((1, 2), 1, False)]
)
def test_windows_are_apart_where_no_two_meet_the_same_element(window, stride, apart):
    windows = pool_windows("max_pool", (1, 1, 6, 6), window, stride, 0)
    x, hits = np.arange(36).reshape(6, 6), np.zeros(36, int)
    for each in windows.slices():
        hits[x[each]] += 1
    assert windows.apart is apart
    assert bool(hits.max() == 1) is apart
