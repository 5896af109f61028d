import operator

import numpy as np
import pytest

from optshare.kernels.expression import (
    SCALAR,
    SYMBOLS,
    Expression,
    maximum,
    minimum,
    sign,
    sqrt,
    where,
)


@pytest.fixture
def g():
    return Expression("gradient", on_arrays=True)


@pytest.fixture
def lr():
    return Expression("lr", on_arrays=False, known=0.1)


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda: sqrt(4.0), 2.0),
        (lambda: sign(-3.0), -1.0),
        (lambda: sign(0.0), 0.0),
        (lambda: sign(2), 1.0),
        (lambda: maximum(1.0, 2.0), 2.0),
        (lambda: minimum(1.0, 2.0), 1.0),
        (lambda: where(True, 1.0, 2.0), 1.0),
        (lambda: where(False, 1.0, 2.0), 2.0),
    ],
)
def test_functions_of_numbers_give_numbers(call, wanted):
    assert call() == wanted
    assert isinstance(call(), float)


def test_functions_of_arrays_give_arrays():
    x = np.array([-4.0, 0.0, 9.0])
    assert sqrt(np.abs(x)).tolist() == [2.0, 0.0, 3.0]
    assert sign(x).tolist() == [-1.0, 0.0, 1.0]
    assert maximum(x, 1.0).tolist() == [1.0, 1.0, 9.0]
    assert minimum(1.0, x).tolist() == [-4.0, 0.0, 1.0]
    assert where(x > 0, x, -1.0).tolist() == [-1.0, -1.0, 9.0]


def test_operators_on_symbols_are_recorded(g, lr):
    assert repr(lr * (g + 1.0)) == "multiply(lr, add(gradient, 1.0))"
    assert repr(1 - g) == "subtract(1, gradient)"
    assert repr(abs(-g)) == "abs(negative(gradient))"
    assert repr(2.0**g / g**2) == "divide(pow(2.0, gradient), pow(gradient, 2))"
    assert repr(where(g > 0, sqrt(g), lr)) == "where(greater(gradient, 0), sqrt(gradient), lr)"
    assert repr(maximum(g, minimum(lr, sign(g)))) == (
        "maximum(gradient, minimum(lr, sign(gradient)))"
    )


def test_what_depends_on_scalars_only_is_known_to(g, lr):
    assert not (lr * 2.0).on_arrays
    assert not sqrt(1 - lr**2).on_arrays
    assert (lr * g).on_arrays
    assert where(lr > 0.5, g, 0.0).on_arrays


def test_the_truth_of_a_hyperparameter_is_whether_it_is_zero(lr, g):
    assert bool(lr)
    assert not bool(Expression("weight_decay", on_arrays=False, known=0.0))


@pytest.mark.parametrize("build", [lambda g, lr: g, lambda g, lr: g > 0, lambda g, lr: lr > 0.5])
def test_the_truth_of_anything_else_is_refused_and_names_where(build, g, lr):
    with pytest.raises(TypeError, match="use where"):
        bool(build(g, lr))


@pytest.mark.parametrize(
    "op", [operator.matmul, operator.mod, operator.floordiv, operator.eq, operator.ne, operator.pos]
)
def test_an_operator_that_a_rule_cannot_use_is_named(op, g):
    with pytest.raises(TypeError, match=f"a rule cannot use {op.__name__}"):
        op(g) if op is operator.pos else op(g, g)


def test_a_remainder_is_taken_of_numbers(lr):
    due = Expression("t", on_arrays=False) % lr
    assert repr(due) == "remainder(t, lr)"
    assert not due.on_arrays
    assert SCALAR["remainder"](7.0, 3.0) == 1.0


def test_a_rule_cannot_index_its_symbols(g):
    with pytest.raises(TypeError, match="getitem"):
        g[0]


@pytest.mark.parametrize("call", [np.sqrt, np.exp, np.sign, lambda g: np.maximum(g, g)])
def test_functions_of_numpy_on_symbols_are_refused(call, g):
    with pytest.raises(TypeError):
        call(g)


def test_the_host_knows_every_recorded_operation():
    known = {*SYMBOLS.values(), "sqrt", "squared", "sign", "maximum", "minimum", "where"}
    assert set(SCALAR) == known
    assert SCALAR["divide"](1.0, 4.0) == 0.25
    assert SCALAR["where"](SCALAR["greater"](2.0, 1.0), 3.0, 4.0) == 3.0
    assert SCALAR["pow"](0.5, 2.0) == 0.25
