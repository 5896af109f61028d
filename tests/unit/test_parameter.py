import copy
import operator
import pickle
import weakref

import numpy as np
import pytest

import optshare
from optshare.errors import ImplicitUnwrapError, InPlaceError, ParameterError
from optshare.parameter import Buffer, Parameter, floating, is_array
from optshare.slots import Slot

# -- what it takes -----------------------------------------------------------------------------


def test_a_parameter_copies_the_array_that_it_is_given():
    array = np.array([1.0, 2.0])
    p = Parameter(array)
    array[0] = 9.0
    assert p.value.tolist() == [1.0, 2.0]


def test_an_assigned_array_is_copied_too():
    p, array = Parameter([0.0, 0.0]), np.array([1.0, 2.0])
    p.value = array
    array[0] = 9.0
    assert p.value.tolist() == [1.0, 2.0]


def test_two_parameters_never_share_an_array():
    p, q = Parameter([1.0]), Parameter([2.0])
    q.value = p.value
    assert not np.shares_memory(p.value, q.value)


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        ([1, 2], "float64"),
        (3, "float64"),
        (np.arange(2), "float64"),
        (np.ones(2, np.uint8), "float64"),
        (np.ones(2, np.float16), "float16"),
        (np.ones(2, np.float32), "float32"),
        (np.float32(1.0), "float32"),
        ([1j], "complex128"),
    ],
)
def test_integers_become_floats_and_other_numbers_keep_their_dtype(given, dtype):
    p = Parameter(given)
    assert p.dtype == dtype
    np.testing.assert_array_equal(p.value, given)


def test_a_dtype_may_be_asked_for():
    assert Parameter([1, 2], np.float32).dtype == np.float32
    assert Parameter(np.ones(2), np.float16).dtype == np.float16


@pytest.mark.parametrize("given", [True, [True], "abc", ["a"], None, {}, object(), np.array(["a"])])
def test_what_is_not_a_number_is_refused(given):
    with pytest.raises(ParameterError, match="needs"):
        Parameter(given)


@pytest.mark.parametrize("kind", [Parameter, Buffer])
def test_a_box_does_not_end_up_inside_a_box(kind):
    inner = Parameter([1.0])
    try:
        outer = kind(inner)
    except optshare.OptshareError as error:
        assert ".value" in str(error)  # noqa: PT017 # refusing and unboxing are both right
    else:
        assert type(outer.value) is np.ndarray


@pytest.mark.parametrize("kind", [Parameter, Buffer])
def test_assigning_a_parameter_does_not_put_a_box_inside_a_box(kind):
    p, q = kind([1.0]), Parameter([2.0])
    try:
        p.value = q
    except optshare.OptshareError as error:
        assert ".value" in str(error)  # noqa: PT017 # refusing and unboxing are both right
    assert type(p.value) is np.ndarray


# -- assignment --------------------------------------------------------------------------------


def test_assigning_a_value_keeps_the_identity():
    p = Parameter([1.0, 2.0])
    known = {p: "p"}
    p.value = [3, 4]
    assert known[p] == "p"
    assert p.value.tolist() == [3.0, 4.0]
    assert p.dtype == np.float64


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (np.zeros(3), r"shape \(2,\).*\(3,\)"),
        (np.zeros((2, 1)), r"shape \(2,\).*\(2, 1\)"),
        (1.0, r"shape \(2,\).*\(\)"),
        (np.zeros(2, np.float32), "dtype float64.*float32"),
        (np.zeros(2, int), "dtype float64.*int"),
        (None, "None"),
    ],
)
def test_a_value_of_another_shape_or_dtype_is_refused_and_names_migrate(wrong, says):
    p = Parameter([1.0, 2.0])
    with pytest.raises(ParameterError, match=says) as caught:
        p.value = wrong
    assert "migrate" in str(caught.value)
    assert p.value.tolist() == [1.0, 2.0]


def test_migrate_takes_another_shape_and_dtype_and_keeps_the_identity():
    p = Parameter([1.0, 2.0])
    known = {p}
    p.migrate(np.ones((3, 1), np.float32))
    assert p in known
    assert (p.shape, p.dtype) == ((3, 1), np.float32)


def test_migrate_copies_what_it_takes():
    p, array = Parameter([1.0]), np.zeros(2)
    p.migrate(array)
    array[0] = 9.0
    assert p.value.tolist() == [0.0, 0.0]


