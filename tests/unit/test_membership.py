"""Parameters that come and go: `opt.add` and `opt.remove`, and what all others keep."""

import copy

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare import SGD, Adam, Chain, Dense, LayerNorm, Optimizer, Parameter
from optshare.errors import (
    EmptyModelError,
    GroupError,
    HyperparameterError,
    ParameterError,
    UnregisteredParameterError,
)
from optshare.transforms import Accumulate

from .closeness import assert_close


@pytest.fixture
def model():
    return Chain(Dense(3, 4, optshare.tanh), LayerNorm(4), Dense(4, 2))


def update(opt, model, skip=()):
    """A gradient of ones for every parameter of a model."""
    for p in optshare.params(model):
        if not any(p is each for each in skip):
            opt.update(p, np.ones(p.shape))


def held(opt):
    return [path for use in opt.groups for path in use.paths]


def kept(opt, p):
    state = opt.state_for(p)
    arrays = {name: each.copy() for name, each in state.arrays.items()}
    return state.t, state.step, state.rule, arrays


# -- adding ------------------------------------------------------------------------------------


def test_an_added_layer_trains_and_all_else_keeps_its_state(model, backend):
    opt = Adam(model, lr=0.1)
    x = np.ones((5, 3), np.float32)
    opt.step(lambda: (model(x) ** 2).mean())
    opt.adjust(model[0], lr=0.2)
    before = [kept(opt, p) for p in optshare.params(model)]
    olds = optshare.params(model)
    model.layers.append(Dense(2, 5))
    opt.add(model[-1])
    np.testing.assert_equal([kept(opt, p) for p in olds], before)
    assert (opt.steps, held(opt)[-2:]) == (1, ["layers.3.weight", "layers.3.bias"])
    values = model[-1].weight.value.copy()
    opt.step(lambda: (model(x) ** 2).mean())
    assert np.all(model[-1].weight.value != values)
    assert [opt.state_for(p).t for p in optshare.params(model)] == [2] * 6 + [1] * 2
    assert [opt.state_for(layer.weight).lr for layer in model.layers] == [0.2, 0.1, 0.1, 0.1]


def test_an_added_parameter_begins_as_that_of_a_new_optimizer():
    w = [Parameter([1.0, 2.0])]
    opt = Adam(w, lr=0.1)
    update(opt, w)
    w.append(Parameter([3.0]))
    opt.add(w[1])
    update(opt, w)
    fresh = Parameter([3.0])
    update(Adam(fresh, lr=0.1), fresh)
    assert w[1].value.tolist() == fresh.value.tolist()


def test_an_added_part_has_the_rule_of_the_optimizer_as_it_was_adjusted(model):
    opt = Adam(model, lr=0.1)
    opt.adjust(lr=0.3)
    opt.adjust(model[0], lr=0.7)
    model.layers.append(Dense(2, 1))
    opt.add(model[-1])
    assert opt.state_for(model[-1].bias).lr == 0.3


def test_an_added_part_is_in_the_group_that_matches_it(model):
    groups = [("*.bias", {"lr": 0.2}), (model[1].weight, {"lr": 0.4})]
    opt = Adam(model, lr=0.1, groups=groups)
    model.layers.append(Dense(2, 1))
    opt.add(model[-1])
    assert [opt.state_for(p).lr for p in (model[-1].weight, model[-1].bias)] == [0.1, 0.2]
    assert opt.state_for(model[-1].bias).rule is opt.state_for(model[0].bias).rule


def test_a_part_may_be_added_with_a_rule_or_hyperparameters_of_its_own(model):
    opt = Adam(model, lr=0.1, groups={"*.bias": {"weight_decay": 0.5}})
    model.layers += [Dense(2, 1), Dense(1, 1)]
    opt.add(model[3], SGD(lr=0.2))
    opt.add(model[4], lr=0.3)
    assert {opt.state_for(p).rule for p in optshare.params(model[3])} == {SGD(lr=0.2)}
    last = [opt.state_for(p) for p in optshare.params(model[4])]
    assert [(each.lr, each.weight_decay) for each in last] == [(0.3, 0.0), (0.3, 0.5)]


def test_what_is_in_two_groups_when_it_is_added_is_refused(model, unchanged):
    opt = Adam(model, groups={"layers.0.*": {"lr": 0.2}, LayerNorm: {"lr": 0.3}})
    model.layers.insert(0, LayerNorm(3))
    with unchanged(model[1:], opt), pytest.raises(GroupError, match=r"'layers\.0\.\*' and 'LayerN"):
        opt.add(model[0])


