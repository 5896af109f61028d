import numpy as np
import pytest

import optshare
from optshare.errors import DataError

pytestmark = pytest.mark.usefixtures("backend")


@pytest.mark.parametrize(
    ("shape", "flat"),
    [
        ((5, 2, 3), (5, 6)),
        ((5, 1), (5, 1)),
        ((5,), (5, 1)),
        ((0, 2, 3), (0, 6)),
        ((5, 0, 3), (5, 0)),
    ],
)
def test_the_first_axis_stays_and_the_others_become_one_in_c_order(shape, flat):
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    np.testing.assert_array_equal(optshare.Flatten()(x), x.reshape(flat), strict=True)


def test_the_gradient_has_the_shape_of_the_input():
    x = np.arange(12.0).reshape(2, 3, 2)
    weigh = np.arange(12.0).reshape(2, 6)
    (g,) = optshare.gradient(lambda x: (optshare.Flatten()(x) * weigh).sum(), x)
    np.testing.assert_array_equal(g, weigh.reshape(2, 3, 2), strict=True)


def test_repr():
    assert repr(optshare.Flatten()) == "Flatten()"


@pytest.mark.parametrize("x", [np.float32(3.0), [1.0, 2.0]])
def test_what_has_no_batch_axis_is_refused(x):
    with pytest.raises(DataError, match=r"Flatten\(\) needs an array with a batch axis, not"):
        optshare.Flatten()(x)
