"""Equinox modules and plain trees of JAX's arrays under optshare's optimizers."""

import copy
import functools
import pickle
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optshare
from optshare.errors import (
    EmptyModelError,
    NonFiniteLossError,
    ParameterError,
    UnregisteredParameterError,
)

LR = 0.05
STEPS = 10


class Net(eqx.Module):
    """Two layers, an activation, a static text, an integer array, and nothing."""

    first: eqx.nn.Linear
    second: eqx.nn.Linear
    codes: jax.Array
    activation: object
    name: str = eqx.field(static=True)
    absent: None = None

    def __init__(self, seed=0):
        one, two = jax.random.split(jax.random.key(seed))
        self.first, self.second = (
            eqx.nn.Linear(4, 8, key=one),
            eqx.nn.Linear(8, 1, use_bias=False, key=two),
        )
        self.codes, self.activation, self.name = jnp.arange(3), jnp.tanh, "net"

    def __call__(self, x):
        return self.second(self.activation(self.first(x)))


class Affine(eqx.Module):
    """One layer; pickle knows no jnp.tanh, which is in Net."""

    layer: eqx.nn.Linear


RULES = {
    "adam": (lambda tree: optshare.Adam(tree, lr=LR), optax.adam(LR)),
    "momentum": (
        lambda tree: optshare.SGD(tree, lr=LR, momentum=0.9),
        optax.sgd(LR, momentum=0.9),
    ),
}


def loss_of(net, x, y):
    return ((jax.vmap(net)(x) - y) ** 2).mean()


def batches():
    draws = [jax.random.normal(key, (16, 4)) for key in jax.random.split(jax.random.key(7), STEPS)]
    return [(x, jnp.sin(x.sum(1, keepdims=True))) for x in draws]


def arrays(tree):
    """The floating arrays, copied."""
    return [np.array(each) for each in jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))]


@functools.cache
def reference(rule):
    """The module after STEPS steps of optax, and the losses."""
    net, transform = Net(), RULES[rule][1]
    state = transform.init(eqx.filter(net, eqx.is_inexact_array))

    @eqx.filter_jit
    def step(net, state, x, y):
        loss, gradients = eqx.filter_value_and_grad(loss_of)(net, x, y)
        updates, state = transform.update(gradients, state)
        return eqx.apply_updates(net, updates), state, loss

    losses = []
    for batch in batches():
        net, state, loss = step(net, state, *batch)
        losses.append(float(loss))
    return net, losses


@pytest.fixture
def farthest(deviation):
    """The largest deviation of two trees' floating arrays."""

    def measure(mine, other):
        pairs = zip(arrays(other), arrays(mine), strict=True)
        return max(deviation(a, b, LR) for a, b in pairs)

    return measure


@pytest.fixture
def batch():
    return batches()[0]


@pytest.fixture
def net():
    return Net()


def squares(tree):
    return sum((each**2).sum() for each in jax.tree.leaves(tree))


# -- Equinox: the same numbers as optax ----------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("style", ["step", "update", "update of the tree"])
def test_ten_steps_of_a_module_end_where_optax_ends(rule, style, farthest):
    theirs, wanted = reference(rule)
    opt = RULES[rule][0](Net())
    differentiate = eqx.filter_jit(eqx.filter_value_and_grad(loss_of))
    losses = []
    for batch in batches():
        if style == "step":
            losses.append(float(opt.step(loss_of, *batch)))
            continue
        loss, gradients = differentiate(opt.tree, *batch)
        losses.append(float(loss))
        opt.update(gradients) if style == "update" else opt.update(opt.tree, gradients)
    assert isinstance(opt.tree, Net)
    assert farthest(opt.tree, theirs) <= 1e-12
    np.testing.assert_allclose(losses, wanted, rtol=1e-12)
    assert losses[-1] < losses[0]


def test_the_module_of_the_caller_is_unchanged(net, batch):
    leaves, before = jax.tree.leaves(net), arrays(net)
    opt = optshare.Adam(net, lr=LR)
    opt.step(loss_of, *batch)
    assert [a is b for a, b in zip(jax.tree.leaves(net), leaves, strict=True)] == [True] * 5
    np.testing.assert_equal(arrays(net), before)
    assert opt.tree is not net
    assert not np.array_equal(opt.tree.first.weight, net.first.weight)


