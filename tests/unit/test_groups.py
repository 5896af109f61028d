"""Groups: some parameters have other hyperparameters, or a rule of their own."""

import copy
import pickle
from fnmatch import fnmatchcase

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import optshare
from optshare import (
    SGD,
    Adam,
    AdamW,
    Chain,
    Dense,
    LayerNorm,
    Muon,
    Optimizer,
    OptimizerChain,
    Parameter,
)
from optshare.errors import (
    CheckpointError,
    EmptyModelError,
    GroupError,
    HyperparameterError,
    UnregisteredParameterError,
)
from optshare.transforms import ClipGlobalNorm

from .closeness import assert_close

STEPS = 6


def network():
    model = Chain(Dense(3, 4, optshare.tanh), LayerNorm(4), Dense(4, 2))
    return optshare.to(model, "tape", dtype="float64")


@pytest.fixture
def model():
    return network()


def paths_of(opt):
    """The learning rate of each path."""
    return {path: use.rule.lr for use in opt.groups for path in use.paths}


def is_vector(path, parameter):
    return len(parameter.shape) < 2


# -- what a group may be for -------------------------------------------------------------------


def test_a_pattern_is_for_the_paths_that_match_it(model):
    opt = Adam(model, lr=0.1, groups={"*.bias": {"lr": 0.2}, "layers.1.w*": {"lr": 0.3}})
    assert paths_of(opt) == {
        "layers.0.weight": 0.1,
        "layers.0.bias": 0.2,
        "layers.1.weight": 0.3,
        "layers.1.bias": 0.2,
        "layers.2.weight": 0.1,
        "layers.2.bias": 0.2,
    }


def test_a_pattern_matches_any_path_of_a_tied_parameter():
    p, q = Parameter([1.0]), Parameter([1.0])
    opt = SGD({"encoder": p, "other": q, "decoder": p}, groups={"decoder": {"lr": 0.5}})
    assert [opt.state_for(each).lr for each in (p, q)] == [0.5, 0.001]


@pytest.mark.parametrize("kind", [dict, list])
def test_a_class_is_for_every_parameter_inside_its_layers(model, kind):
    opt = Adam(model, lr=0.1, groups=kind([(LayerNorm, {"lr": 0.2})]))
    assert [path for path, lr in paths_of(opt).items() if lr == 0.2] == [
        "layers.1.weight",
        "layers.1.bias",
    ]


def test_a_class_is_for_what_is_deep_inside_its_layers_and_a_subclass_is_one_of_it(model):
    class Head(Chain):
        pass

    opt = Adam([model, Head(Chain(Dense(2, 1)))], lr=0.1, groups={Head: {"lr": 0.2}})
    changed = [path for path, lr in paths_of(opt).items() if lr == 0.2]
    assert changed == ["1.layers.0.layers.0.weight", "1.layers.0.layers.0.bias"]


def test_a_predicate_is_asked_with_path_and_parameter(model):
    asked = []

    def second(path, parameter):
        asked.append((path, parameter))
        return path.startswith("layers.1")

    opt = Adam(model, lr=0.1, groups={second: {"lr": 0.2}})
    assert [path for path, lr in paths_of(opt).items() if lr == 0.2] == [
        "layers.1.weight",
        "layers.1.bias",
    ]
    assert [each is p for (_, each), p in zip(asked, optshare.params(model), strict=True)] == (
        [True] * 6
    )


def test_a_part_is_for_the_parameters_in_it_by_identity(model):
    twin = copy.deepcopy(model)
    groups = [(model[0], {"lr": 0.2}), (model[2].weight, {"lr": 0.3})]
    opt = Adam([model, twin], lr=0.1, groups=groups)
    assert {path: lr for path, lr in paths_of(opt).items() if lr != 0.1} == {
        "0.layers.0.weight": 0.2,
        "0.layers.0.bias": 0.2,
        "0.layers.2.weight": 0.3,
    }


