"""argnums, has_aux, and structures of arguments and values, against JAX."""

from dataclasses import dataclass
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare_functional
import optshare_tape
from optshare import Dense, Parameter, params
from optshare.errors import DifferentiationError, UnregisteredParameterError
from optshare_arrays import Traceable
from optshare_functional import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tests.unit.closeness import assert_close

X = np.array([[0.3, -1.2], [0.7, 2.0], [-0.4, 0.1]])
TREE = {"w": np.array([0.5, -1.5]), "rest": (np.array(0.7), [np.array([1.0, 2.0, 3.0])])}
ALONG = {"w": np.array([1.0, 2.0]), "rest": (np.array(-1.0), [np.array([0.5, 0.0, 4.0])])}


def several(np_, tree, x):
    """A dict of two arrays, of a tree and of an array."""
    bias, (scale,) = tree["rest"]
    hidden = np_.tanh(x @ tree["w"] + bias)
    return {"out": hidden * scale, "norm": (np_.sum(hidden * hidden), tree["w"] * bias)}


def ours(tree, x):
    return several(np, tree, x)


def theirs(tree, x):
    return several(jnp, tree, x)


def scalar(np_, tree):
    out = several(np_, tree, X)
    return np_.sum(np_.sin(out["out"])) * out["norm"][0] + np_.sum(out["norm"][1] ** 3)


def same(found, expected):
    """Equal structures, and leaves that are close and plain."""
    ours_, theirs_ = jax.tree.flatten(found), jax.tree.flatten(expected)
    assert ours_[1] == theirs_[1]
    for one, other in zip(ours_[0], theirs_[0], strict=True):
        assert not isinstance(one, Traceable)
        assert_close(one, np.asarray(other))


# -- structures ------------------------------------------------------------------------------------


def test_a_pullback_takes_and_gives_the_structures_of_jax():
    value, pullback = vjp(ours, TREE, X)
    expected, theirs_pulled = jax.vjp(theirs, TREE, X)
    same(value, jax.tree.map(np.asarray, expected))
    seed = {"norm": (2.0, np.array([1.0, -1.0])), "out": np.array([1.0, 0.5, 3.0])}
    for _ in range(2):
        found = pullback(seed)
        same(tuple(found), theirs_pulled(jax.tree.map(jnp.asarray, seed)))


def test_a_derivative_along_a_tangent_has_the_structure_of_the_value():
    value, tangent = jvp(ours, (TREE, X), (ALONG, 2 * X))
    expected, along = jax.jvp(theirs, (TREE, X), (ALONG, 2 * X))
    same(value, jax.tree.map(np.asarray, expected))
    same(tangent, jax.tree.map(np.asarray, along))


@pytest.mark.parametrize("argnums", [0, 1, -1, (1, 0)])
def test_a_jacobian_is_a_structure_of_structures_as_in_jax(argnums):
    found = jacobian(ours, argnums=argnums)(TREE, X)
    positive = 1 if argnums == -1 else argnums
    same(found, jax.jacrev(theirs, argnums=positive)(TREE, X))


def test_a_hessian_of_a_tree_is_a_tree_of_trees_as_in_jax():
    same(hessian(lambda t: scalar(np, t))(TREE), jax.hessian(lambda t: scalar(jnp, t))(TREE))


def test_hvp_of_a_tree_is_the_derivative_of_the_gradient_along_it():
    found = hvp(lambda t: scalar(np, t), TREE, ALONG)
    _, expected = jax.jvp(jax.grad(lambda t: scalar(jnp, t)), (TREE,), (ALONG,))
    same(found, expected)


def test_a_hessian_has_zeros_where_a_part_takes_no_part():
    found = hessian(lambda t: np.sum(t["a"] ** 3))({"a": [1.0, 2.0], "b": 5.0})
    np.testing.assert_array_equal(found["a"]["a"], [[6.0, 0.0], [0.0, 12.0]])
    np.testing.assert_array_equal(found["a"]["b"], [0.0, 0.0])
    np.testing.assert_array_equal(found["b"]["a"], [0.0, 0.0])
    np.testing.assert_array_equal(found["b"]["b"], 0.0)


@dataclass(frozen=True)
class Affine:
    weight: object
    bias: object
    name: str = "affine"