def test_the_tree_is_the_module_itself_until_an_update_and_one_object_after_it(net, batch):
    opt = optshare.Adam(net, lr=LR)
    assert opt.tree is net
    opt.step(loss_of, *batch)
    assert opt.tree is opt.tree


def test_what_is_no_floating_array_is_kept(net, batch):
    opt = optshare.Adam(net, lr=LR)
    opt.step(loss_of, *batch)
    now = opt.tree
    assert now.activation is jnp.tanh
    assert (now.name, now.absent) == ("net", None)
    assert (now.first.in_features, now.second.bias) == (4, None)
    assert now.codes is net.codes
    assert jax.tree.structure(now) == jax.tree.structure(net)


def test_the_paths_are_those_of_the_module(net, batch):
    opt = optshare.Adam(net, lr=LR)
    opt.step(loss_of, *batch)
    saved = opt.state_dict()["parameters"]
    assert list(saved) == ["first.weight", "first.bias", "second.weight"]
    assert saved["first.weight"]["shape"] == (8, 4)
    assert saved["first.weight"]["t"] == 1
    mlp = eqx.nn.MLP(2, 1, 3, 1, key=jax.random.key(0))
    assert list(optshare.Adam(mlp).state_dict()["parameters"]) == [
        f"layers.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")
    ]


def test_a_library_module_trains_and_its_activation_is_kept(batch):
    mlp = eqx.nn.MLP(4, 1, 8, 1, key=jax.random.key(0))
    opt = optshare.Adam(mlp, lr=LR)
    losses = [float(opt.step(loss_of, *batch)) for _ in range(20)]
    assert losses[-1] < losses[0] / 2
    assert opt.tree.activation is mlp.activation


def test_the_state_of_an_array_of_the_current_module_is_found(net, batch):
    opt = optshare.Adam(net, lr=LR)
    opt.step(loss_of, *batch)
    state = opt.state_for(opt.tree.first.weight)
    assert (state.t, state.exp_avg.shape) == (1, (8, 4))
    with pytest.raises(UnregisteredParameterError):
        opt.state_for(net.first.weight)


def test_hyperparameters_of_a_part_of_the_current_module_are_adjusted(net, batch):
    opt = optshare.Adam(net, lr=LR)
    opt.step(loss_of, *batch)
    opt.adjust(opt.tree.first, lr=0.5)
    saved = opt.state_dict()["parameters"]
    rates = {path: each["hyperparameters"]["lr"] for path, each in saved.items()}
    assert rates == {"first.weight": 0.5, "first.bias": 0.5, "second.weight": LR}


@pytest.mark.parametrize("mark", [optshare.freeze, optshare.thaw])
def test_a_part_of_a_module_or_tree_has_no_mark_to_set(net, mark):
    for part in (net.first, optshare.Adam(net).tree, {"w": jnp.ones(2)}):
        with pytest.raises(EmptyModelError, match="give the optimizer the part that trains"):
            mark(part)


def test_the_part_that_trains_is_given_and_the_rest_is_an_argument(net, batch):
    def is_first(tree):
        chosen = jax.tree.map(lambda _: False, tree)
        return eqx.tree_at(lambda each: each.first, chosen, jax.tree.map(lambda _: True, net.first))

    trained, rest = eqx.partition(net, is_first(net))
    opt = optshare.SGD(trained, lr=LR)
    assert list(opt.state_dict()["parameters"]) == ["first.weight", "first.bias"]

    def loss(trained, rest, x, y):
        return loss_of(eqx.combine(trained, rest), x, y)

    opt.step(loss, rest, *batch)
    gradients = eqx.filter_grad(loss_of)(net, *batch)
    wanted = net.first.weight - LR * gradients.first.weight
    np.testing.assert_allclose(opt.tree.first.weight, wanted, rtol=1e-12)
    assert opt.tree.second.weight is None


def test_a_random_key_is_an_argument_of_a_step(net):
    class Dropped(eqx.Module):
        net: Net
        drop: eqx.nn.Dropout

        def __call__(self, x, key):
            return self.net(self.drop(x, key=key))

    def loss(module, x, key):
        return jax.vmap(module, (0, None))(x, key).sum()

    x, model = jnp.ones((2, 4)), Dropped(net, eqx.nn.Dropout(0.5))
    opt = optshare.SGD(model, lr=1e-12)
    for key in jax.random.split(jax.random.key(0), 3):
        wanted = float(loss(model, x, key))
        assert float(opt.step(loss, x, key)) == pytest.approx(wanted, rel=1e-9)