def test_a_tuple_is_for_all_that_its_members_are_for(model):
    opt = Adam(model, lr=0.1, groups={("*.bias", LayerNorm): {"lr": 0.2}})
    assert [path for path, lr in paths_of(opt).items() if lr == 0.1] == [
        "layers.0.weight",
        "layers.2.weight",
    ]
    with pytest.raises(GroupError, match=r"'typo' matches no parameter"):
        Adam(model, groups={("*.bias", "typo"): {}})


def test_a_function_that_is_a_part_of_the_model_is_that_part():
    p, q = Parameter([1.0]), Parameter([1.0])
    half = [lambda x: x * p, lambda x: x + q]
    opt = SGD(Chain(*half), lr=0.1, groups=[(half[1], {"lr": 0.2})])
    assert [opt.state_for(each).lr for each in (p, q)] == [0.1, 0.2]


def test_arrays_of_a_plain_tree_are_parts_too():
    w = {"a": [np.ones(2), np.ones(1)], "b": np.ones(1)}
    opt = SGD(w, lr=0.1, groups=[(w["a"], {"lr": 0.2}), (w["b"], {"lr": 0.3})])
    assert paths_of(opt) == {"a.0": 0.2, "a.1": 0.2, "b": 0.3}
    seen = []
    SGD(w, groups={lambda path, each: seen.append(each) or path == "b": {}})
    assert seen[0] is w["a"][0]


def test_one_array_at_two_places_is_not_told_apart_by_itself():
    z = jnp.zeros(2)
    w = {"a": z, "b": z}
    with pytest.raises(ValueError, match="one array stands at a and b"):
        SGD(w, groups=[([z], {"lr": 0.2})])
    assert paths_of(SGD(w, lr=0.1, groups={"b": {"lr": 0.2}})) == {"a": 0.1, "b": 0.2}


NAMES = st.sampled_from(["weight", "bias", "w", "b0", "layer", "head"])


@given(
    st.lists(st.lists(NAMES, min_size=1, max_size=3).map(".".join), min_size=1, unique=True),
    st.sampled_from(["*", "*.bias", "w*", "?0", "layer.*", "*.w*", "[bw]*", "head"]),
)
def test_every_parameter_has_the_rule_of_the_one_group_that_matches_it(paths, pattern):
    parameters = {path.replace(".", "_") + ".x": Parameter([1.0]) for path in paths}
    matched = {path for path in parameters if fnmatchcase(path, pattern)}
    if not matched:
        with pytest.raises(GroupError, match="matches no parameter"):
            SGD(parameters, groups={pattern: {"lr": 0.5}})
        return
    opt = SGD(parameters, lr=0.1, groups={pattern: {"lr": 0.5}})
    assert {path for path, lr in paths_of(opt).items() if lr == 0.5} == matched
    assert set(paths_of(opt)) == set(parameters)


# -- what a group has --------------------------------------------------------------------------


def test_a_dict_inherits_all_else_from_the_rule_of_the_optimizer(model):
    opt = Adam(model, lr=0.1, betas=(0.8, 0.9), groups={"*.bias": {"weight_decay": 0.5}})
    state = opt.state_for(model[0].bias)
    assert (state.lr, state.betas, state.weight_decay) == (0.1, (0.8, 0.9), 0.5)
    assert opt.state_for(model[0].weight).weight_decay == 0.0


def test_a_rule_of_its_own_inherits_nothing(model):
    opt = Optimizer(model, Adam(lr=0.1), groups={"*.bias": SGD(momentum=0.5)})
    assert opt.state_for(model[0].bias).rule == SGD(momentum=0.5)
    assert opt.state_for(model[0].weight).rule == Adam(lr=0.1)


