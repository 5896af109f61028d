"""The stand-in fails where CuPy fails; each fact is asked of CuPy too, where there is a device."""

import numpy as np
import pytest

X = np.array([[0.5, -1.25, 2.0], [0.25, 1.0, -0.75]])

REFUSED = {
    "numpy.asarray": lambda x: np.asarray(x),
    "numpy.asarray of a list": lambda x: np.asarray([x, x]),
    "numpy.ascontiguousarray": lambda x: np.ascontiguousarray(x),
    "an array of NumPy's on the right": lambda x: x + X,
    "an array of NumPy's on the left": lambda x: X * x,
    "an array of NumPy's compared": lambda x: x > X,
    "an array of NumPy's joined": lambda x: np.concatenate([x, X]),
    "an array of NumPy's as a condition": lambda x: np.where(X > 0, x, 0.0),
    "initial=": lambda x: np.max(x, initial=0.0),
    "where=": lambda x: np.sum(x, where=True),
    "stable=": lambda x: np.sort(x, stable=True),
    "out= of NumPy's": lambda x: np.add(x, x, out=np.empty_like(X)),
    "a function that CuPy lacks": lambda x: np.vecdot(x, x),
    "numpy.add.at with a tuple": lambda x: np.add.at(x, (0, slice(None)), 1.0),
    "item with a place": lambda x: x.item(0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cupy_refuses_is_refused(name, library):
    with pytest.raises((TypeError, ValueError)):
        REFUSED[name](library.place(X))


GIVEN = {
    "a sum of all": lambda x: np.sum(x),
    "an element": lambda x: x[0, 0],
    "the maximum": lambda x: x.max(),
    "a truth": lambda x: np.all(x > 0),
    "a count": lambda x: np.count_nonzero(x),
    "a number of NumPy's on the left": lambda x: np.float64(2.0) * x,
    "a number on the right": lambda x: x**2,
    "an index of NumPy's": lambda x: x[np.array([1, 0, 1])],
    "a product": lambda x: x @ x.T,
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_cupy_gives_is_an_array_on_the_device(name, library):
    library.assert_same(GIVEN[name](library.place(X)), GIVEN[name](X))


def test_an_element_is_a_view(library):
    x = library.place(X)
    element = x[0, 0]
    x += 1
    assert element.base is not None
    assert float(element) == 1.5


def test_flags_do_not_tell_whether_an_array_may_be_written(library):
    assert not hasattr(library.place(X).flags, "writeable")


def test_add_at_of_cupys_takes_a_tuple_but_no_complex_numbers(library):
    x = library.place(np.zeros((2, 3)))
    library.cupy.add.at(x, (slice(None), library.place(np.array([0, 0, 2]))), 1.0)
    library.assert_same(x, [[2.0, 0.0, 1.0], [2.0, 0.0, 1.0]])
    with pytest.raises(TypeError):
        library.cupy.add.at(library.place(np.zeros(2, complex)), library.place(np.array([0])), 1.0)


def test_complex_numbers_are_added_at_places_by_their_parts(library):
    from optshare_arrays.devices import add_at

    values = np.array([1 + 2j, 3 - 1j, 0.5j])
    x = library.place(np.zeros(2, complex))
    add_at(x, library.place(np.array([0, 0, 1])), library.place(values))
    library.assert_same(x, [4 + 1j, 0.5j])