def test_a_layer_that_got_a_parameter_is_added_as_a_whole(model):
    opt = Adam(model, lr=0.1)
    update(opt, model)
    model[0].scale = Parameter([1.0])
    opt.add(model[0])
    assert [opt.state_for(p).t for p in optshare.params(model[0])] == [1, 1, 0]
    assert "layers.0.scale" in held(opt)


def test_paths_follow_the_model(model):
    opt = Adam(model)
    update(opt, model)
    first = model[0].weight
    model.layers.insert(0, LayerNorm(3))
    opt.add(LayerNorm)
    assert held(opt)[:3] == ["layers.0.weight", "layers.0.bias", "layers.1.weight"]
    assert opt.state_dict()["parameters"]["layers.1.weight"]["t"] == 1
    assert opt.state_for(first).t == 1


def test_a_part_may_be_added_by_pattern_and_the_others_are_left_out(model):
    opt = Adam(model)
    model.layers += [Dense(2, 1), Dense(1, 1)]
    opt.add("layers.3.*")
    assert "layers.4.weight" not in held(opt)
    with pytest.raises(UnregisteredParameterError):
        opt.state_for(model[4].weight)


def test_a_tie_to_what_is_held_needs_no_adding():
    p = Parameter([1.0])
    w = {"a": p}
    opt = SGD(w)
    w["b"] = p
    w["c"] = Parameter([2.0])
    opt.add("c")
    assert opt.state_dict()["parameters"]["a"]["aliases"] == ["b"]


def test_a_part_that_is_not_in_the_model_is_refused(model, unchanged):
    opt = Adam(model)
    with unchanged(model, opt):
        with pytest.raises(UnregisteredParameterError) as raised:
            opt.add(Dense(2, 2))
        assert str(raised.value) == (
            "that Dense is not in the model; put it there first (the model is opt.tree), "
            "then call opt.add"
        )
        with pytest.raises(GroupError, match=r"'layers\.9\.\*' matches no parameter; there are"):
            opt.add("layers.9.*")
        with pytest.raises(EmptyModelError, match="list holds no parameters"):
            opt.add([])


def test_a_part_that_is_held_is_refused(model, unchanged):
    opt = Adam(model)
    with (
        unchanged(model, opt),
        pytest.raises(ParameterError, match=r"holds layers\.1\.weight, layers\.1\.bias already; o"),
    ):
        opt.add(model[1], lr=0.5)


def test_a_bad_rule_for_a_part_changes_nothing(model, unchanged):
    opt = Adam(model)
    model.layers.append(Dense(2, 1))
    with unchanged(model[:3], opt):
        with pytest.raises(HyperparameterError, match="no hyperparameter 'lrr'"):
            opt.add(model[3], lrr=0.1)
        with pytest.raises(HyperparameterError, match="lr must be in"):
            opt.add(model[3], SGD(), lr=-0.1)
        with pytest.raises(TypeError, match="the rule must be an unbound one"):
            opt.add(model[3], 0.1)
        with pytest.raises(HyperparameterError, match="fallback"):
            opt.add(model[3], optshare.Muon(lr=0.1))


def test_nothing_comes_or_goes_while_a_function_is_differentiated(model):
    opt = Adam(model)
    x = np.ones((5, 3), np.float32)
    for change in (opt.remove, opt.add):
        with pytest.raises(ParameterError, match="cannot update while"):
            opt.step(lambda change=change: (change(model[0]), (model(x) ** 2).mean())[1])


def test_nothing_comes_or_goes_while_evaluation_values_are_in_place():
    w = [Parameter([1.0])]
    opt = Optimizer(w, optshare.EMA(0.5))
    opt.update([np.ones(1)])
    w.append(Parameter([1.0]))
    with opt.averaged(), pytest.raises(ParameterError, match="cannot be given other parameters"):
        opt.add(w[1])
    opt.add(w[1])
    assert held(opt) == ["0", "1"]


# -- removing ----------------------------------------------------------------------------------