def test_a_chain_of_rules_has_groups_by_the_names_of_its_pieces(model):
    chain = OptimizerChain(SGD(lr=1.0, momentum=0.5), SGD(lr=0.1))
    opt = Optimizer(model, chain, groups={"*.bias": {"1.lr": 0.2, "0.momentum": 0.0}})
    numbers = opt.state_for(model[0].bias).hyperparameters()
    assert (numbers["0.lr"], numbers["1.lr"], numbers["0.momentum"]) == (1.0, 0.2, 0.0)


def test_the_parameters_of_a_group_share_one_rule(model):
    opt = Optimizer(model, Adam(), groups={"*.bias": {"lr": 0.5}})
    biases = {id(opt.state_for(layer.bias).rule) for layer in model.layers}
    weights = {id(opt.state_for(layer.weight).rule) for layer in model.layers}
    assert len(biases) == len(weights) == 1
    assert biases != weights


def test_a_group_may_have_a_schedule(model):
    opt = SGD(model, lr=0.1, groups={"*.bias": {"lr": lambda step: 1.0 / (1 + step)}})
    for _ in range(2):
        opt.update([np.ones(p.shape) for p in optshare.params(model)])
    assert opt.state_for(model[0].bias).lr == 0.5
    assert opt.state_for(model[0].weight).lr == 0.1


def test_a_rule_with_a_fallback_is_divided_within_each_group(model):
    rule = Muon(lr=0.1, fallback=AdamW(lr=0.2))
    own = Muon(lr=0.3, fallback=AdamW(lr=0.4))
    opt = Optimizer(model, rule, groups={"layers.2.*": own})
    assert paths_of(opt) == {
        "layers.0.weight": 0.1,
        "layers.0.bias": 0.2,
        "layers.1.weight": 0.2,
        "layers.1.bias": 0.2,
        "layers.2.weight": 0.3,
        "layers.2.bias": 0.4,
    }
    fallbacks = [opt.state_for(p).rule for p in (model[0].bias, model[1].weight, model[1].bias)]
    assert len(set(map(id, fallbacks))) == 1


def test_the_result_reads_well():
    model = {"w": Parameter([1.0]), "b": Parameter([1.0]), "v": Parameter([1.0])}
    opt = SGD(model, lr=0.5, groups={"b": {"lr": 0.25}})
    assert repr(opt) == "Optimizer(3 parameters,\n  w, v: SGD(lr=0.5),\n  b: SGD(lr=0.25))"
    many = SGD({f"p{i}": Parameter([1.0]) for i in range(10)}, groups={"p9": {"lr": 0.5}})
    assert "p0, p1, p2, p3, p4, p5, p6, p7 and 1 more: SGD(" in repr(many)


# -- errors ------------------------------------------------------------------------------------


def test_a_parameter_in_two_groups_is_refused_by_the_names_of_both(model):
    with pytest.raises(
        GroupError, match=r"'layers\.1\.bias' is in two groups, '\*\.bias' and 'LayerNorm'"
    ):
        Adam(model, groups={"*.bias": {}, LayerNorm: {"lr": 0.5}})
    with pytest.raises(
        GroupError, match=r"in two groups, 'Dense at layers\.0' and 'Dense at layers\.0 \(2\)'"
    ):
        Adam(model, groups=[(model[0], {}), (model[0], {})])


@pytest.mark.parametrize(
    ("selector", "named"),
    [
        ("layers.3.*", "'layers.3.*'"),
        (optshare.Embedding, "the class Embedding"),
        (lambda path, parameter: False, "the predicate <lambda>"),
    ],
    ids=["pattern", "class", "predicate"],
)
def test_a_group_that_matches_nothing_is_refused_with_the_paths_that_there_are(
    model, selector, named
):
    with pytest.raises(GroupError) as raised:
        Adam(model, groups={selector: {"lr": 0.5}})
    assert str(raised.value) == (
        f"{named} matches no parameter; there are layers.0.weight, layers.0.bias, "
        f"layers.1.weight, layers.1.bias, layers.2.weight, layers.2.bias"
    )


