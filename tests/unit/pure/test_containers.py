"""What params may be, what is left alone, and what is refused."""

import copy
from collections import namedtuple
from dataclasses import dataclass

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare
from optshare import SGD, Adam
from optshare.errors import GradientShapeError, HyperparameterError, ParameterError

Pair = namedtuple("Pair", "w b")
RULE = SGD(lr=0.5, momentum=0.5)


@dataclass(frozen=True)
class Layer:
    weight: np.ndarray
    bias: np.ndarray | None = None


def one(number=1.0):
    return np.array([number])


@pytest.mark.parametrize(
    ("params", "gradients", "moved", "kept"),
    [
        (one(), one(), one(0.5), "leaf"),
        (
            {"a": one(), "b": [one(2.0)]},
            {"b": (one(),), "a": None},
            {"a": one(), "b": [one(1.5)]},
            {"a": "leaf", "b": ["leaf"]},
        ),
        (Pair(one(), one(3.0)), Pair(one(), one()), Pair(one(0.5), one(2.5)), ("leaf", "leaf")),
        (Layer(one()), Layer(one()), Layer(one(0.5)), {"weight": "leaf", "bias": None}),
        ([], [], [], []),
    ],
)
def test_containers_keep_their_kind_and_the_state_is_plain(params, gradients, moved, kept):
    found, state = RULE.update(gradients, RULE.init(params), params)
    assert repr(found) == repr(moved)

    def shown(node):
        if isinstance(node, dict) and "t" in node:
            return "leaf"
        if isinstance(node, dict):
            return {name: shown(each) for name, each in node.items()}
        return node if node is None else type(node)(map(shown, node))

    assert shown(state["parameters"]) == kept


def test_no_gradient_at_all_is_no_step():
    params = {"a": one(), "b": [one(2.0)]}
    state = RULE.init(params)
    found, after = RULE.update({"a": None, "b": None}, state, params)
    assert after == state
    assert found["b"][0] is params["b"][0]


def test_an_equinox_module_is_updated():
    layer = equinox.nn.Linear(2, 1, key=jax.random.key(0))
    x = jnp.array([1.0, 2.0])

    @equinox.filter_jit
    def step(layer, state):
        gradients = equinox.filter_grad(lambda layer: layer(x).sum() ** 2)(layer)
        return Adam(lr=0.1).update(gradients, state, layer)

    moved, state = step(layer, Adam(lr=0.1).init(layer))
    assert type(moved) is type(layer)
    assert state["parameters"].keys() == {"weight", "bias"}
    towards = -0.1 * np.sign(layer(x)[0])
    np.testing.assert_allclose(moved.weight, layer.weight + towards, rtol=1e-6)
    np.testing.assert_allclose(moved.bias, layer.bias + towards, rtol=1e-6)


def test_nothing_that_is_given_is_written():
    params, gradients = {"w": one()}, {"w": one(2.0)}
    rule = optshare.AdamW(lr=0.1)
    state = rule.update(gradients, rule.init(params), params)[1]
    for each in (params["w"], gradients["w"], *state["parameters"]["w"].values()):
        if isinstance(each, np.ndarray):
            each.flags.writeable = False
    kept = copy.deepcopy((gradients, state, params))
    rule.update(gradients, state, params)
    np.testing.assert_equal((gradients, state, params), kept)


PARAMS = {"layers": [{"w": np.ones((2, 3))}]}
STATE = RULE.init(PARAMS)


@pytest.mark.parametrize(
    ("gradients", "said"),
    [
        ({"layers": [{"w": np.ones((3, 2))}]}, r"'layers.0.w' has shape \(3, 2\).*\(2, 3\)"),
        ({"layers": [{"v": np.ones((2, 3))}]}, "gradient at layers.0 is a dict of v.*dict of w"),
        ({"layers": []}, "gradient at layers is a list of nothing, where params has a list of 0"),
        (np.ones(2), r"gradient at the top is a ndarray of shape \(2,\)"),
        ({"layers": [{"w": np.ones((2, 3), complex)}]}, "'layers.0.w' has dtype complex128"),
        ({"layers": [{"w": [[1.0], [1.0, 2.0]]}]}, "'layers.0.w' is no array"),
    ],
)
def test_gradients_that_do_not_fit_are_refused_by_path(gradients, said):
    with pytest.raises(GradientShapeError, match=said):
        RULE.update(gradients, STATE, PARAMS)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"w": 1.0}, "'w' is a float; params holds arrays only"),
        ({"w": np.ones(2, int)}, "'w' has dtype int64"),
        ([optshare.Parameter([1.0])], "'0' is a Parameter.*pass its .value"),
    ],
)
def test_params_that_are_no_real_arrays_are_refused_by_path(params, said):
    with pytest.raises(ParameterError, match=said):
        RULE.init(params)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (SGD().init(PARAMS), "'layers.0.w' lacks momentum_buffer of SGD"),
        (RULE.init([np.ones(2)]), "state at the top is a list of 0, where params has a dict"),
        (PARAMS, r"the state is a dict, not what rule.init\(params\) gives"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, said):
    with pytest.raises(ParameterError, match=said):
        RULE.update(PARAMS, state, PARAMS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate": 1.0}, "no hyperparameter 'rate'"),
        ({"lr": -1.0}, "lr must be in"),
        ({"lr": np.ones(2)}, "lr must be like 0.5"),
        ({"lr": np.array(True)}, "lr must be like 0.5"),
        ({"nesterov": np.array(1.0)}, "nesterov must be like False"),
    ],
)
def test_hyperparameters_of_one_update_are_checked(changes, said):
    with pytest.raises(HyperparameterError, match=said):
        RULE.update(PARAMS, STATE, PARAMS, **changes)


def test_some_of_several_numbers_may_be_arrays():
    rule = Adam(lr=0.1, betas=(0.5, 0.75))
    params, gradients = {"w": one()}, {"w": one(2.0)}
    state = rule.update(gradients, rule.init(params), params)[1]
    found, _ = Adam(lr=0.1).update(gradients, state, params, betas=(np.array(0.5), 0.75))
    wanted, _ = rule.update(gradients, state, params)
    np.testing.assert_allclose(found["w"], wanted["w"], rtol=1e-14)
