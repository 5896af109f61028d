import copy
import json

import numpy as np
import pytest

import optshare
from optshare import Parameter
from optshare.errors import CheckpointError

X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(4, 2)
Y = X.sum(1, keepdims=True)

RULES = {
    "sgd": optshare.SGD(lr=0.1),
    "momentum": optshare.SGD(lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": optshare.Adam(lr=0.1),
    "adamw": optshare.AdamW(lr=0.1),
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def built(rule, seed=0):
    optshare.seed(seed)
    model = optshare.Chain(optshare.Dense(2, 3, optshare.tanh), optshare.Dense(3, 1))
    return model, optshare.Optimizer(model, rule)


def train(model, opt, steps=3):
    return [opt.step(lambda x, y: optshare.mse(model(x), y), X, Y) for _ in range(steps)]


def values(model):
    return [p.value.copy() for p in optshare.params(model)]


def move(source, target):
    for p, q in zip(optshare.params(source), optshare.params(target), strict=True):
        q.value = p.value


# -- what it holds -----------------------------------------------------------------------------


def test_state_is_saved_by_path_in_plain_arrays_and_numbers():
    model, opt = built(RULES["adam"])
    train(model, opt, 2)
    saved = opt.state_dict()
    assert list(saved["parameters"]) == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
    ]
    one = saved["parameters"]["layers.0.weight"]
    assert one["aliases"] == []
    assert one["shape"] == (2, 3)
    assert one["dtype"] == "float32"
    assert one["rule"] == "Adam"
    assert one["t"] == 2
    assert one["hyperparameters"] == {
        "lr": 0.1,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.0,
        "amsgrad": False,
        "amsgrad_corrected": False,
        "eps_hat": False,
        "eps_root": 0.0,
        "bias_correction": True,
        "initial_accumulator_value": 0.0,
        "decoupled_weight_decay": False,
        "decay_without_lr": False,
        "decay_after_step": False,
        "complex_as_reals": False,
    }
    assert {name: type(each) for name, each in one["arrays"].items()} == {
        "exp_avg": np.ndarray,
        "exp_avg_sq": np.ndarray,
    }
    np.testing.assert_array_equal(
        one["arrays"]["exp_avg"], opt.state_for(model[0].weight).exp_avg, strict=True
    )


def test_a_tied_parameter_is_saved_once_with_its_aliases():
    p = Parameter([1.0])
    saved = optshare.Adam({"enc": p, "dec": [p]}).state_dict()["parameters"]
    assert list(saved) == ["enc"]
    assert saved["enc"]["aliases"] == ["dec.0"]


def test_what_was_saved_shares_nothing_with_the_optimizer():
    model, opt = built(RULES["adam"])
    train(model, opt)
    saved = opt.state_dict()
    before = copy.deepcopy(saved)
    train(model, opt)
    np.testing.assert_equal(saved, before)
    loaded, other = built(RULES["adam"])
    other.load_state_dict(saved)
    train(loaded, other)
    np.testing.assert_equal(saved, before)


# -- going on ----------------------------------------------------------------------------------


def as_it_is(saved):
    return saved


def as_json(saved):
    def lists(thing):
        return thing.tolist()

    return json.loads(json.dumps(saved, default=lists))


def as_npz(saved, folder):
    arrays = {
        f"{path}/{name}": array
        for path, each in saved["parameters"].items()
        for name, array in each["arrays"].items()
    }
    np.savez(folder / "state.npz", **arrays)
    bare = copy.deepcopy(saved)
    for each in bare["parameters"].values():
        each["arrays"] = {}
    found = as_json(bare)
    with np.load(folder / "state.npz") as file:
        for key in file.files:
            path, name = key.rsplit("/", 1)
            found["parameters"][path]["arrays"][name] = file[key]
    return found


@every_rule
@pytest.mark.parametrize("through", ["memory", "json", "npz"])
def test_a_loaded_optimizer_goes_on_bit_for_bit(backend, rule, through, tmp_path):
    model, opt = built(rule)
    train(model, opt)
    opt.adjust(model[1], lr=0.05)
    saved = opt.state_dict()
    stored = {
        "memory": lambda: saved,
        "json": lambda: as_json(saved),
        "npz": lambda: as_npz(saved, tmp_path),
    }[through]()
    loaded, other = built(RULES["sgd"] if rule.__class__ is optshare.SGD.rule else type(rule)(), 1)
    move(model, loaded)
    other.load_state_dict(stored)
    assert other.steps == 3
    assert other.state_for(loaded[1].weight).lr == 0.05
    assert train(loaded, other) == train(model, opt)
    np.testing.assert_equal(values(loaded), values(model))
    np.testing.assert_equal(other.state_dict(), opt.state_dict())


def test_half_precision_goes_on_bit_for_bit():
    def run(steps, saved=None, value=(1.0, 2.0)):
        p = Parameter(np.array(value, np.float16))
        opt = optshare.Adam([p], lr=0.1)
        if saved is not None:
            opt.load_state_dict(saved)
        for step in range(steps):
            opt.update(p, np.array([0.3, -0.7]) * (step + 1))
        return p, opt

    p, opt = run(2)
    saved = opt.state_dict()
    assert saved["parameters"]["0"]["arrays"]["exp_avg"].dtype == np.float32
    q, other = run(0, as_json(saved), p.value.tolist())
    for each, holder in ((p, opt), (q, other)):
        holder.update(each, np.array([0.1, 0.1]))
    np.testing.assert_array_equal(p.value, q.value, strict=True)
    np.testing.assert_equal(other.state_dict(), opt.state_dict())


def test_an_optimizer_may_load_its_own_earlier_state():
    model, opt = built(RULES["momentum"])
    train(model, opt)
    saved, kept = opt.state_dict(), values(model)
    once = train(model, opt)
    for p, value in zip(optshare.params(model), kept, strict=True):
        p.value = value
    opt.load_state_dict(saved)
    assert train(model, opt) == once


def test_state_loads_into_a_copy_of_the_model():
    model, opt = built(RULES["adam"])
    train(model, opt)
    twin = copy.deepcopy(model)
    other = optshare.Adam(twin)
    other.load_state_dict(opt.state_dict())
    assert train(twin, other) == train(model, opt)


def test_the_state_of_a_tree_of_arrays_is_saved_and_loaded(backend):
    w = {"W": np.ones((2, 1)), "b": [np.zeros(1)]}
    opt = optshare.Adam(w, lr=0.1)
    opt.step(lambda w: (w["W"] * w["W"]).sum() + w["b"][0].sum())
    twin = copy.deepcopy(w)
    other = optshare.Adam(twin)
    other.load_state_dict(opt.state_dict())
    for each in (opt, other):
        each.step(lambda w: (w["W"] * w["W"]).sum() + w["b"][0].sum())
    np.testing.assert_equal(twin, w)


def test_an_optimizer_that_has_made_no_update_is_saved_and_loaded():
    _, opt = built(RULES["adam"])
    _, other = built(RULES["adam"])
    other.load_state_dict(opt.state_dict())
    assert other.state_dict() == opt.state_dict()


# -- strict ------------------------------------------------------------------------------------


def first(saved):
    return saved["parameters"]["layers.0.weight"]


DAMAGE = {
    "no format": (lambda s: s.pop("format"), "format"),
    "another format": (lambda s: s.update(format="optshare.optimizer.0"), "format"),
    "no parameters": (lambda s: s.pop("parameters"), r"lacks.*layers\.1\.bias"),
    "a missing path": (lambda s: s["parameters"].pop("layers.1.bias"), r"lacks.*layers\.1\.bias"),
    "a path too many": (lambda s: s["parameters"].update(more=first(s)), "beyond it.*more"),
    "another shape": (lambda s: first(s).update(shape=(3, 2)), r"layers\.0\.weight.*shape"),
    "another dtype": (lambda s: first(s).update(dtype="float64"), r"layers\.0\.weight.*dtype"),
    "another rule": (lambda s: first(s).update(rule="SGD"), r"layers\.0\.weight.*rule"),
    "other aliases": (lambda s: first(s).update(aliases=["layers.1.weight"]), "aliases"),
    "a missing array": (lambda s: first(s)["arrays"].pop("exp_avg"), "arrays"),
    "no arrays after updates": (lambda s: first(s).update(arrays={}), "arrays"),
    "an array too many": (lambda s: first(s)["arrays"].update(more=np.zeros((2, 3))), "arrays"),
    "an array of another shape": (
        lambda s: first(s)["arrays"].update(exp_avg=np.zeros((3, 2))),
        "shape of exp_avg",
    ),
    "an array of words": (lambda s: first(s)["arrays"].update(exp_avg=[["a"] * 3] * 2), "exp_avg"),
    "a ragged array": (lambda s: first(s)["arrays"].update(exp_avg=[[1.0], [1.0, 2.0]]), "exp_avg"),
    "an unknown hyperparameter": (
        lambda s: first(s)["hyperparameters"].update(momentum=0.9),
        "momentum",
    ),
    "a hyperparameter out of range": (
        lambda s: first(s)["hyperparameters"].update(lr=-1.0),
        "lr",
    ),
    "no step count": (lambda s: first(s).pop("t"), "t"),
    "no rule": (lambda s: first(s).pop("rule"), "rule"),
    "no arrays entry": (lambda s: first(s).pop("arrays"), "arrays"),
}


@pytest.mark.parametrize(("damage", "says"), DAMAGE.values(), ids=DAMAGE)
def test_what_does_not_fit_is_refused_and_nothing_is_changed(damage, says, unchanged):
    model, opt = built(RULES["adam"])
    train(model, opt)
    saved = opt.state_dict()
    train(model, opt)
    damage(saved)
    with unchanged(model, opt), pytest.raises(CheckpointError, match=says):
        opt.load_state_dict(saved)


@pytest.mark.parametrize("nonsense", [None, [], "state", 3])
def test_what_is_no_state_at_all_is_refused(nonsense, unchanged):
    model, opt = built(RULES["adam"])
    with unchanged(model, opt), pytest.raises(CheckpointError):
        opt.load_state_dict(nonsense)


@pytest.mark.parametrize(
    "other",
    [
        lambda: optshare.Chain(optshare.Dense(2, 3)),
        lambda: optshare.Chain(optshare.Dense(2, 4), optshare.Dense(4, 1)),
        lambda: optshare.Chain(optshare.Dense(2, 3), optshare.Dense(3, 1, dtype=np.float64)),
        lambda: [Parameter([1.0])],
    ],
    ids=["fewer layers", "other sizes", "other dtype", "other paths"],
)
def test_the_state_of_another_model_is_refused_and_nothing_is_changed(other, unchanged):
    model, opt = built(RULES["adam"])
    train(model, opt)
    wrong = other()
    holder = optshare.Adam(wrong)
    holder.update([np.ones(p.shape) for p in optshare.params(wrong)])
    with unchanged(wrong, holder), pytest.raises(CheckpointError, match=r"saved|another model"):
        holder.load_state_dict(opt.state_dict())


def test_the_state_of_a_model_with_other_ties_is_refused(unchanged):
    p, q = Parameter([1.0]), Parameter([1.0])
    saved = optshare.Adam([p, q, p]).state_dict()
    opt = optshare.Adam([p, q, q])
    with unchanged([p, q, q], opt), pytest.raises(CheckpointError, match="alias"):
        opt.load_state_dict(saved)


def test_the_state_of_another_rule_is_refused(unchanged):
    model, opt = built(RULES["adam"])
    train(model, opt)
    other = optshare.AdamW(model)
    with unchanged(model, other), pytest.raises(CheckpointError, match="'Adam', here it is 'Ad"):
        other.load_state_dict(opt.state_dict())


@pytest.mark.parametrize(
    "damage",
    [
        lambda s: s.update(parameters=None),
        lambda s: s["parameters"]["p"].update(t="x"),
        lambda s: s["parameters"]["p"].update(t=-3),
        lambda s: s["parameters"]["p"].update(hyperparameters=None),
        lambda s: s["parameters"]["p"].update(aliases=None),
        lambda s: s["parameters"]["p"].pop("t"),
    ],
)
def test_nonsense_in_a_saved_state_is_a_checkpoint_error(damage):
    p = Parameter([1.0])
    opt = optshare.Adam({"p": p})
    opt.update(p, np.ones(1))
    saved = opt.state_dict()
    damage(saved)
    with pytest.raises(CheckpointError):
        opt.load_state_dict(saved)
    assert opt.state_for(p).t == 1
