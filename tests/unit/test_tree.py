from collections import OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest

import optshare
from optshare.errors import EmptyModelError
from optshare.freezing import freeze, thaw
from optshare.parameter import Buffer, Parameter
from optshare.tree import boxes, buffers, grouped, keyed, leaves, params, parts


def paths(model):
    return [path for path, _ in leaves(model)]


def test_params_come_in_the_order_of_definition():
    class Affine:
        def __init__(self):
            self.w = Parameter([[1.0]])
            self.b = Parameter([2.0])

    one, other = Affine(), Affine()
    found = params([one, other])
    wanted = [one.w, one.b, other.w, other.b]
    assert len(found) == 4
    assert all(a is b for a, b in zip(found, wanted, strict=True))


def test_paths_name_attributes_keys_and_positions():
    model = optshare.Chain(optshare.Dense(2, 3), optshare.tanh, optshare.Dense(3, 1, bias=False))
    assert paths(model) == ["layers.0.weight", "layers.0.bias", "layers.2.weight"]
    assert paths({"a": [Parameter([1.0])], 3: (Parameter([2.0]),)}) == ["a.0", "3.0"]
    assert paths(Parameter([1.0])) == [""]


Pair = namedtuple("Pair", "w b")  # the untyped kind is what a stranger may have


@dataclass
class Record:
    weight: Parameter
    rest: list = field(default_factory=list)


class Slotted:
    __slots__ = ("w",)

    def __init__(self, w):
        self.w = w


class SlottedChild(Slotted):
    __slots__ = ("v",)

    def __init__(self, w, v):
        super().__init__(w)
        self.v = v


class Method:
    def __init__(self, w):
        self.w = w

    def predict(self, x):
        return x @ self.w

    def __call__(self, x):
        return self.predict(x)


def closure(w):
    return lambda x: x @ w


@pytest.mark.parametrize(
    "build",
    [
        lambda p: [p],
        lambda p: (p,),
        lambda p: {"p": p},
        lambda p: OrderedDict(p=p),
        lambda p: defaultdict(list, p=p),
        lambda p: deque([p]),
        lambda p: Pair(p, None),
        Record,
        Slotted,
        lambda p: SlottedChild(None, p),
        Method,
        lambda p: Method(p).predict,
        closure,
        lambda p: partial(np.multiply, p),
        lambda p: partial(print, end=p),
        lambda p: [[{"deep": (Slotted(closure([p])),)}]],
    ],
)
def test_a_parameter_is_found_wherever_a_strangers_class_keeps_it(build):
    p = Parameter([1.0])
    found = params(build(p))
    assert len(found) == 1
    assert found[0] is p


def test_a_cycle_ends_the_walk():
    class Node:
        pass

    node = Node()
    node.self, node.w, node.list = node, Parameter([1.0]), []
    node.list.append(node.list)
    assert paths(node) == ["w"]


def test_a_long_chain_of_shared_parts_is_walked_in_linear_time():
    shared = [Parameter([1.0])]
    for _ in range(12):
        shared = [shared, shared]
    assert len(params(shared)) == 1
    assert len(leaves(shared)) == 2**12


def test_one_parameter_at_two_places_is_one_with_an_alias():
    p, q = Parameter([1.0]), Parameter([1.0])
    entries = grouped(keyed({"enc": p, "mid": q, "dec": p}))
    assert [(each.path, each.aliases) for each in entries] == [("enc", ("dec",)), ("mid", ())]
    assert entries[0].key is p


def test_equal_values_never_tie():
    assert len(params([Parameter([1.0]), Parameter([1.0])])) == 2


def test_arrays_are_leaves_only_where_plain_containers_lead_to_them():
    class Holder:
        def __init__(self):
            self.running_mean = np.zeros(2)
            self.items = [np.zeros(2)]

    assert paths([np.zeros(1), {"b": (np.zeros(2),)}]) == ["0", "1.b.0"]
    assert paths([Holder()]) == []


def test_one_array_at_two_places_has_one_slot():
    array = np.zeros(2)
    pairs = keyed([array, array, np.zeros(2)])
    assert pairs[0][1] is pairs[1][1]
    assert pairs[2][1] is not pairs[0][1]
    assert pairs[0][1].value is array


