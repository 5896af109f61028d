import numpy as np
import pytest

import optshare
from optshare import Reshape
from optshare.errors import DataError

pytestmark = pytest.mark.usefixtures("backend")


@pytest.mark.parametrize(
    ("shape", "wanted", "found"),
    [
        ((5, 12), (3, 4), (5, 3, 4)),
        ((5, 12), (3, -1), (5, 3, 4)),
        ((5, 3, 4), (-1,), (5, 12)),
        ((5, 3, 4), (2, -1, 2), (5, 2, 3, 2)),
        ((5, 1), (), (5,)),
        ((5,), (1, 1), (5, 1, 1)),
        ((0, 12), (3, -1), (0, 3, 4)),
        ((5, 0, 3), (-1, 2), (5, 0, 2)),
    ],
)
def test_the_first_axis_stays_and_the_others_get_the_shape_in_c_order(shape, wanted, found):
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    np.testing.assert_array_equal(Reshape(*wanted)(x), x.reshape(found), strict=True)


def test_the_gradient_has_the_shape_of_the_input():
    x, weigh = np.arange(12.0).reshape(2, 6), np.arange(12.0).reshape(2, 3, 2)
    (g,) = optshare.gradient(lambda x: (Reshape(3, -1)(x) * weigh).sum(), x)
    np.testing.assert_array_equal(g, weigh.reshape(2, 6), strict=True)


@pytest.mark.parametrize(
    ("wanted", "shape", "said"),
    [
        ((3, 4), (5, 11), "needs an array with 12 elements behind the batch axis"),
        ((3, 4), (5, 11), "not one of shape (5, 11)"),
        ((3, 4), (24,), "with 12 elements"),
        ((3, -1), (5, 11), "with a multiple of 3 elements behind the batch axis"),
        ((1,), (), "of shape ()"),
    ],
)
def test_an_input_with_another_number_of_elements_is_refused(wanted, shape, said):
    with pytest.raises(DataError) as caught:
        Reshape(*wanted)(np.ones(shape))
    assert str(caught.value).startswith(f"{Reshape(*wanted)!r} needs")
    assert said in str(caught.value)


def test_something_without_a_shape_is_refused():
    with pytest.raises(DataError, match=r"^Reshape\(2\) needs an array, not a list"):
        Reshape(2)([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ((-1, 2, -1), "only one size may be -1, not 2"),
        ((3, 0), "size 1 must be a whole number, at least 1, not 0"),
        ((-2,), "not -2"),
        ((2.0,), "not 2.0"),
        (((3, 4),), r"not \(3, 4\)"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_when_it_is_made(wanted, said):
    with pytest.raises(DataError, match=f"^Reshape: .*{said}"):
        Reshape(*wanted)


def test_repr_and_equality():
    assert repr(Reshape(3, -1)) == "Reshape(3, -1)"
    assert Reshape(3, -1) == Reshape(3, -1)
    assert Reshape(3, -1) != Reshape(3, 4)


def test_the_derivatives_of_both_orders_are_right():
    optshare.gradcheck(lambda x: Reshape(3, -1)(x) ** 2, np.arange(12.0).reshape(2, 6))