def test_a_part_of_another_model_is_refused(model):
    with pytest.raises(UnregisteredParameterError, match="does not hold"):
        Adam(model, groups=[(Dense(2, 2), {})])
    with pytest.raises(EmptyModelError, match="int holds no parameters"):
        Adam(model, groups=[(5, {})])


def test_a_group_without_a_rule_for_it_is_refused(model):
    with pytest.raises(HyperparameterError, match=r"group '\*': Adam has no hyperparameter 'lrr'"):
        Adam(model, groups={"*": {"lrr": 0.1}})
    with pytest.raises(HyperparameterError, match=r"group '\*': Adam: lr must be in"):
        Adam(model, groups={"*": {"lr": -0.1}})
    for wrong in (0.1, Adam, None, Adam(model)):
        with pytest.raises(TypeError, match=r"'\*' must have a dict of hyperparameters, or an unb"):
            Adam(model, groups={"*": wrong})
    with pytest.raises(TypeError, match="ClipGlobalNorm acts on all gradients; give it to the o"):
        Adam(model, groups={"*": OptimizerChain(ClipGlobalNorm(), Adam())})


def test_what_is_no_groups_is_refused(model):
    with pytest.raises(TypeError, match=r"a dict or a list of pairs, not '\*'"):
        Adam(model, groups="*")
    with pytest.raises(TypeError, match=r"pairs of a selector and a rule or dict, not '\*'"):
        Adam(model, groups=["*"])
    with pytest.raises(TypeError, match=r"groups are of a model: Adam\(model, groups=...\)"):
        Adam(groups={"*": {}})


# -- adjusting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part", ["*.bias", is_vector, ("*.bias", LayerNorm), LayerNorm], ids=lambda each: str(each)[:9]
)
def test_adjust_takes_what_a_group_may_be_for_and_keeps_the_state(model, part):
    opt, grouped = Adam(model, lr=0.1), Adam(model, lr=0.1, groups=[(part, {"lr": 0.5})])
    opt.update([np.ones(p.shape) for p in optshare.params(model)])
    before = opt.state_dict()
    opt.adjust(part, lr=0.5)
    after = opt.state_dict()
    assert paths_of(opt) == paths_of(grouped)
    for path, kept in after["parameters"].items():
        kept["hyperparameters"] = before["parameters"][path]["hyperparameters"]
    np.testing.assert_equal(after, before)


def test_adjust_errs_as_groups_do(model, unchanged):
    opt = Adam(model)
    with unchanged(model, opt):
        with pytest.raises(GroupError, match=r"'typo' matches no parameter; there are layers\.0"):
            opt.adjust("typo", lr=0.5)
        with pytest.raises(GroupError, match="the class Embedding matches no"):
            opt.adjust(optshare.Embedding, lr=0.5)
        with pytest.raises(HyperparameterError, match="no hyperparameter 'momentum'"):
            opt.adjust("*.bias", momentum=0.5)


def test_adjust_of_all_is_of_every_group(model):
    opt = Adam(model, lr=0.1, groups={"*.bias": {"weight_decay": 0.5}})
    opt.adjust(lr=0.3)
    assert set(paths_of(opt).values()) == {0.3}
    assert opt.state_for(model[0].bias).weight_decay == 0.5


def test_reset_takes_a_pattern(model):
    opt = Adam(model)
    opt.update([np.ones(p.shape) for p in optshare.params(model)])
    opt.reset("*.bias")
    assert [opt.state_for(p).t for p in optshare.params(model)] == [1, 0, 1, 0, 1, 0]


# -- beside PyTorch's param_groups -------------------------------------------------------------


def torch_network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.LayerNorm(4), torch.nn.Linear(4, 2)
    ).double()


def batch(step):
    rng = np.random.default_rng(step)
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 2))


