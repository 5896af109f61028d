"""Dicts, lists and tuples as arguments, nested, as in HIPS autograd's tests of them."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from tests.unit.cases.agreement import assert_close, drawn

A, B, C = drawn((5, 6)), drawn((4, 3)), drawn((2, 4))
NAMED = {"item_1": A, "item_2": B, "item_X": C}


def sines(n, thing):
    """A scalar of every array in a container."""
    if isinstance(thing, dict):
        return sum(n.sin(k + 1.0) * sines(n, thing[each]) for k, each in enumerate(sorted(thing)))
    if isinstance(thing, list | tuple):
        return sum((k + 1.0) * sines(n, each) for k, each in enumerate(thing))
    return n.sum(n.sin(thing) * thing)


CASES = {
    "two of a dict, one of them twice": (
        lambda n, d: n.sum(d["item_1"]) + n.sum(d["item_2"]) + n.sum(d["item_2"]),
        NAMED,
    ),
    "waves of a dict": (
        lambda n, d: n.sum(n.sin(d["item_1"])) + n.sum(n.cos(d["item_2"])),
        NAMED,
    ),
    "every key in order": (
        lambda n, d: sum((i + 1.0) * n.sum(n.sin(d[k])) for i, k in enumerate(sorted(d))),
        NAMED,
    ),
    "items, values and keys": (
        lambda n, d: (
            sum(n.sum(n.sin(v)) for _, v in sorted(d.items()))
            + sum(n.sum(n.cos(v)) for v in d.values())
            + sum(n.sum(d[k] ** 2) for k in list(d.keys()))
        ),
        NAMED,
    ),
    "get, where it is": (lambda n, d: d.get("a", 2.0) ** 2, {"a": 3.0, "b": 1.0}),
    "two of a list": (lambda n, x: n.sum(x[0]) + n.sum(x[1]) + n.sum(x[1]), [A, B, C]),
    "waves of a list": (lambda n, x: n.sum(n.sin(x[0])) + n.sum(n.cos(x[1])), [A, B, C]),
    "a slice of a list": (lambda n, x: n.sum(x[1:][0] ** 3) + n.sum(x[:-1][0] ** 2), [A, B, C]),
    "two of a tuple": (lambda n, x: n.sum(x[0]) + n.sum(x[1]) + n.sum(x[1]), (A, B, C)),
    "waves of a tuple": (lambda n, x: n.sum(n.sin(x[0])) + n.sum(n.cos(x[1])), (A, B, C)),
    "unpacked": (lambda n, x: (lambda a, b: n.sum(n.dot(a[:2, :4], b)) ** 2)(*x), (A, B)),
    "lists in a dict": (
        lambda n, d: n.sum(n.tanh(n.dot(d["w"][0], d["w"][1]["v"]))) * d["scale"],
        {"w": [drawn((2, 3)), {"v": B.T, "unused": C}], "scale": 1.5},
    ),
    "a tuple in a list in a tuple": (
        lambda n, x: n.sum(x[0][1][0] * x[1]) ** 2 + n.sum(x[0][0] ** 3),
        ([A, (B, C)], drawn((4, 1))),
    ),
    "layers of a network": (
        lambda n, layers: n.sum(
            n.tanh(
                n.dot(n.tanh(n.dot(C, layers[0][0]) + layers[0][1]), layers[1][0]) + layers[1][1]
            )
        ),
        [(B, drawn((3,))), (drawn((3, 2)), drawn((2,)))],
    ),
}


def leaves(thing):
    """The arrays in a container, by place; `None` for what has no path."""
    if isinstance(thing, dict):
        return [each for key in sorted(thing) for each in leaves(thing[key])]
    if isinstance(thing, list | tuple):
        return [each for member in thing for each in leaves(member)]
    return [thing]


def assert_same(found, expected):
    """The same structure, and the same numbers; a zero gradient may be absent."""
    assert type(found) is type(expected) or not isinstance(expected, dict | list | tuple)
    ours, theirs = leaves(found), leaves(expected)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert_close(np.zeros(np.shape(other)) if one is None else one, other)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_a_container_has_its_structure_and_autograds_numbers(name, engine):
    f, argument = CASES[name]
    found = engine.grad(lambda x: f(np, x))(argument)
    assert_same(found, autograd.grad(lambda x: f(anp, x))(argument))


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_a_container_is_differentiated_again(name, engine):
    f, argument = CASES[name]

    def total(n, arrays, gradients):
        waves = sum(n.sum(n.sin(each)) for each in gradients if each is not None)
        return waves + sum(n.sum(each**2) for each in arrays)

    def ours(x):
        return total(np, leaves(x), leaves(engine.grad(lambda y: f(np, y))(x)))

    def theirs(*arrays):
        slope = autograd.grad(lambda *ys: f(anp, rebuilt(argument, iter(ys))), every)
        return total(anp, arrays, slope(*arrays))

    arrays = leaves(argument)
    every = tuple(range(len(arrays)))
    expected = autograd.grad(theirs, every)(*arrays)
    for one, other in zip(leaves(engine.grad(ours)(argument)), expected, strict=True):
        assert_close(one, other)


def rebuilt(like, arrays):
    """A container like another, of arrays by place."""
    if isinstance(like, dict):
        return {key: rebuilt(like[key], arrays) for key in sorted(like)}
    if isinstance(like, list | tuple):
        return type(like)(rebuilt(each, arrays) for each in like)
    return next(arrays)


def test_a_container_in_a_nested_derivative_agrees_to_the_third_order(engine):
    """Autograd's `test_nested_higher_order`."""

    def outer(x):
        inner = engine.gradient(lambda y: y[0] * y[1], (x * 1.0, x * 1.0))[0]
        return np.sum(np.sin(np.stack(list(inner))))

    def by_hand(x, order):
        waves = (np.sin, np.cos, lambda a: -np.sin(a), lambda a: -np.cos(a))
        return 2 * waves[order % 4](x)

    f = outer
    for order in (1, 2, 3):
        f = engine.grad(f)
        assert_close(f(5.0), by_hand(5.0, order))


def test_what_is_not_used_has_no_path(engine):
    found = engine.grad(lambda d: np.sum(d["item_1"]))(NAMED)
    np.testing.assert_array_equal(found["item_1"], np.ones((5, 6)))
    assert found["item_2"] is None
    assert found["item_X"] is None


def test_an_argument_keeps_its_kind_inside_the_function(engine):
    def first(x):
        seen.append(type(x))
        return np.sum(x[0])

    seen = []
    for thing in ({0: A}, [A, B], (A, B)):
        engine.grad(first)(thing)
    assert seen == [dict, list, tuple]