def test_an_array_like_attribute_of_the_box_describes_its_value():
    p = Parameter(np.zeros((2, 3), np.float32))
    assert (p.shape, p.dtype, p.ndim, p.size, len(p)) == ((2, 3), np.float32, 2, 6, 2)


# -- operators ---------------------------------------------------------------------------------

BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.matmul,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.eq,
    operator.ne,
]


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("other", [np.array([3.0, 2.0]), Parameter([3.0, 2.0])])
def test_a_parameter_acts_as_its_value_on_either_side_of_an_operator(op, other):
    p, array = Parameter([1.0, 2.0]), np.array([1.0, 2.0])
    plain = other.value if isinstance(other, Parameter) else other
    for found, wanted in (
        (op(p, other), op(array, plain)),
        (op(other, p), op(plain, array)),
    ):
        assert type(found) is type(wanted)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("op", [each for each in BINARY if each is not operator.matmul])
def test_a_parameter_acts_as_its_value_beside_a_number(op):
    p, array = Parameter([1.0, 2.0]), np.array([1.0, 2.0])
    np.testing.assert_array_equal(op(p, 2), op(array, 2))
    np.testing.assert_array_equal(op(2, p), op(2, array))


@pytest.mark.parametrize("op", [operator.neg, operator.pos, operator.abs])
def test_a_parameter_acts_as_its_value_under_a_unary_operator(op):
    found = op(Parameter([-1.0, 2.0]))
    assert type(found) is np.ndarray
    assert found.tolist() == op(np.array([-1.0, 2.0])).tolist()


def test_indexing_gives_what_the_array_gives():
    p, array = Parameter([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])
    for index in (0, (0, 1), slice(1, None), (slice(None), 1), array > 1, [1, 1]):
        np.testing.assert_array_equal(p[index], array[index])


def test_operators_keep_the_dtype_of_single_precision():
    assert (2 * Parameter([1.0], np.float32) + 1.5).dtype == np.float32


def test_an_array_cannot_take_up_a_parameter_in_place():
    x, p = np.array([1.0]), Parameter([2.0])
    with pytest.raises(TypeError):
        x += p
    assert x.tolist() == [1.0]


@pytest.mark.parametrize(
    "op",
    [
        operator.iadd,
        operator.isub,
        operator.imul,
        operator.itruediv,
        operator.ifloordiv,
        operator.imod,
        operator.ipow,
        operator.imatmul,
    ],
)
@pytest.mark.parametrize("box", [Parameter([1.0]), Buffer([1.0])])
def test_an_in_place_operator_is_refused_and_names_the_fix(op, box):
    with pytest.raises(InPlaceError, match=r"p\.value = "):
        op(box, np.ones(1))
    assert box.stored.tolist() == [1.0]


def test_writing_by_index_is_refused_and_names_the_fix():
    p = Parameter([1.0])
    with pytest.raises(InPlaceError, match=r"p\.value = "):
        p[0] = 2.0
    assert p.value.tolist() == [1.0]


def test_a_layers_parameter_is_not_replaced_by_an_array():
    layer = optshare.Dense(2, 2)
    weight = layer.weight
    with pytest.raises(InPlaceError, match=r"layer\.weight\.value = "):
        layer.weight = np.zeros((2, 2))
    with pytest.raises(InPlaceError, match=r"p\.value = "):
        layer.weight -= 1.0
    assert layer.weight is weight


def test_a_layers_parameter_may_be_replaced_by_a_parameter():
    layer, other = optshare.Dense(2, 2), Parameter(np.zeros((2, 2)))
    layer.weight = other
    assert layer.weight is other


# -- NumPy -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        np.sum,
        np.mean,
        np.asarray,
        np.array,
        np.shape,
        np.zeros_like,
        np.linalg.norm,
        lambda p: np.concatenate([p, p]),
        lambda p: np.where(True, p, 0.0),
        lambda p: np.dot(np.ones(2), p),
        lambda p: np.asarray([p, p]),
        lambda p: np.ones(2).dot(p),
    ],
)
@pytest.mark.parametrize("kind", [Parameter, Buffer])
def test_a_function_of_numpy_refuses_to_unwrap_a_box_and_names_its_value(call, kind):
    with pytest.raises(ImplicitUnwrapError, match=r"pass p\.value instead"):
        call(kind([1.0, 2.0]))