def test_a_class_is_not_walked_and_a_property_is_not_called():
    class Holder:
        shared = Parameter([1.0])

        @property
        def costly(self):
            raise AssertionError("a property was called")

    assert params([Holder, Holder()]) == []


def test_frozen_parameters_are_listed_and_buffers_are_not():
    p, b = Parameter([1.0]), Buffer([0.0])
    freeze([p])
    assert params([p, b])[0] is p
    assert len(params([p, b])) == 1


def test_buffers_are_listed_each_once():
    layer, b = optshare.Dropout(0.5), Buffer([1.0])
    found = buffers([layer, b, {"again": b}, Parameter([1.0])])
    assert len(found) == 2
    assert found[0] is layer.calls
    assert found[1] is b


def test_freeze_and_thaw_mark_a_part_of_a_model():
    model = optshare.Chain(optshare.Dense(2, 2), optshare.Dense(2, 2))
    freeze(model.layers[0])
    assert [p.frozen for p in params(model)] == [True, True, False, False]
    thaw(model.layers[0].bias)
    assert [p.frozen for p in params(model)] == [True, False, False, False]


@pytest.mark.parametrize("act", [freeze, thaw])
@pytest.mark.parametrize("nothing", [[], lambda x: x, object(), Buffer([1.0])])
def test_freezing_nothing_is_an_error(act, nothing):
    with pytest.raises(EmptyModelError, match="holds no Parameter"):
        act(nothing)


def test_two_parameters_whose_paths_read_the_same_are_both_saved_or_refused():
    model = {"a.b": Parameter([1.0]), "a": {"b": Parameter([2.0])}}
    try:
        saved = optshare.SGD(model).state_dict()["parameters"]
    except optshare.OptshareError:
        return
    assert len(saved) == 2


def test_private_slots_and_defaults_of_functions_are_walked():
    class Private:
        __slots__ = ("__w",)

        def __init__(self, w):
            self.__w = w

    p, q, r = Parameter([1.0]), Parameter([2.0]), Parameter([3.0])
    found = optshare.params([Private(p), lambda x, w=q: x * w, lambda x, *, w=r: x * w])
    assert [each is wanted for each, wanted in zip(found, [p, q, r], strict=True)] == [True] * 3


def test_a_module_held_by_a_model_is_not_walked():
    import types

    other = types.ModuleType("other")
    other.p = Parameter([1.0])

    class Model:
        def __init__(self):
            self.lib, self.w = other, Parameter([2.0])

    model = Model()
    assert [each is model.w for each in optshare.params(model)] == [True]


class Declares:
    """An object that says itself what its parameters are."""

    def __init__(self, declared):
        self.hidden = Parameter([1.0])
        self._declared = declared

    def __params__(self):
        return self._declared


def test_an_object_may_say_what_its_parameters_are_by_name_or_in_order():
    one, other = Parameter([2.0]), Parameter([3.0])
    assert keyed(Declares({"w": one, "deep": [other]})) == [("w", one), ("deep.0", other)]
    assert keyed([Declares([one, other])]) == [("0.0", one), ("0.1", other)]
    assert keyed([Declares([]), one]) == [("1", one)]


def test_what_an_object_declares_is_what_trains():
    one = Parameter([2.0])
    model = Declares([one])
    opt = optshare.SGD(model, lr=0.5)
    opt.step(lambda: (one * one + model.hidden * model.hidden).sum())
    assert (one.value.tolist(), model.hidden.value.tolist()) == ([0.0], [1.0])


def test_boxes_are_parameters_and_buffers_in_the_order_of_definition():
    p, b, q = Parameter([1.0]), Buffer([2.0]), Parameter([3.0])
    found = boxes({"a": p, "b": [b, q], "c": p})
    assert [id(each) for each in found] == [id(p), id(b), id(q)]


def test_parts_are_every_object_once_with_its_first_path_and_cycles_end():
    inner = optshare.Dense(2, 2)
    model = {"first": inner, "again": [inner]}
    model["self"] = model
    found = dict(parts(model))
    assert found["first"] is inner
    assert found[""] is model
    assert "again.0" not in found
    assert not any(isinstance(each, Parameter) for each in found.values())