def trained_by_torch():
    """Values after STEPS steps, with lr changing in mid-run."""
    net = torch_network()
    no_decay = [p for p in net.parameters() if p.ndim < 2]
    opt = torch.optim.AdamW(
        [
            {"params": [net[0].weight]},
            {"params": no_decay, "weight_decay": 0.0, "betas": (0.8, 0.9)},
            {"params": [net[3].weight], "lr": 0.2},
        ],
        lr=0.05,
        weight_decay=0.3,
    )
    for step in range(STEPS):
        if step == 3:
            opt.param_groups[1]["lr"] = 0.01
        x, y = map(torch.tensor, batch(step))
        opt.zero_grad()
        ((net(x) - y) ** 2).mean().backward()
        opt.step()
    return [p.detach().numpy() for p in net.parameters()]


GROUPS = {"no decay": {"weight_decay": 0.0, "betas": (0.8, 0.9)}, "head": {"lr": 0.2}}


def trained(opt, loss, like=np.asarray):
    for step in range(STEPS):
        if step == 3:
            opt.adjust(is_vector, lr=0.01)
        opt.step(loss, *map(like, batch(step)))


def test_groups_of_shared_layers_give_the_numbers_of_torchs_param_groups(backend):
    net, model = torch_network(), network()
    layers = zip(model.layers, (net[0], net[2], net[3]), strict=True)
    for layer, its in layers:
        weight = its.weight.detach().numpy()
        layer.weight.value = weight.T if weight.ndim == 2 else weight
        layer.bias.value = its.bias.detach().numpy()
    groups = [(is_vector, GROUPS["no decay"]), ("layers.2.weight", GROUPS["head"])]
    opt = AdamW(model, lr=0.05, weight_decay=0.3, groups=groups)
    trained(opt, lambda x, y: ((model(x) - y) ** 2).mean())
    for p, expected in zip(optshare.params(model), trained_by_torch(), strict=True):
        assert_close(p.value, expected.T)


def test_groups_of_a_torch_module_give_the_numbers_of_torchs_param_groups():
    net = torch_network()
    groups = {("*.bias", torch.nn.LayerNorm): GROUPS["no decay"], net[3].weight: GROUPS["head"]}
    opt = AdamW(net, lr=0.05, weight_decay=0.3, groups=groups)
    trained(opt, lambda x, y: ((net(x) - y) ** 2).mean(), like=torch.tensor)
    for p, expected in zip(net.parameters(), trained_by_torch(), strict=True):
        assert_close(p.detach().numpy(), expected)


def test_groups_of_a_tree_of_jax_arrays_give_the_numbers_of_torchs_param_groups():
    names = ["0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias"]
    values = [p.detach().numpy() for p in torch_network().parameters()]
    w = {name: jnp.asarray(value) for name, value in zip(names, values, strict=True)}

    def loss(w, x, y):
        h = jnp.tanh(x @ w["0.weight"].T + w["0.bias"])
        h = (h - h.mean(-1, keepdims=True)) / jnp.sqrt(h.var(-1, keepdims=True) + 1e-5)
        h = (h * w["2.weight"] + w["2.bias"]) @ w["3.weight"].T + w["3.bias"]
        return ((h - y) ** 2).mean()

    groups = {is_vector: GROUPS["no decay"], "3.weight": GROUPS["head"]}
    opt = AdamW(w, lr=0.05, weight_decay=0.3, groups=groups)
    trained(opt, loss)
    for p, expected in zip(opt.tree.values(), trained_by_torch(), strict=True):
        assert_close(np.asarray(p), expected)


@pytest.mark.parametrize("kind", ["flax", "equinox"])
def test_a_class_of_a_frameworks_layers_is_for_the_parameters_in_them(kind):
    if kind == "flax":
        from flax import nnx

        class Net(nnx.Module):
            def __init__(self, rngs):
                self.first, self.norm = nnx.Linear(2, 2, rngs=rngs), nnx.LayerNorm(2, rngs=rngs)

        model, norm, wanted = Net(nnx.Rngs(0)), nnx.LayerNorm, {"norm.bias", "norm.scale"}
    else:
        import equinox as eqx

        norm, wanted = eqx.nn.LayerNorm, {"norm.weight", "norm.bias"}
        model = {"norm": norm(2), "rest": eqx.nn.Linear(2, 2, key=np.zeros(2, np.uint32))}
    opt = Adam(model, lr=0.1, groups={norm: {"lr": 0.5}})
    assert {path for path, lr in paths_of(opt).items() if lr == 0.5} == wanted