def test_a_removed_part_stays_as_it_is_and_a_gradient_for_it_is_refused(model, backend, unchanged):
    opt = Adam(model, lr=0.1)
    x = np.ones((5, 3), np.float32)
    opt.step(lambda: (model(x) ** 2).mean())
    opt.remove(model[0])
    before = [p.value.copy() for p in optshare.params(model)]
    opt.step(lambda: (model(x) ** 2).mean())
    after = [p.value for p in optshare.params(model)]
    same = [np.array_equal(*each) for each in zip(before, after, strict=True)]
    assert same[:2] == [True, True]
    assert not same[-1]
    with unchanged(model, opt):
        with pytest.raises(UnregisteredParameterError, match=r"it holds layers\.1\.weight"):
            opt.update(model[0].weight, np.ones((3, 4)))
        with pytest.raises(UnregisteredParameterError, match="does not hold"):
            opt.update(optshare.gradient(lambda: (model(x) ** 2).mean(), wrt=model))


def test_a_removed_part_is_forgotten_and_begins_anew_when_it_is_added_again(model):
    opt = Adam(model, lr=0.1)
    update(opt, model)
    opt.remove("*.bias")
    with pytest.raises(UnregisteredParameterError):
        opt.state_for(model[0].bias)
    assert not any("bias" in path for path in opt.state_dict()["parameters"])
    opt.add("*.bias")
    assert [opt.state_for(p).t for p in optshare.params(model)] == [1, 0, 1, 0, 1, 0]


def test_a_layer_may_be_taken_out_of_the_model_before_it_is_removed(model):
    opt = Adam(model)
    update(opt, model)
    gone = model.layers.pop(1)
    opt.remove(gone)
    assert held(opt) == ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]
    assert opt.state_for(model[1].weight).t == 1


def test_what_is_held_and_not_in_the_model_any_more_is_to_be_removed_first(model, unchanged):
    opt = Adam(model)
    model.layers.pop(1)
    model.layers.append(Dense(2, 1))
    for change in (lambda: opt.add(model[-1]), lambda: opt.remove(model[0])):
        with (
            unchanged([], opt),
            pytest.raises(ParameterError) as raised,
        ):
            change()
        assert str(raised.value) == (
            "this optimizer holds layers.1.weight, layers.1.bias, which the model has no longer; "
            "call opt.remove(['layers.1.weight', 'layers.1.bias']) first"
        )
    opt.remove(["layers.1.weight", "layers.1.bias"])
    opt.add(model[-1])
    assert held(opt)[-1] == "layers.2.bias"


def test_what_is_not_held_cannot_be_removed(model, unchanged):
    opt = Adam(model)
    with unchanged(model, opt):
        with pytest.raises(UnregisteredParameterError, match="does not hold"):
            opt.remove(Dense(2, 2))
        with pytest.raises(GroupError, match="'typo' matches no parameter"):
            opt.remove("typo")
    opt.remove(model[0])
    with pytest.raises(UnregisteredParameterError, match="does not hold"):
        opt.remove(model[0])


def test_all_may_be_removed_and_another_layer_added():
    w = [Parameter([1.0])]
    opt = SGD(w, lr=0.5)
    opt.remove(w[0])
    assert repr(opt) == "Optimizer(0 parameters)"
    w[0] = Parameter([1.0, 2.0])
    opt.add(w[0])
    opt.update([np.ones(2)])
    assert w[0].value.tolist() == [0.5, 1.5]


def test_what_transforms_keep_of_a_removed_parameter_is_forgotten():
    w = [Parameter([1.0]), Parameter([1.0])]
    opt = Optimizer(w, SGD(lr=1.0), transforms=[Accumulate(every=2)])
    opt.update([np.ones(1), np.ones(1)])
    opt.remove(w[0])
    opt.update([np.ones(1)])
    assert [p.value.tolist() for p in w] == [[1.0], [0.0]]
    assert opt.state_dict()["transforms"][0]["arrays"].keys() <= {"1"}


# -- growing -----------------------------------------------------------------------------------


def test_a_layer_grows_by_removing_the_old_parameter_and_adding_the_wider_one(backend):
    model = Chain(Dense(2, 2), Dense(2, 1))
    opt = Adam(model, lr=0.1)
    x = np.ones((4, 2), np.float32)
    opt.step(lambda: (model(x) ** 2).mean())
    before = kept(opt, model[1].bias)
    opt.remove([model[0], model[1].weight])
    model.layers[0] = Dense(2, 3)
    model[1].weight = Parameter(np.ones((3, 1), np.float32))
    opt.add([model[0], model[1].weight])
    np.testing.assert_equal(kept(opt, model[1].bias), before)
    opt.step(lambda: (model(x) ** 2).mean())
    assert [opt.state_for(p).t for p in optshare.params(model)] == [1, 1, 1, 2]


