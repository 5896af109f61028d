"""Shaped: what it has, what it refuses, and how it meets other arrays and Parameters."""

import copy
import operator
import pickle

import numpy as np
import pytest

from optshare import Buffer, Parameter
from optshare.errors import DataError, ImplicitUnwrapError, InPlaceError, NoNumbersError
from optshare.shapes import Shaped, ops
from optshare.shapes.reading import dtype_of
from tests.unit.shapes.agreement import described

X = Shaped((2, 3), np.float32)


def test_it_has_a_shape_and_a_dtype_and_shows_them():
    assert (X.shape, X.dtype, X.ndim, X.size, len(X)) == ((2, 3), np.dtype("float32"), 2, 6, 2)
    assert repr(X) == f"{X}" == "Shaped((2, 3), float32)"
    assert Shaped(5, "i8").shape == (5,)
    assert Shaped([np.int64(2), 3], bool).shape == (2, 3)
    assert type(Shaped([np.int64(2)], bool).shape[0]) is int


@pytest.mark.parametrize("shape", [(2, -1), (2.5,), "ab", None, ((1, 2),)])
def test_a_shape_is_made_of_whole_numbers(shape):
    with pytest.raises(DataError, match="shape="):
        Shaped(shape, "f4")


def test_an_array_that_no_memory_could_address_is_refused():
    assert Shaped((2**31, 2**31), "i1").size == 2**62
    for shape, dtype in (((2**32, 2**31), "i1"), ((2**31, 2**31), "f4")):
        with pytest.raises(DataError, match="more bytes than an array can have"):
            Shaped(shape, dtype)


def test_it_is_not_changed():
    for name in ("shape", "dtype", "T", "more"):
        with pytest.raises(AttributeError):
            setattr(X, name, (1,))
    with pytest.raises(InPlaceError, match="use where, or concat parts"):
        X[0] = 1.0
    with pytest.raises(InPlaceError, match=r"numpy\.exp cannot write"):
        np.exp(X, out=np.zeros((2, 3)))
    with pytest.raises(InPlaceError, match=r"numpy\.sum cannot write"):
        np.sum(X, out=np.zeros(()))
    y = X
    y += 1.0
    assert y is not X


def test_it_is_its_own_copy_and_can_be_pickled():
    assert copy.copy(X) is copy.deepcopy(X) is X
    assert described(pickle.loads(pickle.dumps(X))) == described(X)


@pytest.mark.parametrize(
    "asked",
    [
        float,
        int,
        bool,
        complex,
        operator.index,
        np.asarray,
        np.array,
        lambda x: [0, 1][x],
        lambda x: x.item(),
        lambda x: x.tolist(),
        lambda x: f"{x:.3f}",
        lambda x: 1 if x > 0 else 2,
        lambda x: range(x),
        lambda x: np.zeros(2)[x],
        lambda x: np.array([x, x]),
        lambda x: ops.asarray([x, x]),
        lambda x: ops.arange(x),
        lambda x: Shaped((4,), "f4")[x:],
        lambda x: x in [Shaped((), "i4")],
    ],
)
def test_a_number_is_refused_with_the_fix(asked):
    with pytest.raises(NoNumbersError, match="call the model on real data instead"):
        asked(Shaped((), "i4"))


def test_the_message_says_who_calls_a_model_without_computing():
    with pytest.raises(TypeError) as caught:
        float(X)
    for said in ("Shaped((2, 3), float32)", "shape but no numbers", "outputsize()", "float(x)"):
        assert said in str(caught.value)


def test_it_is_iterated_over_the_first_axis():
    rows = list(X)
    assert [described(each) for each in rows] == [((3,), "float32")] * 2
    with pytest.raises(TypeError):
        len(Shaped((), "f4"))
    with pytest.raises(TypeError):
        iter(Shaped((), "f4"))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
@pytest.mark.parametrize("other", [2, 2.0, np.ones(3, np.int8), np.float64(2), np.ones((2, 3))])
def test_an_operator_takes_numbers_and_arrays_on_both_sides(name, other):
    function, ones = getattr(operator, name), np.ones((2, 3), np.float32)
    assert described(function(X, other)) == described(function(ones, other))
    assert described(function(other, X)) == described(function(other, ones))