def test_dataclasses_are_arguments_and_values_of_every_transform():
    given = Affine(np.array([1.0, 2.0]), 3.0)

    def f(a):
        return Affine(a.weight * a.weight * a.bias, np.sum(a.weight), None)

    value, pullback = vjp(f, given)
    assert type(value) is Affine
    np.testing.assert_array_equal(value.weight, [3.0, 12.0])
    (found,) = pullback(Affine([1.0, 1.0], 10.0, None))
    assert (type(found), found.name) == (Affine, None)
    np.testing.assert_array_equal(found.weight, [16.0, 22.0])
    np.testing.assert_array_equal(found.bias, 5.0)
    _, tangent = jvp(f, (given,), (Affine([1.0, 0.0], 0.0),))
    np.testing.assert_array_equal(tangent.weight, [6.0, 0.0])
    np.testing.assert_array_equal(tangent.bias, 1.0)
    block = jacobian(f)(given)
    np.testing.assert_array_equal(block.weight.weight, [[6.0, 0.0], [0.0, 12.0]])
    np.testing.assert_array_equal(block.weight.bias, [1.0, 4.0])
    np.testing.assert_array_equal(block.bias.weight, [1.0, 1.0])
    np.testing.assert_array_equal(block.bias.bias, 0.0)


def test_parts_of_a_value_keep_their_dtypes():
    narrow, wide = np.ones(2, np.float32), np.ones(2)

    def f(a, b):
        return {"narrow": a * a, "wide": b * b}

    value, tangent = jvp(f, (narrow, wide), (narrow, wide))
    for part in (value, tangent):
        assert (part["narrow"].dtype, part["wide"].dtype) == (np.float32, np.float64)
    _, pullback = vjp(f, narrow, wide)
    found = pullback({"narrow": [1, 2], "wide": [3, 4]})
    assert [each.dtype for each in found] == [np.float32, np.float64]
    np.testing.assert_array_equal(found, [[2.0, 4.0], [6.0, 8.0]])


def test_a_pullback_of_structures_is_differentiated_again():
    def f(t):
        _, pullback = vjp(lambda u: {"cube": u["a"] ** 3, "twice": 2 * u["a"]}, t)
        (found,) = pullback({"cube": t["g"], "twice": t["g"]})
        return np.sum(found["a"])  # g (3 a**2 + 2)

    found = grad(f)({"a": [1.0, 2.0], "g": [3.0, 4.0]})
    np.testing.assert_allclose(found["a"], [18.0, 48.0], rtol=1e-15)
    np.testing.assert_allclose(found["g"], [5.0, 14.0], rtol=1e-15)


def test_parameters_and_models_are_arguments_of_vjp_and_jvp():
    p, layer = Parameter([2.0, 3.0]), Dense(2, 1, dtype=np.float64)
    value, pullback = vjp(lambda q, model: model(q * q), p, layer)
    weight = layer.weight.stored[:, 0]
    np.testing.assert_allclose(value, [weight @ [4.0, 9.0]], rtol=1e-15)
    dp, dlayer = pullback([1.0])
    np.testing.assert_allclose(dp, weight * [4.0, 6.0], rtol=1e-15)
    np.testing.assert_array_equal(dlayer[layer.weight], [[4.0], [9.0]])
    for tangent in ([[[1.0], [0.0]], [5.0]], dlayer):
        _, found = jvp(lambda q, model: model(q * q), (p, layer), (np.zeros(2), tangent))
        expected = 9.0 if tangent is not dlayer else 4.0 * 4.0 + 9.0 * 9.0 + 1.0
        np.testing.assert_array_equal(found, [expected])


# -- which argument --------------------------------------------------------------------------------


def product(x, y, z=2.0):
    return (x * y * y * z).sum()


@pytest.mark.parametrize("engine", [optshare_tape, optshare_functional])
def test_positions_may_be_negative_several_and_repeated(engine):
    x, y = np.array([2.0]), np.array([3.0])
    for argnum, expected in ((0, 18.0), (1, 24.0), (-1, 24.0), (-2, 18.0)):
        np.testing.assert_array_equal(engine.grad(product, argnum)(x, y), [expected])
        np.testing.assert_array_equal(engine.grad(product, argnums=argnum)(x, y), [expected])
    for argnums in ((1, 0), [1, 0], (-1, -2), np.array([1, 0])[:].tolist()):
        found = engine.grad(product, argnums=argnums)(x, y)
        assert type(found) is tuple
        np.testing.assert_array_equal(found, [[24.0], [18.0]])
    np.testing.assert_array_equal(engine.grad(product, (0, -2))(x, y), [[18.0], [18.0]])
    assert engine.grad(product, ())(x, y) == ()
    np.testing.assert_array_equal(engine.grad(product)(x, y, z=10.0), [90.0])


