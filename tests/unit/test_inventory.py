"""Everything of a model that is saved, by path."""

import collections
from functools import partial

import numpy as np
import pytest
import torch

import optshare
from optshare import Buffer, Parameter
from optshare.errors import EmptyModelError, WeightsError
from optshare.inventory import inventory
from optshare.tree import grouped, keyed


class Slotted:
    __slots__ = ("__hidden", "w")

    def __init__(self):
        self.w, self.__hidden = Parameter([1.0]), [Parameter([2.0]), Buffer(3)]


class Cyclic:
    def __init__(self):
        self.me, self.w, self.parts = self, Parameter([1.0]), (Slotted(), {"n": Buffer(0)})
        self.parts[1]["up"] = self.parts


def closed():
    w, scale = Parameter([1.0]), Parameter([2.0])
    return lambda x, scale=scale: x * w * scale


def tied():
    layer = optshare.Dense(2, 2)
    return {"a": layer, "b": [layer, layer.weight]}


MODELS = [
    Slotted, Cyclic, closed, tied,
    lambda: optshare.Chain(optshare.Dense(2, 3), optshare.Dropout(0.5, seed=1)),
    lambda: Parameter([1.0]),
    lambda: [np.ones(2), (np.zeros(3), {"w": torch.ones(1)})],
    lambda: collections.deque([Parameter([1.0]), partial(optshare.Dense(2, 2), 1.0)]),
    lambda: optshare.Chain(torch.nn.Linear(2, 3), optshare.Dense(3, 1)),
]  # fmt: skip


@pytest.mark.parametrize("make", MODELS)
def test_parameters_have_the_paths_that_an_optimizer_knows(make):
    model = make()
    found = [
        (each.path, each.aliases) for each in inventory(model) if not isinstance(each.key, Buffer)
    ]
    assert found == [(each.path, each.aliases) for each in grouped(keyed(model))]


@pytest.mark.parametrize("make", [Slotted, Cyclic])
def test_every_buffer_is_there_once(make):
    model = make()
    found = [each.key for each in inventory(model) if isinstance(each.key, Buffer)]
    wanted = optshare.buffers(model)
    assert len(found) == len(wanted) > 0
    assert {id(each) for each in found} == {id(each) for each in wanted}


def test_parameters_and_buffers_are_in_the_order_of_definition():
    class Norm:
        def __init__(self):
            self.scale, self.mean, self.shift = Parameter([1.0]), Buffer([0.0]), Parameter([0.0])

    assert [each.path for each in inventory([Norm(), Norm()])] == [
        "0.scale", "0.mean", "0.shift", "1.scale", "1.mean", "1.shift",
    ]  # fmt: skip


def test_a_tied_array_has_all_its_paths():
    layer = tied()["a"]
    found = inventory({"a": layer, "b": [layer, layer.weight]})
    assert found[0].path == "a.weight"
    assert found[0].aliases == ("b.0.weight", "b.1")
    array = np.ones(2)
    assert [each[2] for each in inventory({"w": array, "v": array})] == [("v",)]


def test_one_path_of_two_arrays_is_refused():
    with pytest.raises(WeightsError, match=r"two arrays of the model have the path '1'"):
        inventory({1: Parameter([1.0]), "1": Parameter([2.0])})
    with pytest.raises(WeightsError, match=r"the path 'a\.b'"):
        inventory({"a": {"b": Parameter([1.0])}, "a.b": Buffer(0)})


@pytest.mark.parametrize("nothing", [[], optshare.relu, (p for p in [Parameter([1.0])])])
def test_what_holds_nothing_is_refused(nothing):
    with pytest.raises(EmptyModelError, match="holds no Parameter and no Buffer"):
        inventory(nothing)
