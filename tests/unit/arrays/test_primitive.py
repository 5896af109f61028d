"""Primitives, levels and the casting of cotangents."""

import numpy as np
import pytest
from numpy.testing import assert_equal

import optshare_arrays
import optshare_functional
import optshare_tape
from optshare.errors import DifferentiationError, EscapedValueError, NoDerivativeError
from optshare_arrays import Primitive, Scope, Tracked, next_level, ops, own, plain
from optshare_arrays.namespace import __all__ as names


class Noting(Scope):
    """A differentiation that remembers which primitives it recorded."""

    def __init__(self, level):
        super().__init__(Tracked, level)
        self.seen = []

    def record(self, primitive, args, kwargs):
        before = len(self.seen)
        recorded = super().record(primitive, args, kwargs)
        if recorded.scope is self:
            self.seen.insert(before, primitive.name)
        return recorded


def test_a_primitive_of_plain_arrays_is_its_forward_function():
    double = Primitive(lambda x, by: x * by, name="scale")
    assert double(3, by=2) == 6
    assert repr(double) == "<primitive scale>"


@pytest.mark.parametrize("swapped", [False, True])
def test_the_value_of_the_highest_level_records_first(swapped):
    scopes = Noting(1), Noting(2)
    low, high = (each.leaf(np.ones(2)) for each in scopes)
    add = Primitive(np.add)
    pair = (high, low) if swapped else (low, high)
    both = add(*pair)
    assert [each.seen for each in scopes] == [["add"], ["add"]]
    assert both.scope is scopes[1]
    assert both.value.scope is scopes[0]
    assert_equal(plain(both), [2.0, 2.0])
    assert add(low, 1.0).scope is scopes[0]
    assert [each.seen for each in scopes] == [["add", "add"], ["add"]]


def test_a_later_differentiation_has_a_higher_level():
    one, other = next_level(), next_level()
    assert 0 < one < other


def test_plain_goes_through_every_level():
    array = np.ones(2)
    assert plain(Scope(Tracked).leaf(Scope(Tracked).leaf(array))) is array
    assert plain(3.0) == 3.0


def test_an_argument_without_a_derivative_raises_and_is_named():
    half = Primitive(lambda x, y: x * y, [lambda g, z, x, y: g * y], name="half")
    assert optshare_functional.grad(lambda x: half(x, 3.0))(2.0) == 3.0
    for engine in (optshare_tape, optshare_functional):
        with pytest.raises(NoDerivativeError, match=r"half.* argument 1"):
            engine.grad(lambda y: half(2.0, y))(3.0)


def test_a_new_primitive_is_differentiated_to_any_order(engine):
    cube = Primitive(lambda x: x**3, [lambda g, y, x: g * 3 * x**2], name="cube")
    assert engine.grad(cube)(2.0) == 12.0
    assert engine.grad(engine.grad(cube))(2.0) == 12.0
    assert engine.grad(engine.grad(engine.grad(cube)))(2.0) == 6.0


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("max", ops.max),
        ("min", ops.min),
        ("sum", ops.sum),
        ("logsumexp", ops.logsumexp),
        ("exp", ops.exp),
        ("relu", ops.nn.relu),
        ("log_softmax", ops.nn.log_softmax),
        ("getitem", lambda x: x[0]),
        ("concat", lambda x: ops.concat([x, x])),
        ("where", lambda x: ops.where(True, x, 0.0)),
        ("cumulative_sum", ops.cumulative_sum),
        ("reshape", lambda x: ops.reshape(x, (2, 1))),
    ],
)
def test_an_error_names_the_function_as_users_know_it(name, call, engine):
    escaped = []
    engine.grad(lambda x: (escaped.append(x), x.sum())[1])(np.ones(2))
    with pytest.raises(EscapedValueError, match=rf"^{name} "):
        call(escaped[0])


def test_the_namespace_lists_only_what_it_has():
    assert len(names) == len(set(names))
    for name in names:
        assert hasattr(ops, name), name
    assert optshare_arrays.ops is ops


def test_owned_gradients_share_memory_with_nothing():
    array, seed = np.ones(3), np.ones(3)
    base = np.arange(6.0)
    frozen = np.ones(3)
    frozen.flags.writeable = False
    given = [seed, base[:3], base[:3], frozen, np.float64(2), None, array]
    inputs = [np.ones(3)] * 4 + [np.ones(()), array, array]
    found = own(given, inputs, seed)
    assert found[5] is None
    arrays = [each for each in found if each is not None]
    for place, each in enumerate(arrays):
        assert type(each) is np.ndarray
        assert each.flags.writeable
        for other in [*arrays[:place], array, seed, base, frozen]:
            assert not np.shares_memory(each, other)
    np.testing.assert_array_equal(found[1], [0.0, 1.0, 2.0])


def test_owned_gradients_have_their_inputs_shapes_and_dtypes():
    (found,) = own([np.ones((4, 3))], [np.zeros((1, 3), np.float32)], None)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[4.0, 4.0, 4.0]])


def test_a_vjp_of_an_impossible_shape_is_named(engine):
    twice = Primitive(lambda x: 2 * x, [lambda g, y, x: np.ones(5)], name="twice")
    with pytest.raises(DifferentiationError, match=r"shape \(5,\) for an argument of shape \(3,\)"):
        engine.grad(lambda x: ops.sum(twice(x)))(np.ones(3))