@pytest.mark.parametrize("argnum", [2, -3, (0, 5)])
@pytest.mark.parametrize("transform", [grad, value_and_grad, jacobian, hessian, optshare_tape.grad])
def test_a_position_that_is_not_there_is_named_with_the_count(argnum, transform):
    wrong = 5 if argnum == (0, 5) else argnum
    with pytest.raises(UnregisteredParameterError, match=rf"argument {wrong};.* 2, counted"):
        transform(product, argnum)(1.0, 2.0)


@pytest.mark.parametrize("argnum", [True, "x", (0, "y"), 1.0, (None,)])
@pytest.mark.parametrize("transform", [grad, jacobian, hessian, optshare_tape.grad])
def test_what_is_no_position_is_refused_at_once(argnum, transform):
    with pytest.raises(TypeError):
        transform(product, argnum)


def test_one_name_of_the_option_is_enough():
    with pytest.raises(TypeError, match="two names"):
        grad(product, 0, argnums=1)


def test_other_options_and_arguments_pass_through_every_transform():
    x = np.array([1.0, 2.0])

    def f(x, label, *, power, scale=1.0):
        assert label == "label"
        return (scale * x**power).sum()

    assert value_and_grad(f)(x, "label", power=2)[0] == 5.0
    np.testing.assert_array_equal(grad(f)(x, "label", power=2, scale=3.0), 6 * x)
    np.testing.assert_array_equal(jacobian(f)(x, "label", power=2), 2 * x)
    np.testing.assert_array_equal(hessian(f)(x, "label", power=3), np.diag(6 * x))


def test_a_hessian_for_two_arguments_has_four_blocks():
    found = hessian(product, (0, 1))(np.array([2.0]), np.array([3.0]))
    np.testing.assert_array_equal(found, [[[[0.0]], [[12.0]]], [[[12.0]], [[8.0]]]])


# -- aux -------------------------------------------------------------------------------------------


def with_aux(x):
    hidden = x * x
    return hidden.sum(), {"hidden": hidden, "at": [x, "text", None], "double": Affine(2 * x, 1)}


def check_aux(aux, x):
    np.testing.assert_array_equal(aux["hidden"], x * x)
    np.testing.assert_array_equal(aux["at"][0], x)
    assert aux["at"][1:] == ["text", None]
    np.testing.assert_array_equal(aux["double"].weight, 2 * x)
    for each in (aux["hidden"], aux["at"][0], aux["double"].weight):
        assert type(each) is np.ndarray
        assert not np.shares_memory(each, x)


@pytest.mark.parametrize("engine", [optshare_tape, optshare_functional])
def test_aux_comes_back_plain_beside_the_gradient(engine):
    x = np.array([1.0, 2.0])
    found, aux = engine.grad(with_aux, has_aux=True)(x)
    np.testing.assert_array_equal(found, 2 * x)
    check_aux(aux, x)


def test_aux_stands_where_jax_has_it():
    x = np.array([1.0, 2.0])
    (value, aux), found = value_and_grad(with_aux, has_aux=True)(x)
    assert value == 5.0
    np.testing.assert_array_equal(found, 2 * x)
    check_aux(aux, x)
    value, pullback, aux = vjp(with_aux, x, has_aux=True)
    np.testing.assert_array_equal(pullback(3.0)[0], 6 * x)
    check_aux(aux, x)
    value, tangent, aux = jvp(with_aux, (x,), ([1.0, 0.0],), has_aux=True)
    assert (value, tangent) == (5.0, 2.0)
    check_aux(aux, x)
    found, aux = jacobian(with_aux, has_aux=True)(x)
    np.testing.assert_array_equal(found, 2 * x)
    check_aux(aux, x)
    found, aux = hessian(with_aux, has_aux=True)(x)
    np.testing.assert_array_equal(found, 2 * np.eye(2))
    check_aux(aux, x)


def test_aux_of_an_inner_differentiation_is_tracked_by_the_outer():
    def outer(x):
        slope, aux = grad(lambda y: (y * y * x, y * x), has_aux=True)(x)
        assert isinstance(aux, Traceable)
        return slope * aux  # 2 x**2 * x**2

    np.testing.assert_allclose(grad(outer)(1.5), 8 * 1.5**3, rtol=1e-15)


@pytest.mark.parametrize("output", [3.0, (3.0,), (1.0, 2.0, 3.0), [1.0, 2.0], None])
@pytest.mark.parametrize("transform", [grad, jacobian, optshare_tape.grad])
def test_a_function_without_its_aux_is_told_so(output, transform):
    with pytest.raises(DifferentiationError, match=r"\(value, aux\)"):
        transform(lambda x: output, has_aux=True)(1.0)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("output", [None, {}, [], (None, {})])