def test_state_dict_goes_on_after_parameters_came_and_went(model):
    opt = Adam(model, lr=0.1)
    update(opt, model)
    opt.remove(model[1])
    model.layers.append(Dense(2, 1))
    opt.add(model[-1], SGD(lr=0.2, momentum=0.9))
    update(opt, [model[0], model[2], model[3]])
    twin = copy.deepcopy(model)
    again = Adam([twin[0], twin[2], twin[3]], lr=0.1, groups=[(twin[3], SGD(momentum=0.9))])
    renamed = Adam(twin, lr=0.1, groups={"layers.3.*": SGD(momentum=0.9)})
    renamed.remove(twin[1])
    renamed.load_state_dict(opt.state_dict())
    with pytest.raises(optshare.OptshareError, match="it lacks"):
        again.load_state_dict(opt.state_dict())
    update(opt, [model[0], model[2], model[3]])
    update(renamed, [twin[0], twin[2], twin[3]])
    np.testing.assert_equal(renamed.state_dict()["parameters"]["layers.3.bias"]["t"], 2)
    for p, q in zip(optshare.params(model), optshare.params(twin), strict=True):
        assert p.value.tolist() == q.value.tolist()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "step"]), st.integers(0, 5))))
def test_each_parameter_counts_the_updates_since_it_was_added_last(actions):
    model = {str(place): Parameter([1.0]) for place in range(6)}
    opt, counts = SGD(model, momentum=0.5), dict.fromkeys(map(str, range(6)), 0)
    for action, place in actions:
        name = str(place)
        if action == "step":
            opt.update([np.ones(1)] * len(counts))
            counts = {each: t + 1 for each, t in counts.items()}
        elif action == "remove" and name in counts:
            opt.remove(model[name])
            del counts[name]
        elif action == "add" and name not in counts:
            opt.add(name)
            counts[name] = 0
    assert {name: opt.state_for(model[name]).t for name in counts} == counts
    assert held(opt) == sorted(counts)


# -- frameworks' own models, and plain trees ---------------------------------------------------


def test_a_torch_module_grows_and_shrinks_as_torchs_own_optimizer_does():
    def grown(net):
        torch.manual_seed(1)
        net.add_module("head", torch.nn.Linear(2, 2).double())

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)).double()
    twin = copy.deepcopy(net)
    opt = Adam(net, lr=0.1)
    theirs = torch.optim.Adam(twin.parameters(), lr=0.1)
    x = torch.randn(5, 3, dtype=torch.float64)
    for step in range(6):
        if step == 2:
            grown(net), grown(twin)
            opt.add(net.head, lr=0.3)
            theirs.add_param_group({"params": twin.head.parameters(), "lr": 0.3})
        if step == 4:
            opt.remove(net[0])
            twin[0].requires_grad_(False)
        opt.step(lambda: (net(x) ** 2).mean())
        theirs.zero_grad()
        (twin(x) ** 2).mean().backward()
        theirs.step()
        twin[0].zero_grad()
        for p in twin[0].parameters():
            p.grad = None
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        assert_close(p.detach().numpy(), q.detach().numpy())
    assert list(opt.state_dict()["parameters"]) == [
        *("1.weight", "1.bias"),
        *("head.weight", "head.bias"),
    ]


def total(w):
    return sum((each * each).sum() for _, each in sorted(w.items()))


def test_an_array_of_a_plain_tree_comes_and_goes(backend):
    w = {"a": np.ones(2), "b": np.ones(1)}
    opt = SGD(w, lr=0.25, momentum=0.5)
    opt.step(total)
    state = opt.state_for(w["a"])
    w["A"] = np.ones(1)
    opt.add(w["A"])
    opt.step(total)
    assert opt.state_for(w["a"]) is state
    assert [opt.state_for(w[name]).t for name in "Aab"] == [1, 2, 2]
    opt.remove("b")
    w["b"] = np.full(1, 3.0)
    expected = total(w)
    assert opt.step(total) == expected
    assert w["b"].tolist() == [3.0]
    with pytest.raises(UnregisteredParameterError, match="at 'b', where no parameter is"):
        opt.update({name: np.ones_like(each) for name, each in w.items()})


