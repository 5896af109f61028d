"""Structures of arrays: which things are containers, and how two are matched."""

from collections import namedtuple
from dataclasses import dataclass, field

import numpy as np
import pytest

import optshare
from optshare import Gradients, Parameter
from optshare.errors import DifferentiationError
from optshare.narrowing import is_structure, like, members
from optshare.structure import beside, flat, mapped

Pair = namedtuple("Pair", "left right")


@dataclass
class Line:
    slope: object
    bias: object = 0.0


@dataclass(frozen=True, slots=True)
class Frozen:
    line: Line
    name: str = "frozen"
    made: list = field(init=False, default_factory=list)

    def __post_init__(self):
        if self.line.slope is None:
            raise ValueError("no slope")


@dataclass
class Callable:
    weight: object

    def __call__(self, x):
        return x * self.weight


def test_containers_and_dataclasses_are_structures_and_callables_are_not():
    for thing in ([], (), {}, Pair(1, 2), Line(1)):
        assert is_structure(thing)
    for thing in (Line, Callable(1), np.ones(2), "text", range(3), None, Parameter([1.0])):
        assert not is_structure(thing)


def test_a_dataclass_is_copied_with_other_members_and_without_its_checks():
    given = Frozen(Line(1.0, 2.0))
    assert members(given) == [Line(1.0, 2.0), "frozen", []]
    made = like(given, [Line(None), "other", [3]])
    assert (type(made), made.line, made.name, made.made) == (Frozen, Line(None), "other", [3])
    assert given == Frozen(Line(1.0, 2.0))


def test_leaves_are_visited_in_order():
    tree = {"b": [1, (2, Pair(3, 4))], "a": Line(5, 6)}
    assert list(flat(tree)) == [1, 2, 3, 4, 5, 6]
    assert mapped(str, tree) == {"b": ["1", ("2", Pair("3", "4"))], "a": Line("5", "6")}


def test_what_stands_beside_a_leaf_may_be_a_structure_itself():
    pairs = list(beside({"a": 1, "b": (2,)}, {"b": [[3, 4]], "a": {"c": 5}}))
    assert pairs == [(1, {"c": 5}), (2, [3, 4])]


@pytest.mark.parametrize(
    ("structure", "other", "words"),
    [
        ({"a": 1}, {"b": 1}, r"dict of \['b'\].*dict of \['a'\]"),
        ({"a": 1}, [1], r"list of 1.*dict"),
        ([1, 2], [1], r"list of 1.*list of 2"),
        ((1,), 1, r"int.*tuple of 1"),
        (Line(1), [1, 2], r"list of 2.*Line"),
        (Line(1), Frozen(Line(1)), r"Frozen.*Line"),
        ({"a": [1]}, {"a": {}}, r"dict of \[\].*list of 1"),
    ],
)
def test_structures_of_different_forms_are_refused_by_name(structure, other, words):
    with pytest.raises(DifferentiationError, match=words):
        list(beside(structure, other))


@pytest.mark.usefixtures("backend")
def test_a_dataclass_as_an_argument_has_a_gradient_of_its_kind():
    given = Frozen(Line([1.0, 2.0], np.float64(3.0)), "name")
    (g, x) = optshare.gradient(
        lambda f, x: (f.line.slope * x).sum() + f.line.bias ** len(f.name), given, [5.0, 7.0]
    )
    assert type(g) is Frozen
    np.testing.assert_array_equal(g.line.slope, [5.0, 7.0])
    np.testing.assert_array_equal(g.line.bias, 4 * 27.0)
    assert g.name is None
    np.testing.assert_array_equal(x, [1.0, 2.0])


@pytest.mark.usefixtures("backend")
def test_a_dataclass_that_holds_parameters_has_their_gradients_in_its_fields():
    line = Line(Parameter([2.0]), Parameter([1.0]))
    (g,) = optshare.gradient(lambda line: (line.slope * line.slope + line.bias).sum(), line)
    assert type(g) is Line
    np.testing.assert_array_equal(g.slope, [4.0])
    np.testing.assert_array_equal(g.bias, [1.0])


@pytest.mark.usefixtures("backend")
def test_a_dataclass_that_can_be_called_is_a_model():
    model = Callable(Parameter([2.0]))
    g, _ = optshare.gradient(lambda model, x: model(x).sum(), model, [3.0])
    assert isinstance(g, Gradients)
    np.testing.assert_array_equal(g[model.weight], [3.0])