@pytest.mark.parametrize("name", ["and_", "or_", "xor"])
def test_truths_are_combined(name):
    function = getattr(operator, name)
    assert described(function(X > 0, np.ones(3, bool))) == ((2, 3), "bool")
    assert described(function(np.ones(3, bool), X > 0)) == ((2, 3), "bool")
    assert described(~(X > 0)) == ((2, 3), "bool")


@pytest.mark.parametrize("box", [Parameter(np.ones((3, 5), np.float32)), Buffer(np.ones((3, 5)))])
def test_a_box_is_read_by_operators_and_refused_by_functions(box):
    assert described(X @ box)[0] == (2, 5)
    assert described(X.T * box[:, :2])[0] == (3, 2)
    for call in (lambda: ops.matmul(X, box), lambda: ops.stack([box, X])):
        with pytest.raises(ImplicitUnwrapError, match=r"p\.value"):
            call()


class Foreign:
    """An array of a library that optshare does not know."""

    def __init__(self, shape, dtype):
        self.shape, self.dtype = shape, dtype


def test_an_array_of_any_library_is_a_constant_beside_it():
    import torch

    mask = Foreign((2, 1), "library.float64")
    assert described(ops.multiply(X, mask)) == ((2, 3), "float64")
    assert described(X + mask) == ((2, 3), "float64")
    assert described(X * torch.ones(3, dtype=torch.float64)) == ((2, 3), "float64")
    assert dtype_of(torch.int32) == np.int32
    with pytest.raises(DataError, match=r"NumPy has no dtype library\.float8"):
        ops.multiply(X, Foreign((2, 1), "library.float8"))


# -- NumPy's functions ------------------------------------------------------------------------

A, B, V = np.ones((2, 3), np.float32), np.ones((3, 4)), np.ones(4, np.float32)
NUMPY = """
np.exp(a)
np.add(a, 1)
np.add(a, [1, 2, 3])
np.cbrt(a)
np.fmod(a, 2)
np.heaviside(a, 0.5)
np.divmod(a, 2)
np.modf(a)
np.isclose(a, 1.0)
np.nan_to_num(a)
np.sinc(a)
np.angle(a)
np.around(a, 2)
np.round(a)
np.where(a > 0, a, 0)
np.clip(a, 0, 1)
np.clip(a, min=0, max=1)
np.real(a)
np.imag(a)
np.conj(a)
np.sum(a)
np.sum(a, 1)
np.sum(a, axis=0, keepdims=True)
np.sum(a, dtype=np.int64)
np.mean(a, axis=-1)
np.prod(a, axis=0)
np.max(a, axis=1)
np.amin(a)
np.var(a, ddof=1)
np.std(a, axis=1, ddof=1)
np.all(a)
np.any(a, axis=0)
np.argmax(a, axis=1)
np.argmin(a)
np.ptp(a, axis=0)
np.count_nonzero(a, axis=0)
np.nansum(a, axis=0)
np.nanmax(a)
np.linalg.norm(a)
np.linalg.norm(a, axis=1, keepdims=True)
np.linalg.norm(a, 1, 1)
np.cumsum(a)
np.cumsum(a, axis=1)
np.cumprod(a)
np.cumprod(a, axis=1)
np.cumulative_sum(a, axis=1)
np.diff(a)
np.diff(a, 1, 0)
np.diff(a, prepend=0)
np.diff(a, prepend=a)
np.reshape(a, (3, 2))
np.ravel(a)
np.ravel(a[:0])
np.transpose(a)
np.transpose(a[None], (2, 0, 1))
np.permute_dims(a, (1, 0))
np.swapaxes(a, 0, 1)
np.moveaxis(a, 0, 1)
np.rollaxis(a, 1)
np.expand_dims(a, 0)
np.squeeze(a[:1])
np.broadcast_to(a, (4, 2, 3))
np.broadcast_arrays(a, a[0])
np.atleast_1d(a[0, 0])
np.atleast_2d(v)
np.atleast_3d(a)
np.flip(a)
np.flipud(a)
np.fliplr(a)
np.rot90(a)
np.diagonal(a)
np.split(b, 2, axis=1)
np.array_split(b, 3, axis=1)
np.hsplit(b, 2)
np.vsplit(b, 3)
np.unstack(a)
np.matrix_transpose(a)
np.linalg.matrix_transpose(a)
np.concatenate([a, a])
np.concat([a, a], axis=1)
np.concatenate([a, v], axis=None)
np.stack([a, a], axis=-1)
np.vstack([v, v])
np.hstack([a, a])
np.hstack([v, v])
np.dstack([a, a])
np.column_stack([v, v])
np.append(a, v)
np.append(a, a, axis=0)
np.pad(a, 1)
np.pad(a, ((0, 1), (1, 2)), mode="edge")
np.roll(a, 1, axis=0)
np.tile(a, 2)
np.repeat(a, 2)
np.repeat(a, 2, 1)
np.repeat(a, [1, 2], axis=0)
np.take(a, [0, 1], axis=1)
np.take_along_axis(a, np.zeros((2, 1), int), axis=1)
np.matmul(a, b)
np.dot(a, b)
np.dot(a, 2.0)
np.vecdot(b, v)
np.tensordot(a, b, 1)
np.einsum("ij,jk->ik", a, b)
np.outer(v, a)
np.inner(b, v)
np.vdot(v, v)
np.linalg.outer(v, v)
np.linalg.matmul(a, b)
np.linalg.tensordot(a, b, axes=1)
np.linalg.vecdot(b, v)
np.tril(a)
np.sort(a, axis=0)
np.argsort(a)
np.zeros_like(a)
np.ones_like(a, dtype=int)
np.full_like(a, 2, dtype="f8")
np.empty_like(a, shape=(5,))
np.copy(a)
np.astype(a, np.float64)
np.shape(a)
np.ndim(a)
np.size(a)
np.size(a, 1)
np.iscomplexobj(a)
np.result_type(a, np.float64)
np.logical_not(a)
np.maximum(0, a)
""".strip().splitlines()


