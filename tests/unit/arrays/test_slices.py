"""Products of few rows with a large matrix, which are multiplied slice by slice."""

import numpy as np
import pytest

from optshare_arrays import products
from optshare_tape import Variable, back

SHAPES = [(8, 784, 256), (8, 783, 257), (2, 1024, 1024), (4, 300, 1700)]


def drawn(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(each) for each in shapes]


@pytest.mark.parametrize(("rows", "inner", "columns"), SHAPES)
def test_a_product_of_few_rows_and_its_gradients_are_those_of_the_definition(rows, inner, columns):
    x, w, seed = drawn((rows, inner), (inner, columns), (rows, columns))
    assert products._step(x, w, columns) > 0
    a, b = Variable(x), Variable(w)
    y = a.value @ b.value
    back(y, seed)
    rounding = 4 * np.finfo(float).eps * np.sqrt(inner)
    assert np.abs(y.value - x @ w).max() <= rounding * np.abs(x).max() * np.abs(w).max()
    assert np.abs(b.grad - x.T @ seed).max() <= rounding * np.abs(x).max() * np.abs(seed).max()
    assert np.abs(a.grad - seed @ w.T).max() <= rounding * np.abs(seed).max() * np.abs(w).max()


@pytest.mark.parametrize(
    ("x", "w"),
    [
        (np.ones((17, 784)), np.ones((784, 256))),
        (np.ones((8, 100)), np.ones((100, 200))),
        (np.ones((8, 784), np.float32), np.ones((784, 256))),
        (np.ones((8, 784), complex), np.ones((784, 256), complex)),
    ],
)
def test_other_products_are_not_sliced(x, w):
    assert products._step(x, w, w.shape[1]) == 0


@pytest.mark.parametrize("inner", [783, 785, 1568])
def test_matrices_that_do_not_fit_raise_as_numpy_does(inner):
    a, b = Variable(np.ones((8, 784))), Variable(np.ones((inner, 256)))
    with pytest.raises(ValueError, match="mismatch"):
        a.value @ b.value