@pytest.mark.parametrize(
    "call", [lambda f: vjp(f, 1.0), lambda f: jacobian(f)(1.0), lambda f: jvp(f, (1.0,), (1.0,))]
)
def test_a_function_that_returns_no_array_is_refused(output, call):
    with pytest.raises(DifferentiationError, match="forget to return"):
        call(lambda x: output)


def test_a_function_that_returns_something_else_is_refused_by_name():
    for output in ("text", {"a": {1, 2}}, [object()]):
        with pytest.raises(DifferentiationError, match=r"returned a (str|set|object)"):
            vjp(lambda x, output=output: output, 1.0)


def test_cotangents_and_tangents_of_another_form_are_refused():
    _, pullback = vjp(ours, TREE, X)
    for seed in ({"out": np.ones(3)}, np.ones(3), None):
        with pytest.raises(DifferentiationError, match="same structure"):
            pullback(seed)
    with pytest.raises(DifferentiationError, match=r"\(2,\).*\(3,\)"):
        pullback({"out": np.ones(2), "norm": (1.0, np.ones(2))})
    with pytest.raises(DifferentiationError, match="same structure"):
        jvp(ours, (TREE, X), ({"w": ALONG["w"]}, X))
    with pytest.raises(DifferentiationError, match="shapes"):
        jvp(ours, (TREE, X), ({**ALONG, "w": np.ones(3)}, X))
    with pytest.raises(DifferentiationError, match="tuple of 1"):
        jvp(ours, (TREE, X), (TREE,))


# -- models ----------------------------------------------------------------------------------------


class Net:
    def __init__(self):
        self.first, self.second = Dense(2, 3, dtype=np.float64), Dense(3, 1, dtype=np.float64)

    def predict(self, x):
        return self.second(np.tanh(self.first(x)))

    def __call__(self, x, y, *, scale=1.0):
        error = self.predict(x) - y
        return scale * (error * error).sum()


@pytest.mark.parametrize("engine", [optshare_tape, optshare_functional])
def test_the_gradient_of_a_model_is_parallel_to_its_parameters(engine):
    net, y = Net(), X[:, :1]
    net.second.bias.frozen = True
    found = engine.grad(net)(X, y, scale=2.0)
    (w, b, v, c) = params(net)
    hidden = np.tanh(X @ w.stored + b.stored)
    error = 4.0 * (hidden @ v.stored + c.stored - y)
    inner = (error @ v.stored.T) * (1 - hidden**2)
    assert len(found) == 4
    for each, expected in zip(
        list(found)[:3], (X.T @ inner, inner.sum(0), hidden.T @ error), strict=True
    ):
        assert_close(each, expected)
    assert list(found)[3] is None
    assert found[w] is next(iter(found))
    assert all(type(each) is np.ndarray for each in (w.value, b.value))


@pytest.mark.parametrize("engine", [optshare_tape, optshare_functional])
def test_a_position_asks_a_model_for_its_argument(engine):
    net, y = Net(), X[:, :1]
    found = engine.grad(net, argnum=0)(X, y)
    expected = engine.grad(lambda x: net(x, y))(X)
    assert found.shape == X.shape
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("engine", [optshare_tape, optshare_functional])
def test_functions_and_methods_are_differentiated_for_their_arguments(engine):
    net = Net()

    def loss(x):
        return net.predict(x).sum()

    class Owner:
        def __init__(self):
            self.net = net

        def loss(self, x):
            return self.net.predict(x).sum()

    expected = engine.grad(loss)(X)
    assert expected.shape == X.shape
    wrapped, operation = lru_cache(loss), engine.primitive(loss)
    operation.defvjp(lambda g, y, x: g * expected)
    for f in (Owner().loss, partial(Owner.loss, Owner()), wrapped, operation):
        np.testing.assert_array_equal(engine.grad(f)(X), expected)
    np.testing.assert_array_equal(engine.grad(np.sum)(X), np.ones_like(X))


def test_value_and_aux_of_a_model():
    class WithAux(Net):
        def __call__(self, x, y):
            return super().__call__(x, y), self.predict(x)

    net, y = WithAux(), X[:, :1]
    (value, out), found = value_and_grad(net, has_aux=True)(X, y)
    np.testing.assert_allclose(value, ((out - y) ** 2).sum(), rtol=1e-15)
    assert len(found) == 4


def test_the_jacobian_of_a_model_is_for_its_input():
    layer = Dense(2, 3, dtype=np.float64)
    np.testing.assert_array_equal(jacobian(layer)(np.ones(2)), layer.weight.stored.T)