@pytest.mark.parametrize("call", NUMPY)
def test_a_function_of_numpys_gives_its_own_shape_and_dtype(call):
    numbers = {"a": A, "b": B, "v": V}
    bare = {name: Shaped(each.shape, each.dtype) for name, each in numbers.items()}
    wanted = eval(call, {"np": np, **numbers})
    found = eval(call, {"np": np, **bare})
    assert described(found) == described(wanted)
    assert "ndarray" not in repr(type(found))


@pytest.mark.parametrize(
    "call",
    [
        lambda: np.fft.fft(X),
        lambda: np.linalg.inv(X),
        lambda: np.nonzero(X),
        lambda: np.unique(X),
        lambda: np.add.reduce(X),
        lambda: np.add.outer(X, X),
        lambda: np.matvec(X, X[0]) if hasattr(np, "matvec") else np.linalg.det(X),
    ],
)
def test_a_function_without_a_rule_is_refused_by_name(call):
    with pytest.raises(TypeError, match="numpy"):
        call()


def test_a_refused_function_is_named_with_the_fix():
    with pytest.raises(NoNumbersError, match=r"numpy\.add\.reduce has no rule .* optshare\.ops"):
        np.add.reduce(X)
    with pytest.raises(NoNumbersError, match=r"numpy\.unique has no rule"):
        np.unique(X)


def test_where_without_choices_depends_on_numbers():
    with pytest.raises(NoNumbersError, match="as many places as there are truths"):
        np.where(X > 0)


def test_shapes_that_do_not_broadcast_are_both_named():
    with pytest.raises(ValueError, match=r"add: arrays of the shapes \(2, 3\) and \(4,\) do not"):
        X + np.ones(4)
    with pytest.raises(DataError, match=r"matmul of the shapes \(2, 3\) and \(2, 3\): x has 3 col"):
        X @ X
    with pytest.raises(DataError, match=r"shapes \(2, 3\) and \(3, 2\)"):
        ops.concat([X, X.T])