# -- copies and checkpoints --------------------------------------------------------------------


def test_a_copy_and_a_pickle_of_an_optimizer_keep_its_groups(model):
    opt = Adam(model, lr=0.1, groups=[(model[0], {"lr": 0.2}), ("*.2.bias", {"lr": 0.3})])
    for clone in (copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))):
        twin, other = clone((model, opt))
        assert paths_of(other) == paths_of(opt)
        twin[0].layers = [Dense(2, 2)]
        other.add(twin[0].layers[0])
        assert paths_of(other)["layers.0.layers.0.weight"] == 0.2


def gradients(model, step):
    rng = np.random.default_rng(step)
    return [rng.normal(size=p.shape) for p in optshare.params(model)]


def test_groups_resume_bit_by_bit():
    def begun():
        model = network()
        groups = {
            "layers.[02].bias": {"lr": lambda step: 0.1 / (1 + step)},
            LayerNorm: {"lr": 0.5},
            "layers.0.weight": SGD(lr=0.1, momentum=0.9),
        }
        return model, Optimizer(model, Adam(lr=0.1), groups=groups)

    optshare.seed(0)
    model, opt = begun()
    optshare.seed(0)
    twin, other = begun()
    for step in range(3):
        opt.update(gradients(model, step))
        opt.adjust(LayerNorm, lr=0.25)
    optshare.load_state_dict(twin, optshare.state_dict(model))
    other.load_state_dict(pickle.loads(pickle.dumps(opt.state_dict())))
    for step in range(3, 6):
        opt.update(gradients(model, step))
        other.update(gradients(twin, step))
    for p, q in zip(optshare.params(model), optshare.params(twin), strict=True):
        assert p.value.tobytes() == q.value.tobytes()
    np.testing.assert_equal(other.state_dict(), opt.state_dict())


def test_a_loaded_group_shares_one_rule_again(model):
    opt = Adam(model, groups={"*.bias": {"lr": 0.5}})
    opt.load_state_dict(opt.state_dict())
    rules = [opt.state_for(p).rule for p in optshare.params(model)]
    assert len(set(map(id, rules))) == 2


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (None, r"'layers\.0\.bias': it was saved in the group '\*\.bias', here it is in no group"),
        (
            {"*.0.bias": {"lr": 0.5}},
            r"'layers\.1\.bias': it was saved in the group '\*\.bias', here it is in no group",
        ),
        (
            {"*": {"lr": 0.5}},
            r"'layers\.0\.bias': it was saved in the group '\*\.bias', here it is in the group '\*",
        ),
        ({"*.bias": SGD(lr=0.5)}, r"'layers\.0\.bias': the saved rule is 'Adam', here it is 'SGD'"),
    ],
    ids=["none", "fewer", "more", "another rule"],
)
def test_a_checkpoint_of_other_groups_is_refused_by_name(model, unchanged, groups, message):
    saved = Adam(model, groups={"*.bias": {"lr": 0.5}}).state_dict()
    opt = Adam(model, groups=groups)
    with unchanged(model, opt), pytest.raises(CheckpointError, match=message):
        opt.load_state_dict(saved)


def test_the_same_groups_by_other_names_go_on(model):
    saved = Adam(model, groups={"*.bias": {"lr": 0.5}}).state_dict()
    opt = Adam(model, groups={lambda path, _: path.endswith("bias"): {"lr": 0.25}})
    opt.load_state_dict(saved)
    assert opt.state_for(model[0].bias).lr == 0.5