def test_an_old_random_key_is_an_argument_of_a_step():
    opt = optshare.SGD({"w": jnp.ones(3)}, lr=1e-12)

    def loss(tree, key):
        return (tree["w"] * jax.random.normal(key, (3,))).sum()

    draws = [jax.random.PRNGKey(seed) for seed in range(3)]
    losses = [float(opt.step(loss, key)) for key in draws]
    wanted = [float(jax.random.normal(key, (3,)).sum()) for key in draws]
    assert losses == pytest.approx(wanted, rel=1e-9)


def test_a_module_is_not_traced_again_from_step_to_step(net):
    traces = []

    def loss(net, x, y):
        traces.append(1)
        return loss_of(net, x, y)

    opt, counts = optshare.Adam(net, lr=LR), []
    for batch in batches():
        opt.step(loss, *batch)
        counts.append(len(traces))
    assert counts == counts[:1] * STEPS


def test_a_loss_that_is_not_finite_changes_nothing(net, batch):
    opt = optshare.Adam(net, lr=LR)
    opt.step(loss_of, *batch)
    before, tree = opt.state_dict(), opt.tree
    with pytest.raises(NonFiniteLossError):
        opt.step(lambda net, x, y: loss_of(net, x, y) * jnp.nan, *batch)
    np.testing.assert_equal(opt.state_dict(), before)
    assert opt.tree is tree


# -- Equinox: gradients --------------------------------------------------------------------


