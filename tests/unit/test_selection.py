from collections import namedtuple

import numpy as np
import pytest

import optshare
from optshare import Gradients, Parameter, value_and_gradient
from optshare.errors import EmptyModelError, UnregisteredParameterError
from optshare.selection import Selection

pytestmark = pytest.mark.usefixtures("backend")

Pair = namedtuple("Pair", "w b")  # the untyped kind is what a stranger may have


def test_gradients_are_laid_out_like_the_arguments():
    def f(w, scale, b):
        return (w["a"][0] * w["a"][1]).sum() * scale + (b.w * b.b).sum()

    given = {"a": [np.array([2.0, 3.0]), np.array([5.0, 7.0])]}
    pair = Pair(np.array([3.0]), np.array([4.0]))
    value, (w, scale, b) = value_and_gradient(f, given, 2.0, pair)
    assert value == 2.0 * 31.0 + 12.0
    assert w["a"][0].tolist() == [10.0, 14.0]
    assert w["a"][1].tolist() == [4.0, 6.0]
    assert scale == 31.0
    assert isinstance(b, Pair)
    assert (b.w.tolist(), b.b.tolist()) == ([4.0], [3.0])


def test_a_named_tuple_of_numbers_keeps_its_names():
    value, (b,) = value_and_gradient(lambda b: b.w * b.b, Pair(3.0, 4.0))
    assert value == 12.0
    assert (b.w, b.b) == (4.0, 3.0)


def test_lists_of_numbers_are_arrays_and_lists_of_arrays_are_structures():
    _, (vector, arrays) = value_and_gradient(
        lambda x, y: (x * x).sum() + y[0].sum() + 2.0 * y[1].sum(), [1, 2], [np.ones(2), np.ones(1)]
    )
    assert vector.tolist() == [2.0, 4.0]
    assert [each.tolist() for each in arrays] == [[1.0, 1.0], [2.0]]


def test_strings_truths_and_none_pass_through_without_a_gradient():
    seen = []

    def f(x, *rest):
        seen.append(rest)
        return x * x

    _, gradients = value_and_gradient(f, 3.0, "sum", True, None, b"raw")
    assert [each is None for each in gradients] == [False, True, True, True, True]
    assert seen == [("sum", True, None, b"raw")]
    assert gradients[0] == 6.0


def test_an_array_of_truths_passes_through_without_a_gradient():
    mask = np.array([True, False])
    _, (x, none) = value_and_gradient(lambda x, mask: x[mask].sum(), np.ones(2), mask)
    assert x.tolist() == [1.0, 0.0]
    assert none is None


def test_integer_arguments_become_floats_only_where_they_are_differentiated():
    seen = {}

    def f(x, labels):
        seen["labels"] = labels
        return x[labels].sum()

    value_and_gradient(f, np.arange(3), np.array([0, 2]), wrt=0)
    assert seen["labels"].dtype.kind == "i"


def test_wrt_mixes_positions_parameters_and_models():
    p, model = Parameter([2.0]), optshare.Dense(1, 1, dtype=np.float64)
    x = np.array([[3.0]])

    def f(w, x):
        return (model(x) * p).sum() * w[0].sum()

    value, g = value_and_gradient(f, [np.array([5.0])], x, wrt=(0, p, model))
    weight = model.weight.value[0, 0]
    assert isinstance(g, Gradients)
    np.testing.assert_allclose(float(value), 3.0 * weight * 2.0 * 5.0, rtol=1e-15)
    np.testing.assert_allclose(g[0][0], [6.0 * weight], rtol=1e-15)
    np.testing.assert_allclose(g[p], [15.0 * weight], rtol=1e-15)
    assert g[model.weight].tolist() == [[30.0]]
    assert g[model.bias].tolist() == [10.0]
    assert len(g) == 4


def test_a_model_as_an_argument_gives_gradients_of_its_parameters():
    model = optshare.Dense(1, 1, dtype=np.float64)
    _, (g, x) = value_and_gradient(lambda m, x: m(x).sum(), model, np.array([[3.0]]))
    assert isinstance(g, Gradients)
    assert g[model.weight].tolist() == [[3.0]]
    assert x.tolist() == model.weight.value.tolist()


def test_a_parameter_as_an_argument_gives_its_gradient():
    p = Parameter([1.0, 2.0])
    _, (g,) = value_and_gradient(lambda p: (p * p).sum(), p)
    assert g.tolist() == [2.0, 4.0]


def test_a_parameter_named_twice_is_differentiated_once():
    p = Parameter([1.0, 2.0])
    selection = Selection((p,), (0, p, [p]))
    assert len(selection.keys) == 1
    _, g = value_and_gradient(lambda q: (q * p).sum(), p, wrt=(0, p, [p]))
    assert g[p].tolist() == [2.0, 4.0]
    assert len(g) == 1


def test_an_argument_named_twice_is_differentiated_once():
    x = np.array([1.0, 2.0])
    _, g = value_and_gradient(lambda x: (x * x).sum(), x, wrt=(0, 0))
    assert g[0].tolist() == [2.0, 4.0]
    assert g[x].tolist() == [2.0, 4.0]


def test_one_array_at_two_places_has_the_sum_of_both_gradients():
    x = np.array([1.0, 2.0])
    _, g = value_and_gradient(lambda x, y: (x * x).sum() + 3.0 * y.sum(), x, x, wrt=(0, 1))
    assert g[x].tolist() == [5.0, 7.0]
    assert g[0].tolist() == [2.0, 4.0]
    assert g[1].tolist() == [3.0, 3.0]


def test_frozen_parameters_are_no_keys_and_have_no_gradient():
    p, q = Parameter([1.0]), Parameter([2.0])
    optshare.freeze([p])
    assert [key is q for key in Selection((), [p, q]).keys] == [True]
    _, g = value_and_gradient(lambda: (p * q).sum(), wrt=[p, q])
    assert g[p] is None
    assert g[q].tolist() == [1.0]


@pytest.mark.parametrize("position", [1, -1, 5])
def test_a_position_that_the_call_does_not_have_is_an_error(position):
    with pytest.raises(UnregisteredParameterError, match=f"argument {position}.*1, counted from 0"):
        value_and_gradient(lambda x: x * x, 3.0, wrt=position)


@pytest.mark.parametrize("nothing", [object(), [], lambda x: x])
def test_a_member_of_wrt_without_parameters_is_an_error(nothing):
    with pytest.raises(EmptyModelError, match="wrt= holds no parameters"):
        value_and_gradient(lambda x: x * x, 3.0, wrt=(0, nothing))


def test_integers_may_be_constants():
    labels, given = np.array([1, 2]), {"n": [1, 2], "x": [1, 2.0], "mixed": (3, 4.0)}
    selection = Selection((labels, given, 3, np.int64(4), True), integers=False)
    same, tree, three, four, true = selection.arguments()
    assert same is labels
    assert tree["n"] == [1, 2]
    assert (three, four, true) == (3, 4, True)
    assert selection.paths() == list(zip(["1.x", "1.mixed"], selection.keys, strict=True))


def test_a_key_is_known_by_its_position_and_its_path():
    layer, w = optshare.Dense(2, 3), Parameter([1.0])
    selection = Selection((np.ones(2), {"a": [w, 2.0]}, layer, Pair(1.0, [np.ones(1)])))
    found = [path for path, _ in selection.paths()]
    assert found == ["0", "1.a.0", "1.a.1", "2.weight", "2.bias", "3.0", "3.1.0"]