def test_arrays_of_a_list_are_known_by_identity_when_their_places_move():
    w = [np.ones(2), np.ones(1)]
    opt = SGD(w, lr=0.5)
    opt.update([np.ones(2), np.ones(1)])
    one, two = (opt.state_for(each) for each in w)
    w.insert(0, np.ones(3))
    opt.add(w[0])
    assert [opt.state_for(each) for each in w][1:] == [one, two]
    opt.update([np.ones(3), np.ones(2), np.ones(1)])
    assert [each.tolist() for each in w] == [[0.5] * 3, [0.0] * 2, [0.0]]


def test_an_array_that_was_replaced_meanwhile_keeps_its_state():
    w = {"a": np.ones(2), "b": np.ones(1)}
    opt = SGD(w, lr=0.5)
    opt.update([np.ones(2), np.ones(1)])
    w["a"], w["c"] = np.ones(2), np.ones(1)
    opt.add("c")
    assert opt.state_for(w["a"]).t == 1
    opt.update([np.ones(2), np.ones(1), np.ones(1)])
    assert w["a"].tolist() == [0.5, 0.5]


def test_an_array_that_was_replaced_by_a_wider_one_is_removed_and_added():
    w = {"a": np.ones(2), "b": np.ones(1)}
    opt = SGD(w, lr=0.5)
    w["a"] = np.ones(3)
    with pytest.raises(ParameterError, match=r"holds a, which the model has no longer; .*'a'\) fi"):
        opt.add("a")
    opt.remove("a")
    opt.add("a")
    opt.update([np.ones(3), np.ones(1)])
    assert w["a"].tolist() == [0.5] * 3


def test_a_tree_of_jax_arrays_grows_and_shrinks_without_a_warning():
    opt = SGD({"a": jnp.ones(2), "b": jnp.ones(1)}, lr=0.25)
    opt.step(total)
    opt.tree["c"] = jnp.ones(2)
    opt.step(total)
    assert opt.tree["c"].tolist() == [1.0, 1.0]
    opt.add(opt.tree["c"])
    opt.remove("a")
    for expected in (0.5, 0.25):
        opt.step(total)
        assert opt.tree["c"].tolist() == [expected] * 2
    assert opt.tree["a"].tolist() == [0.25] * 2
    opt.tree["a"] = jnp.zeros(2)
    assert float(opt.step(total)) == pytest.approx(2 * 0.25**2 + 0.0625**2)
    with pytest.raises(UnregisteredParameterError, match="put it there first"):
        opt.add(jnp.ones(2))


def test_flax_and_equinox_modules_grow_in_a_model_that_can_change():
    import equinox as eqx
    import jax
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.first = nnx.Linear(2, 2, rngs=rngs)

    net = Net(nnx.Rngs(0))
    opt = SGD(net, lr=0.1)
    net.head = nnx.Linear(2, 1, rngs=nnx.Rngs(1))
    opt.add(net.head)
    opt.remove(net.first)
    assert held(opt) == ["head.bias", "head.kernel"]
    before = np.asarray(net.first.kernel[...])
    opt.step(lambda x: (net.head(net.first(x)) ** 2).mean(), jnp.ones((3, 2)))
    assert np.array_equal(before, net.first.kernel[...])

    layers = [eqx.nn.Linear(2, 2, key=jax.random.key(0))]
    opt = SGD(layers, lr=0.1)
    opt.tree.append(eqx.nn.Linear(2, 1, key=jax.random.key(1)))
    opt.add(opt.tree[1])
    opt.remove(opt.tree[0])
    assert held(opt) == ["1.weight", "1.bias"]
    before = [np.asarray(each.weight) for each in opt.tree]

    def loss(layers, x):
        return (jax.vmap(layers[1])(jax.vmap(layers[0])(x)) ** 2).mean()

    opt.step(loss, jnp.ones((3, 2)))
    same = [np.array_equal(a, b.weight) for a, b in zip(before, opt.tree, strict=True)]
    assert same == [True, False]
    with pytest.raises(UnregisteredParameterError, match=r"at '0\.(weight|bias)', where no param"):
        opt.update(optshare.gradient(loss, opt.tree, jnp.ones((3, 2)))[0])
    whole = SGD(layers[0])
    with pytest.raises(UnregisteredParameterError, match="put it there first"):
        whole.add(eqx.nn.Linear(2, 1, key=jax.random.key(1)))