def test_the_gradient_of_a_module_has_its_form(net, batch):
    found, _, _ = optshare.gradient(loss_of, net, *batch)
    wanted = eqx.filter_grad(loss_of)(net, *batch)
    assert isinstance(found, Net)
    for one, other in zip(arrays(found), arrays(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)


def test_the_gradient_of_a_module_has_none_where_equinox_has_none(net, batch):
    found, _, _ = optshare.gradient(loss_of, net, *batch)
    wanted = eqx.filter_grad(loss_of)(net, *batch)
    assert (found.codes, found.activation) == (None, None)
    assert jax.tree.structure(found) == jax.tree.structure(wanted)


def test_the_gradient_of_a_module_is_taken_by_the_optimizer(net, batch):
    found, _, _ = optshare.gradient(loss_of, net, *batch)
    opt = optshare.SGD(net, lr=LR)
    opt.update(found)
    wanted = net.first.weight - LR * found.first.weight
    np.testing.assert_allclose(opt.tree.first.weight, wanted, rtol=1e-14)


def test_none_in_the_gradients_skips_a_parameter(net, batch):
    gradients = eqx.filter_grad(loss_of)(net, *batch)
    gradients = eqx.tree_at(lambda tree: tree.first.weight, gradients, None)
    opt = optshare.SGD(net, lr=LR)
    opt.update(gradients)
    assert np.array_equal(opt.tree.first.weight, net.first.weight)
    assert not np.array_equal(opt.tree.first.bias, net.first.bias)


# -- Equinox: copies and checkpoints -------------------------------------------------------


@pytest.mark.parametrize(
    "twin_of",
    [copy.deepcopy, lambda opt: pickle.loads(pickle.dumps(opt))],
    ids=["deepcopy", "pickle"],
)
def test_a_copy_of_the_optimizer_goes_on_with_the_same_numbers(twin_of):
    tree = Affine(eqx.nn.Linear(4, 1, key=jax.random.key(0)))
    opt = optshare.Adam(tree, lr=LR)

    def loss(tree, x, y):
        return loss_of(tree.layer, x, y)

    for batch in batches()[:3]:
        opt.step(loss, *batch)
    twin = twin_of(opt)
    for batch in batches()[3:6]:
        assert float(twin.step(loss, *batch)) == float(opt.step(loss, *batch))
    np.testing.assert_equal(arrays(twin.tree), arrays(opt.tree))
    np.testing.assert_equal(twin.state_dict(), opt.state_dict())
    assert twin.steps == 6
    opt.step(loss, *batches()[6])
    assert (twin.steps, opt.steps) == (6, 7)


def test_a_deep_copy_of_an_optimizer_of_a_module_with_functions_goes_on(net, batch):
    opt = optshare.Adam(net, lr=LR)
    opt.step(loss_of, *batch)
    twin = copy.deepcopy(opt)
    assert float(twin.step(loss_of, *batch)) == float(opt.step(loss_of, *batch))


def test_a_loaded_state_goes_on_over_the_current_module():
    opt = optshare.Adam(Net(), lr=LR)
    for batch in batches()[:4]:
        opt.step(loss_of, *batch)
    other = optshare.Adam(opt.tree, lr=1.0)
    other.load_state_dict(opt.state_dict())
    for batch in batches()[4:]:
        assert float(other.step(loss_of, *batch)) == float(opt.step(loss_of, *batch))
    np.testing.assert_equal(arrays(other.tree), arrays(opt.tree))


# -- plain trees ---------------------------------------------------------------------------


class Point(NamedTuple):
    here: object
    there: object


def ones(n=2):
    return jnp.ones(n)


TREES = {
    "an array": (ones(), [""]),
    "a dict": ({"b": ones(), "a": ones(3)}, ["b", "a"]),
    "a list": ([ones(), ones(3)], ["0", "1"]),
    "a tuple": ((ones(), ones(3)), ["0", "1"]),
    "a named tuple": (Point(ones(), ones(3)), ["0", "1"]),
    "nested": (
        {"a": [ones(), (ones(3), {"c": ones(1)})], "p": Point(ones(), None)},
        ["a.0", "a.1.0", "a.1.1.c", "p.0"],
    ),
    "with None": ([None, ones(), {"a": None}], ["1"]),
}


@pytest.mark.parametrize(("tree", "paths"), TREES.values(), ids=TREES)
def test_ten_steps_of_a_tree_end_where_optax_ends(tree, paths, farthest):
    opt = optshare.Adam(tree, lr=LR)
    assert list(opt.state_dict()["parameters"]) == paths
    wanted, transform = tree, optax.adam(LR)
    state = transform.init(wanted)
    for _ in range(STEPS):
        opt.step(squares)
        updates, state = transform.update(jax.tree.map(lambda a: 2 * a, wanted), state)
        wanted = optax.apply_updates(wanted, updates)
    assert jax.tree.structure(opt.tree) == jax.tree.structure(tree)
    assert type(opt.tree) is type(tree) or isinstance(opt.tree, jax.Array)
    assert farthest(opt.tree, wanted) <= 1e-12
    assert all((each == 1).all() for each in arrays(tree))


def test_the_tree_of_the_caller_is_unchanged():
    w, b = jnp.ones(2), jnp.zeros(1)
    tree = {"layer": [w, b]}
    opt = optshare.SGD(tree, lr=0.25)
    opt.step(lambda tree: (tree["layer"][0] ** 2).sum() + tree["layer"][1].sum())
    assert tree["layer"][0] is w
    assert tree["layer"][1] is b
    assert (w.tolist(), b.tolist()) == ([1.0, 1.0], [0.0])
    assert [each.tolist() for each in opt.tree["layer"]] == [[0.5, 0.5], [-0.25]]


def test_one_array_at_two_places_is_two_parameters():
    w = jnp.ones(1)
    opt = optshare.SGD({"a": w, "b": w}, lr=0.25)
    assert list(opt.state_dict()["parameters"]) == ["a", "b"]
    opt.step(lambda tree: (tree["a"] + 2 * tree["b"]).sum())
    assert (opt.tree["a"].tolist(), opt.tree["b"].tolist()) == ([0.75], [0.5])
    opt.update({"a": jnp.ones(1), "b": None})
    assert (opt.tree["a"].tolist(), opt.tree["b"].tolist()) == ([0.5], [0.5])


def test_one_numpy_array_at_two_places_stays_tied():
    w = np.ones(1)
    tree = {"a": w, "b": w, "c": jnp.ones(1)}
    opt = optshare.SGD(tree, lr=0.25)
    saved = opt.state_dict()["parameters"]
    assert (list(saved), saved["a"]["aliases"]) == (["a", "c"], ["b"])
    opt.step(lambda tree: (tree["a"] + 2 * tree["b"] + tree["c"]).sum())
    assert (w.tolist(), opt.tree["a"] is w, opt.tree["b"] is w) == ([0.25], True, True)
    assert opt.tree["c"].tolist() == [0.75]


def test_a_numpy_tree_is_still_written_in_place():
    w = np.ones(2)
    tree = {"w": w}
    opt = optshare.SGD(tree, lr=0.25)
    opt.step(lambda tree: (tree["w"] ** 2).sum())
    assert w.tolist() == [0.5, 0.5]
    assert opt.tree is tree
    opt.step(lambda tree, x: (tree["w"] * x).sum(), jnp.ones(2))
    assert w.tolist() == [0.25, 0.25]
    assert tree["w"] is w


def test_a_tree_of_numpys_and_jaxs_arrays_is_written_and_rebuilt():
    mine, theirs = np.ones(2), jnp.ones(2)
    tree = {"numpy": mine, "jax": theirs}
    opt = optshare.SGD(tree, lr=0.25)
    for _ in range(2):
        opt.step(lambda tree: (tree["numpy"] + 2 * tree["jax"]).sum())
    assert mine.tolist() == [0.5, 0.5]
    assert theirs.tolist() == [1.0, 1.0]
    assert tree["jax"] is theirs
    assert opt.tree["numpy"] is mine
    assert isinstance(opt.tree["jax"], jax.Array)
    assert opt.tree["jax"].tolist() == [0.0, 0.0]


def test_an_array_that_replaces_another_in_the_tree_is_followed_and_keeps_its_state():
    opt = optshare.SGD({"a": ones(), "b": ones()}, lr=0.5, momentum=0.5)

    def loss(tree):
        return (tree["a"] + tree["b"]).sum()

    opt.step(loss)
    opt.tree["a"] = jnp.full(2, 10.0)
    assert float(opt.step(loss)) == 21.0
    assert opt.tree["a"].tolist() == [9.25, 9.25]  # the momentum is 0.5 * 1 + 1
    assert opt.tree["b"].tolist() == [-0.25, -0.25]
    assert opt.state_for(opt.tree["a"]).t == 2


def test_an_array_of_another_shape_in_the_tree_is_refused_and_nothing_changes():
    opt = optshare.SGD({"a": ones(), "b": ones()}, lr=0.5)
    opt.step(squares)
    opt.tree["a"] = ones(3)
    with pytest.raises(ParameterError, match=r"shape \(2,\)"):
        opt.step(squares)
    assert opt.steps == 1
    opt.tree["a"] = ones()
    opt.step(squares)
    assert opt.steps == 2


def test_a_container_holds_a_module_and_an_array(batch):
    tree = {"net": Net(), "gain": jnp.ones(())}

    def loss(tree, x, y):
        return ((tree["gain"] * jax.vmap(tree["net"])(x) - y) ** 2).mean()

    opt = optshare.Adam(tree, lr=LR)
    assert list(opt.state_dict()["parameters"]) == [
        "net.first.weight",
        "net.first.bias",
        "net.second.weight",
        "gain",
    ]
    losses = [float(opt.step(loss, *batch)) for _ in range(20)]
    assert losses[-1] < losses[0] / 2
    assert isinstance(opt.tree["net"], Net)
    assert opt.tree["net"].activation is jnp.tanh
    assert float(opt.tree["gain"]) != 1.0
    assert float(tree["gain"]) == 1.0
    np.testing.assert_equal(arrays(tree["net"]), arrays(Net()))
    opt.update(eqx.filter_grad(loss)(opt.tree, *batch))
    assert opt.steps == 21


def test_a_module_that_replaces_another_in_the_tree_is_followed(batch):
    class Gained(eqx.Module):
        net: Net
        gain: float

        def __call__(self, x):
            return self.gain * self.net(x)

    def loss(tree, x, y):
        return loss_of(tree["net"], x, y)

    opt = optshare.SGD({"net": Gained(Net(), 1.0)}, lr=1e-12)
    opt.step(loss, *batch)
    for changed in (
        eqx.tree_at(lambda each: each.net.first.bias, opt.tree["net"], jnp.ones(8)),
        eqx.tree_at(lambda each: each.gain, opt.tree["net"], 0.0),
    ):
        opt.tree["net"] = changed
        wanted = float(loss_of(changed, *batch))
        assert float(opt.step(loss, *batch)) == pytest.approx(wanted, rel=1e-9)


def test_a_module_that_holds_a_numpy_array_is_unchanged_too():
    class Held(eqx.Module):
        w: object

    tree = Held(np.ones(2))
    opt = optshare.SGD(tree, lr=0.25)
    opt.step(lambda tree: (tree.w**2).sum())
    assert np.asarray(opt.tree.w).tolist() == [0.5, 0.5]
    assert tree.w.tolist() == [1.0, 1.0]


def test_a_tree_is_not_traced_again_from_step_to_step():
    traces = []

    def loss(tree, x):
        traces.append(1)
        return (tree["w"] * x).sum() + (tree["n"] ** 2).sum()

    opt, counts = optshare.Adam({"w": ones(), "n": np.ones(2)}, lr=LR), []
    for i in range(STEPS):
        opt.step(loss, np.full(2, float(i)))
        counts.append(len(traces))
    opt.tree["w"] = ones()
    opt.step(loss, np.zeros(2))
    assert [*counts, len(traces)] == counts[:1] * (STEPS + 1)


@pytest.mark.parametrize("pure", [True, False], ids=["dict", "tuple"])
def test_gradients_laid_out_like_the_tree_are_taken(pure):
    tree = {"a": ones(), "b": [ones(3)]} if pure else (ones(), [ones(3)])
    opt = optshare.SGD(tree, lr=0.25)
    for _ in range(2):
        opt.update(jax.grad(squares)(opt.tree))
    assert [each.tolist() for each in jax.tree.leaves(opt.tree)] == [[0.25] * 2, [0.25] * 3]
    opt.update(opt.tree, jax.grad(squares)(opt.tree))
    assert [each.tolist() for each in jax.tree.leaves(opt.tree)] == [[0.125] * 2, [0.125] * 3]


def test_gradients_of_optshare_are_taken_by_the_optimizer():
    tree = {"a": ones(), "b": [ones(3)]}
    (found,) = optshare.gradient(squares, tree)
    opt = optshare.SGD(tree, lr=0.25)
    opt.update(found)
    assert [each.tolist() for each in jax.tree.leaves(opt.tree)] == [[0.5] * 2, [0.5] * 3]


def test_a_copy_of_the_optimizer_of_a_tree_goes_on_with_the_same_numbers():
    opt = optshare.Adam({"a": ones(), "b": (ones(3), np.ones(1))}, lr=LR)
    opt.step(squares)
    for twin in (copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))):
        gone_on = copy.deepcopy(opt)
        assert float(twin.step(squares)) == float(gone_on.step(squares))
        np.testing.assert_equal(arrays(twin.tree), arrays(gone_on.tree))
    assert opt.steps == 1