@pytest.mark.parametrize(
    "call",
    [np.exp, np.add.reduce, lambda p: np.add(1.0, p), lambda p: np.multiply(p, np.ones(2))],
)
def test_a_ufunc_refuses_a_box(call):
    with pytest.raises(TypeError):
        call(Parameter([1.0, 2.0]))


def test_a_box_switches_ufuncs_off():
    assert Parameter.__array_ufunc__ is None
    assert Buffer.__array_ufunc__ is None


def test_ops_refuses_a_box_and_names_its_value():
    with pytest.raises(ImplicitUnwrapError, match=r"pass p\.value instead"):
        optshare.ops.exp(Parameter([1.0]))


# -- identity ----------------------------------------------------------------------------------


def test_equality_is_elementwise_and_the_hash_is_the_identity():
    p, same = Parameter([1.0, 2.0]), Parameter([1.0, 5.0])
    assert (p == same).tolist() == [True, False]
    assert (p != same).tolist() == [False, True]
    assert hash(p) != hash(Parameter([1.0, 2.0]))
    assert len({p, same, p}) == 2


def test_iterating_a_parameter_ends_and_gives_its_rows():
    assert [row.tolist() for row in Parameter([[1.0], [2.0]])] == [[1.0], [2.0]]
    assert list(Parameter(np.zeros((0, 2)))) == []


def test_a_scalar_parameter_has_no_length_and_does_not_iterate():
    p = Parameter(3.0)
    with pytest.raises(TypeError, match="0-d"):
        len(p)
    with pytest.raises(TypeError, match="0-d"):
        iter(p)


def test_truth_and_float_are_those_of_the_value():
    assert bool(Parameter(1.0))
    assert not bool(Parameter(0.0))
    assert float(Parameter(2.5)) == 2.5
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Parameter([1.0, 2.0]))


def test_repr_shows_the_kind_and_the_array():
    assert repr(Parameter([1.0])) == "Parameter(array([1.]))"
    assert repr(Buffer(0)) == "Buffer(array(0))"


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))], ids=["copy", "pickle"]
)
def test_a_copy_has_its_own_identity_and_keeps_ties_and_flags(clone):
    p, same = Parameter([1.0]), Parameter([1.0])
    p.frozen = True
    one, tied, other = clone([p, p, same])
    assert one is tied
    assert one is not p
    assert other is not one
    assert (one.frozen, other.frozen) == (True, False)
    one.value = [5.0]
    assert (p.value.tolist(), other.value.tolist()) == ([1.0], [1.0])


def test_a_parameter_can_be_referred_to_weakly():
    p = Parameter([1.0])
    reference = weakref.ref(p)
    assert reference() is p
    del p
    assert reference() is None


# -- Buffer and Slot ---------------------------------------------------------------------------


def test_a_buffer_keeps_integers_and_is_no_parameter():
    b = Buffer(0)
    b.value = b.value + 1
    assert b.value == 1
    assert b.dtype == np.int64
    assert optshare.params([b]) == []


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros(2, np.float32)])
def test_a_buffer_refuses_another_shape_and_dtype(wrong):
    b = Buffer([1.0, 2.0])
    with pytest.raises(ParameterError, match="migrate"):
        b.value = wrong
    assert b.value.tolist() == [1.0, 2.0]


def test_a_slot_borrows_the_callers_array_and_writes_into_it():
    array = np.array([1.0, 2.0])
    slot = Slot(array)
    slot.value = [3.0, 4.0]
    assert slot.value is array
    assert array.tolist() == [3.0, 4.0]


def test_a_slot_refuses_an_array_of_integers():
    with pytest.raises(ParameterError, match="floating dtype"):
        Slot(np.arange(2))


def test_an_array_is_what_has_a_shape_and_a_dtype():
    class Foreign:
        shape, dtype = (2,), "float32"

    class Late:
        def __init__(self):
            self.shape, self.dtype = (2,), "float32"

    assert is_array(Foreign())
    assert is_array(Late())
    assert is_array(np.float64(1.0))
    assert not is_array(Foreign)
    assert not is_array([1.0])


def test_floating_converts_integers_and_keeps_floats():
    assert floating([1, 2]).dtype == np.float64
    array = np.ones(2, np.float16)
    assert floating(array) is array