# -- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leaf", "kind"),
    [("text", "str"), (1.5, "float"), (3, "int"), (True, "bool"), (1j, "complex"), (b"x", "bytes")],
)
def test_a_leaf_that_is_no_array_is_refused_and_its_path_is_named(leaf, kind):
    with pytest.raises(ParameterError, match=rf"the {kind} .* at 'a\.1\.b'"):
        optshare.Adam({"w": ones(), "a": [None, {"b": leaf}]})


@pytest.mark.parametrize("dtype", [int, bool])
def test_an_array_of_jaxs_that_cannot_be_trained_is_refused_as_numpys_is(dtype):
    for make in (np.ones, jnp.ones):
        with pytest.raises(ParameterError, match="cannot be trained"):
            optshare.Adam({"w": ones(), "codes": make(2, dtype)})


@pytest.mark.parametrize("tree", [{}, [], (), None, {"a": [], "b": None}])
def test_a_tree_without_arrays_is_refused(tree):
    with pytest.raises(EmptyModelError, match="holds no parameters"):
        optshare.Adam(tree)


def test_a_module_without_floating_arrays_is_refused():
    with pytest.raises(EmptyModelError, match="holds no parameters"):
        optshare.Adam(eqx.nn.Lambda(jnp.tanh))


def test_gradients_without_an_entry_are_refused_and_nothing_changes():
    opt = optshare.SGD({"a": ones(), "b": ones()}, lr=0.5)
    with pytest.raises(UnregisteredParameterError, match="no entry for b"):
        opt.update({"a": ones()})
    assert opt.steps == 0
    assert opt.tree["a"].tolist() == [1.0, 1.0]


def test_a_module_and_arrays_are_not_moved(net):
    for model in (net, {"w": ones()}):
        with pytest.raises(ParameterError, match="not ours to move"):
            optshare.to(model, "torch")
