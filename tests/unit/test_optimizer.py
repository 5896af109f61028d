import copy
import pickle

import numpy as np
import pytest

import optshare
import optshare_functional
import optshare_tape
from optshare import Optimizer, Parameter
from optshare.backend import Capabilities
from optshare.errors import (
    DifferentiationError,
    GradientShapeError,
    HyperparameterError,
    ParameterError,
    UnregisteredParameterError,
)

RULES = [
    optshare.SGD(lr=0.1),
    optshare.SGD(lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    optshare.Adam(lr=0.1, weight_decay=0.1),
    optshare.AdamW(lr=0.1, weight_decay=0.1),
]
every_rule = pytest.mark.parametrize("rule", RULES, ids=["sgd", "nesterov", "adam", "adamw"])


@pytest.fixture
def pair():
    return [Parameter([1.0, 2.0]), Parameter([[3.0]])]


def values(parameters):
    return [p.value.tolist() for p in parameters]


def arrays_of(opt, p):
    return {name: each.copy() for name, each in opt.state_for(p).arrays.items()}


# -- the ways to update ------------------------------------------------------------------------


def test_step_updates_and_gives_the_loss_from_before_the_update(backend):
    p = Parameter([3.0, 4.0])
    opt = optshare.SGD([p], lr=0.25)
    assert opt.step(lambda scale: (p * p).sum() * scale, 2.0) == 50.0
    assert p.value.tolist() == [0.0, 0.0]
    assert opt.step(lambda scale: (p * p).sum() * scale, 2.0) == 0.0


@pytest.mark.parametrize(
    "layout",
    [
        lambda opt, ps, gs: opt.update(gs),
        lambda opt, ps, gs: opt.update(tuple(gs)),
        lambda opt, ps, gs: opt.update({"a": [gs[0]], "b": gs[1]}),
        lambda opt, ps, gs: opt.update(optshare.Gradients(ps, gs)),
        lambda opt, ps, gs: opt.update(optshare.Gradients(ps[::-1], gs[::-1])),
        lambda opt, ps, gs: [opt.update(p, g) for p, g in zip(ps, gs, strict=True)],
        lambda opt, ps, gs: [opt.update(p, g.tolist()) for p, g in zip(ps, gs, strict=True)],
    ],
    ids=["list", "tuple", "tree", "Gradients", "reversed", "one by one", "lists of numbers"],
)
def test_update_takes_gradients_in_many_layouts(pair, layout):
    opt = optshare.SGD({"a": [pair[0]], "b": pair[1]}, lr=0.5)
    layout(opt, pair, [np.array([2.0, 4.0]), np.array([[-2.0]])])
    assert values(pair) == [[0.0, 0.0], [[4.0]]]


def test_update_takes_lists_of_numbers_parallel_to_the_parameters(pair):
    optshare.SGD(pair, lr=0.5).update([[2.0, 4.0], [[-2.0]]])
    assert values(pair) == [[0.0, 0.0], [[4.0]]]


def test_update_takes_gradients_nested_like_the_model():
    inner = {"w": Parameter([1.0]), "b": Parameter([2.0])}
    model = [inner, (Parameter([3.0]),)]
    opt = optshare.SGD(model, lr=1.0)
    opt.update([{"w": np.array([1.0]), "b": None}, (np.array([3.0]),)])
    assert values(optshare.params(model)) == [[0.0], [2.0], [0.0]]
    assert [opt.state_for(p).t for p in optshare.params(model)] == [1, 0, 1]


def test_gradients_at_both_places_of_a_tied_parameter_are_summed():
    p = Parameter([10.0])
    opt = optshare.SGD({"enc": p, "dec": [p]}, lr=1.0)
    opt.update({"enc": np.array([1.0]), "dec": [np.array([2.0])]})
    assert p.value.tolist() == [7.0]
    assert opt.state_for(p).t == 1


def test_step_without_a_function_takes_what_back_accumulated(pair):
    p, q = pair
    opt = optshare.SGD(pair, lr=0.5)
    with optshare.record():
        y = (p * p).sum()
    optshare_tape.back(y)
    assert opt.step() is None
    assert values(pair) == [[0.0, 0.0], [[3.0]]]
    assert (opt.state_for(p).t, opt.state_for(q).t) == (1, 0)


def test_two_backward_passes_add_up_until_zero_grad():
    p = Parameter([1.0])
    opt = optshare.SGD([p], lr=0.5)
    for _ in range(2):
        with optshare.record():
            y = (3.0 * p).sum()
        optshare_tape.back(y)
    assert p.grad.tolist() == [6.0]
    opt.step()
    assert p.value.tolist() == [-2.0]
    assert p.grad.tolist() == [6.0]
    opt.zero_grad()
    assert p.grad is None


def test_step_without_a_function_after_no_backward_pass_is_an_error(pair, unchanged):
    opt = optshare.Adam(pair)
    with unchanged(pair, opt), pytest.raises(DifferentiationError, match=r"no parameter has a \.g"):
        opt.step()


def test_steps_counts_updates_of_the_whole(backend, pair):
    opt = optshare.SGD(pair)
    opt.step(lambda: (pair[0] * pair[0]).sum())
    opt.update([np.zeros(2), np.zeros((1, 1))])
    assert opt.steps == 2


def test_update_wants_one_or_two_arguments(pair):
    opt = optshare.SGD(pair)
    with pytest.raises(TypeError, match="not 3 arguments"):
        opt.update(pair[0], np.zeros(2), 1)
    with pytest.raises(TypeError, match="not 0 arguments"):
        opt.update()


@pytest.mark.parametrize(
    "given",
    [
        [np.zeros(2)],
        [np.zeros(2), np.zeros((1, 1)), np.zeros(1)],
        {"0": np.zeros(2), "weight": np.zeros((1, 1))},
        [],
        None,
        "gradients",
        (each for each in ()),
    ],
    ids=["short", "long", "unknown path", "empty", "None", "string", "generator"],
)
def test_gradients_that_do_not_fit_the_layout_are_refused(pair, given, unchanged):
    opt = optshare.Adam(pair)
    with unchanged(pair, opt), pytest.raises(optshare.OptshareError):
        opt.update(given)


def test_a_parameter_the_optimizer_does_not_hold_is_refused(pair, unchanged):
    opt, stranger = optshare.Adam(pair), Parameter([1.0, 2.0])
    with unchanged(pair, opt):
        with pytest.raises(UnregisteredParameterError, match="it holds 0, 1"):
            opt.update(stranger, np.zeros(2))
        with pytest.raises(UnregisteredParameterError, match="does not hold"):
            opt.update(optshare.Gradients([pair[0], stranger], [np.ones(2), np.ones(2)]))
        with pytest.raises(UnregisteredParameterError, match="does not hold"):
            opt.state_for(stranger)
        with pytest.raises(UnregisteredParameterError, match="does not hold"):
            opt.adjust(stranger, lr=0.1)


# -- gradients ---------------------------------------------------------------------------------


@every_rule
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_gradients_are_never_mutated(rule, dtype):
    p = Parameter(np.ones(5, dtype))
    opt, g = Optimizer([p], rule), np.arange(5, dtype=np.float64)
    for given in (g, g.astype(dtype), g.astype(int)):
        before = given.copy()
        for _ in range(3):
            opt.update(p, given)
        np.testing.assert_array_equal(given, before)


@every_rule
def test_gradients_may_be_read_only(rule):
    p, g = Parameter(np.ones(3)), np.broadcast_to(np.float64(2.0), (3,))
    Optimizer([p], rule).update(p, g)
    assert len(set(p.value.tolist())) == 1
    assert p.value[0] < 1.0


def test_gradients_of_a_differentiation_keep_their_numbers_after_the_update(backend):
    p, q = Parameter([1.0, 2.0]), Parameter([3.0, 4.0])
    g = optshare.gradient(lambda: (p * q).sum() + (p + q).sum(), wrt=[p, q])
    opt = optshare.SGD([p, q], lr=0.5)
    opt.update(g)
    opt.update(g)
    assert [each.tolist() for each in g] == [[4.0, 5.0], [2.0, 3.0]]
    assert values([p, q]) == [[-3.0, -3.0], [1.0, 1.0]]


def test_the_values_of_other_parameters_as_gradients_are_those_from_before_the_update():
    p, q = Parameter([1.0]), Parameter([2.0])
    optshare.SGD([p, q], lr=1.0).update([q.value, p.value])
    assert values([p, q]) == [[-1.0], [1.0]]


def test_a_hand_written_derivative_that_returns_its_argument_lends_no_memory():
    p = Parameter([1.0, 2.0])
    half_square = optshare_functional.custom_vjp(
        lambda x: (x * x).sum() / 2, lambda x: ((x * x).sum() / 2, x), lambda x, g: (x,)
    )
    with optshare.use("functional"):
        g = optshare.gradient(lambda: half_square(p.value), wrt=p)
    optshare.SGD([p], lr=1.0).update(g)
    assert p.value.tolist() == [0.0, 0.0]
    assert g[p].tolist() == [1.0, 2.0]


@every_rule
def test_no_gradient_skips_the_parameter_and_a_zero_gradient_advances_it(rule):
    skipped, zero = Parameter([1.0]), Parameter([1.0])
    opt = Optimizer([skipped, zero], rule)
    opt.update([np.ones(1), np.ones(1)])
    before = values([skipped]), arrays_of(opt, skipped), opt.state_for(skipped).t
    opt.update([None, np.zeros(1)])
    after = values([skipped]), arrays_of(opt, skipped), opt.state_for(skipped).t
    np.testing.assert_equal(after, before)
    assert opt.state_for(zero).t == 2
    if rule.state_names():
        assert values([zero]) != values([skipped])


def test_step_counts_are_per_parameter(backend):
    p, q = Parameter([1.0]), Parameter([1.0])
    opt = optshare.Adam([p, q], lr=0.1)
    for _ in range(3):
        opt.step(lambda: (p * p).sum())
    opt.step(lambda: (p * q).sum())
    assert (opt.state_for(p).t, opt.state_for(q).t) == (4, 1)
    # the first step of Adam has length lr, whatever happened to other parameters
    np.testing.assert_allclose(q.value, 0.9, rtol=1e-7)


def test_a_gradient_of_another_dtype_does_not_change_the_parameters():
    p = Parameter([1.0], np.float32)
    opt = optshare.Adam([p])
    opt.update(p, np.ones(1, np.float64))
    assert p.dtype == np.float32
    assert opt.state_for(p).exp_avg.dtype == np.float32


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 2, 1)])
def test_a_gradient_of_another_shape_is_refused_before_anything_is_changed(shape, unchanged):
    good, bad = Parameter([1.0]), Parameter([1.0, 2.0])
    opt = optshare.Adam([good, bad])
    with unchanged([good, bad], opt), pytest.raises(GradientShapeError, match=r"'1' has shape"):
        opt.update([np.ones(1), np.ones(shape)])


@pytest.mark.parametrize("dtype", [bool, complex, object, "U1"])
def test_a_gradient_that_is_not_real_is_refused_before_anything_is_changed(dtype, unchanged):
    good, bad = Parameter([1.0]), Parameter([1.0])
    opt = optshare.Adam([good, bad])
    with unchanged([good, bad], opt), pytest.raises(GradientShapeError, match="dtype"):
        opt.update([np.ones(1), np.ones(1).astype(dtype)])


def test_a_complex_parameter_of_an_ordering_rule_is_refused_before_anything_changes(unchanged):
    good, bad = Parameter([1.0]), Parameter([1j])
    opt = optshare.Lion([good, bad])
    with unchanged([good, bad], opt), pytest.raises(ParameterError, match="complex128"):
        opt.update([np.ones(1), np.ones(1)])


# -- values, ties, copies ----------------------------------------------------------------------


def test_an_assigned_value_keeps_the_state(backend):
    p = Parameter([1.0, 2.0])
    opt = optshare.Adam([p], lr=0.1)
    opt.update(p, np.ones(2))
    before = arrays_of(opt, p)
    p.value = [5.0, 6.0]
    np.testing.assert_equal(arrays_of(opt, p), before)
    assert opt.state_for(p).t == 1
    opt.update(p, np.ones(2))
    np.testing.assert_allclose(p.value, [4.9, 5.9], rtol=1e-8)


@every_rule
def test_a_migrated_dtype_converts_the_state(rule):
    p = Parameter([1.0, 2.0])
    opt = Optimizer([p], rule)
    opt.update(p, np.array([0.1, 0.3]))
    before = arrays_of(opt, p)
    p.migrate(p.value.astype(np.float32))
    opt.update(p, np.zeros(2, np.float32))
    assert opt.state_for(p).t == 2
    assert p.dtype == np.float32
    for name, array in opt.state_for(p).arrays.items():
        assert array.dtype == np.float32
        assert np.all(array != 0)
        assert np.all(np.sign(array) == np.sign(before[name]))


@every_rule
def test_a_migrated_shape_restarts_the_state_and_the_step_count(rule):
    p = Parameter([1.0, 2.0])
    opt = Optimizer([p], rule)
    opt.update(p, np.ones(2))
    opt.update(p, np.ones(2))
    p.migrate([1.0, 2.0, 3.0])
    opt.update(p, np.ones(3))
    fresh = Parameter([1.0, 2.0, 3.0])
    other = Optimizer([fresh], rule)
    other.update(fresh, np.ones(3))
    assert opt.state_for(p).t == 1
    assert p.value.tolist() == fresh.value.tolist()
    np.testing.assert_equal(arrays_of(opt, p), arrays_of(other, fresh))


def test_one_parameter_at_many_sites_has_one_state_and_one_update(backend):
    p = Parameter([2.0])
    model = optshare.Chain(lambda x: x * p, optshare.Chain(lambda x: x + p, lambda x: x * p))
    opt = optshare.SGD(model, lr=0.5)
    loss = opt.step(lambda: model(np.array([3.0])).sum())
    assert loss == 16.0
    assert p.value.tolist() == [2.0 - 0.5 * 16.0]  # the loss is 4 p**2
    assert len(opt.state_dict()["parameters"]) == 1


def test_equal_values_never_tie(backend):
    p, q = Parameter([1.0]), Parameter([1.0])
    opt = optshare.SGD([p, q], lr=1.0)
    opt.step(lambda: (2.0 * p).sum() + (3.0 * q).sum())
    assert values([p, q]) == [[-1.0], [-2.0]]


def test_deepcopy_of_a_model_gives_new_identities_and_keeps_ties():
    p = Parameter([1.0])
    model = optshare.Chain(optshare.Dense(1, 1))
    model.tied = [p, p]
    twin = copy.deepcopy(model)
    mine, theirs = optshare.params(model), optshare.params(twin)
    assert len(mine) == len(theirs) == 3
    assert not {id(each) for each in mine} & {id(each) for each in theirs}
    assert twin.tied[0] is twin.tied[1]


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("order", [1, -1], ids=["model first", "optimizer first"])
def test_a_copy_of_model_and_optimizer_together_keeps_the_pairing(backend, clone, order):
    model = optshare.Chain(optshare.Dense(2, 3, optshare.tanh), optshare.Dense(3, 1))
    opt = optshare.Adam(model, lr=0.1)
    x = np.ones((4, 2), np.float32)
    for _ in range(3):
        opt.step(lambda: optshare.mse(model(x), x[:, :1]))
    opt.adjust(model[1], lr=0.5)
    twin, other = clone((model, opt)[::order])[::order]
    for p, q in zip(optshare.params(model), optshare.params(twin), strict=True):
        assert other.state_for(q).t == 3
        assert other.state_for(q).lr == opt.state_for(p).lr
        np.testing.assert_equal(arrays_of(other, q), arrays_of(opt, p))
        with pytest.raises(UnregisteredParameterError):
            other.state_for(p)
    for m, o in ((model, opt), (twin, other)):
        for _ in range(2):
            o.step(lambda m=m: optshare.mse(m(x), x[:, :1]))
        o.update(optshare.gradient(lambda m=m: optshare.mse(m(x), x[:, :1]), wrt=m))
    assert values(optshare.params(twin)) == values(optshare.params(model))
    assert other.steps == opt.steps == 6


def test_a_copy_of_a_plain_tree_and_its_optimizer_keeps_the_pairing(backend):
    w = [np.ones(2), np.ones(1)]
    opt = optshare.SGD(w, lr=0.1, momentum=0.9)
    opt.step(lambda w: w[0].sum() * w[1].sum())
    twin, other = copy.deepcopy((w, opt))
    assert other.tree is twin
    for each in (opt, other):
        each.step(lambda w: w[0].sum() * w[1].sum())
    np.testing.assert_equal(twin, w)
    assert not np.shares_memory(twin[0], w[0])


def test_a_copied_optimizer_trains_the_copied_model_only(backend):
    p = Parameter([1.0])
    opt = optshare.SGD([p], lr=0.5)
    twin, other = copy.deepcopy((p, opt))
    other.update([np.ones(1)])
    assert (p.value.tolist(), twin.value.tolist()) == ([1.0], [0.5])
    assert (opt.state_for(p).t, other.state_for(twin).t) == (0, 1)


def test_two_optimizers_over_one_model_share_nothing(backend):
    p = Parameter([1.0, 2.0])
    one, two = optshare.Adam([p], lr=0.1), optshare.Adam([p], lr=0.1)
    one.update(p, np.ones(2))
    assert (one.state_for(p).t, two.state_for(p).t) == (1, 0)
    two.update(p, -np.ones(2))
    one.adjust(lr=0.9)
    assert (one.state_for(p).lr, two.state_for(p).lr) == (0.9, 0.1)
    assert not np.shares_memory(one.state_for(p).exp_avg, two.state_for(p).exp_avg)
    one.reset()
    assert (one.state_for(p).t, two.state_for(p).t) == (0, 1)


def test_one_rule_object_may_serve_two_optimizers():
    rule, p = optshare.Adam(lr=0.1), Parameter([1.0])
    one, two = Optimizer([p], rule), Optimizer([p], rule)
    one.adjust(lr=0.5)
    assert (one.state_for(p).lr, two.state_for(p).lr, rule.lr) == (0.5, 0.1, 0.1)


# -- freezing ----------------------------------------------------------------------------------


@every_rule
def test_a_frozen_parameter_keeps_value_state_and_step_count_and_thaw_resumes(backend, rule):
    frozen, free = Parameter([1.0, 2.0]), Parameter([1.0, 2.0])
    alone = Parameter([1.0, 2.0])
    opt, other = Optimizer([frozen, free], rule), Optimizer([alone], rule)

    def loss():
        return (frozen * frozen).sum() + (free * free).sum()

    opt.step(loss)
    other.step(lambda: (alone * alone).sum())
    optshare.freeze(frozen)
    before = values([frozen]), arrays_of(opt, frozen), opt.state_for(frozen).t
    opt.step(loss)
    opt.update([np.ones(2), np.ones(2)])
    opt.update(frozen, np.ones(2))
    after = values([frozen]), arrays_of(opt, frozen), opt.state_for(frozen).t
    np.testing.assert_equal(after, before)
    assert opt.state_for(free).t == 3
    optshare.thaw(frozen)
    opt.step(loss)
    other.step(lambda: (alone * alone).sum())
    assert values([frozen]) == values([alone])
    assert opt.state_for(frozen).t == 2


# -- hyperparameters ---------------------------------------------------------------------------


def test_adjust_changes_a_part_or_all_and_keeps_the_state(pair):
    opt = optshare.Adam(pair, lr=0.1)
    opt.update([np.ones(2), np.ones((1, 1))])
    before = arrays_of(opt, pair[0])
    opt.adjust([pair[0]], lr=0.5)
    assert [opt.state_for(p).lr for p in pair] == [0.5, 0.1]
    opt.adjust(lr=0.2, betas=(0.5, 0.6))
    assert [opt.state_for(p).lr for p in pair] == [0.2, 0.2]
    assert opt.state_for(pair[1]).betas == (0.5, 0.6)
    assert [opt.state_for(p).t for p in pair] == [1, 1]
    np.testing.assert_equal(arrays_of(opt, pair[0]), before)


def test_an_adjusted_learning_rate_is_the_one_that_acts(pair):
    opt = optshare.SGD(pair, lr=1.0)
    opt.adjust(pair[1], lr=0.25)
    opt.update([np.ones(2), np.ones((1, 1))])
    assert values(pair) == [[0.0, 1.0], [[2.75]]]


def test_a_bad_adjustment_changes_nothing(pair, unchanged):
    opt = optshare.SGD(pair, lr=0.1, momentum=0.9)
    with unchanged(pair, opt):
        with pytest.raises(
            HyperparameterError,
            match="no hyperparameter 'betas'; choices: complex_as_reals, dampen_first, damp",
        ):
            opt.adjust(betas=(0.1, 0.2))
        with pytest.raises(HyperparameterError, match="lr must be in"):
            opt.adjust(momentum=0.5, lr=-1.0)
        with pytest.raises(HyperparameterError, match="nesterov"):
            opt.adjust(nesterov=True, momentum=0.0)


def test_momentum_can_be_switched_off_and_on_in_mid_run():
    p = Parameter([0.0])
    opt = optshare.SGD([p], lr=1.0, momentum=0.5)
    opt.update(p, np.ones(1))
    opt.adjust(momentum=0.0)
    opt.update(p, np.ones(1))
    assert p.value.tolist() == [-2.0]
    assert opt.state_for(p).arrays == {}
    opt.adjust(momentum=0.5)
    opt.update(p, np.ones(1))
    assert opt.state_for(p).momentum_buffer.tolist() == [1.0]
    assert opt.state_for(p).t == 3


def test_reset_forgets_moments_and_step_counts_of_a_part_or_of_all(pair):
    opt = optshare.Adam(pair, lr=0.1)
    opt.adjust(lr=0.2)
    opt.update([np.ones(2), np.ones((1, 1))])
    opt.reset(pair[0])
    assert [opt.state_for(p).t for p in pair] == [0, 1]
    assert opt.state_for(pair[0]).arrays == {}
    assert opt.state_for(pair[0]).lr == 0.2
    opt.reset()
    assert [opt.state_for(p).t for p in pair] == [0, 0]


def test_repr_names_the_rules_in_use(pair):
    opt = optshare.SGD(pair, lr=0.5)
    assert "2 parameters" in repr(opt)
    assert "SGD(lr=0.5" in repr(opt)


def test_the_face_gives_a_rule_without_a_model_and_an_optimizer_with_one(pair):
    assert isinstance(optshare.Adam(lr=0.1), optshare.Rule)
    assert isinstance(optshare.Adam(pair, lr=0.1), Optimizer)
    with pytest.raises(TypeError, match="hyperparameters by name"):
        optshare.Adam(pair, 0.1)


# -- plain trees of arrays ---------------------------------------------------------------------


def quadratic(w):
    return (w["W"] * w["W"]).sum() + (w["b"][0] * 2.0).sum()


def test_a_tree_of_arrays_has_a_slot_for_each_leaf_and_is_updated_in_place(backend):
    w = {"W": np.ones((2, 2)), "b": [np.zeros(2)]}
    inside = w["W"], w["b"][0]
    opt = optshare.SGD(w, lr=0.25)
    assert opt.step(quadratic) == 4.0
    assert w["W"].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert w["b"][0].tolist() == [-0.5, -0.5]
    assert w["W"] is inside[0]
    assert w["b"][0] is inside[1]
    assert opt.tree is w
    assert sorted(opt.state_dict()["parameters"]) == ["W", "b.0"]


def test_a_single_array_is_a_tree(backend):
    w = np.array([1.0, 2.0])
    opt = optshare.SGD(w, lr=0.5)
    opt.step(lambda w: (w * w).sum())
    assert w.tolist() == [0.0, 0.0]
    opt.update(np.ones(2))
    assert w.tolist() == [-0.5, -0.5]


def test_updates_of_a_tree_take_gradients_in_its_structure(backend):
    w = {"W": np.ones((2, 2)), "b": [np.zeros(2)]}
    opt = optshare.SGD(w, lr=0.25)
    opt.update({"W": np.full((2, 2), 2.0), "b": [np.full(2, 2.0)]})
    assert w["W"][0, 0] == 0.5
    opt.update(optshare.gradient(quadratic, w)[0])
    opt.update(w["b"][0], np.ones(2))
    assert w["W"][0, 0] == 0.25
    assert w["b"][0].tolist() == [-1.25, -1.25]


def test_an_array_put_in_the_place_of_another_keeps_the_momentum(backend):
    w = [np.zeros(1)]
    opt = optshare.SGD(w, lr=1.0, momentum=0.5)
    opt.update([np.ones(1)])
    w[0] = np.full(1, 10.0)
    opt.step(lambda w: w[0].sum())
    assert w[0].tolist() == [10.0 - 1.5]
    assert opt.state_for(w[0]).t == 2


@pytest.mark.parametrize(
    "use",
    [
        lambda opt, w: opt.state_for(w[0]).t == 1,
        lambda opt, w: opt.adjust(w[0], lr=0.5) is None,
        lambda opt, w: opt.reset(w[0]) is None,
        lambda opt, w: opt.update(w[0], np.ones(1)) is None,
    ],
    ids=["state_for", "adjust", "reset", "update"],
)
def test_an_array_put_in_the_place_of_another_is_known_at_once(use):
    w = [np.zeros(1), np.zeros(1)]
    opt = optshare.SGD(w, lr=1.0, momentum=0.5)
    opt.update([np.ones(1), np.ones(1)])
    w[0] = np.full(1, 10.0)
    assert use(opt, w)


def test_replacing_all_arrays_as_a_functional_update_would_keeps_the_state(backend):
    w = [np.zeros(2), np.zeros(1)]
    opt = optshare.Adam(w, lr=0.1)
    for _ in range(3):
        opt.step(lambda w: w[0].sum() + w[1].sum())
        w[:] = [each * 1.0 for each in w]
    assert [state["t"] for state in opt.state_dict()["parameters"].values()] == [3, 3]
    np.testing.assert_allclose(w[0], [-0.3, -0.3], rtol=1e-7)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros(2, np.float32)])
def test_an_array_of_another_shape_or_dtype_in_the_place_of_one_is_refused(wrong, unchanged):
    w = [np.zeros(1), np.zeros(2)]
    opt = optshare.Adam(w)
    opt.update([np.ones(1), np.ones(2)])
    before = opt.state_dict()
    w[1] = wrong
    with pytest.raises(ParameterError, match=r"shape|dtype"):
        opt.update([np.ones(1), np.ones(wrong.shape)])
    np.testing.assert_equal(opt.state_dict(), before)


def test_one_array_at_two_places_of_a_tree_is_tied(backend):
    shared = np.array([1.0])
    w = [shared, {"again": shared}]
    opt = optshare.SGD(w, lr=0.5)
    opt.step(lambda w: (2.0 * w[0] + 4.0 * w[1]["again"]).sum())
    assert shared.tolist() == [-2.0]
    assert opt.state_for(shared).t == 1
    opt.update([np.ones(1), {"again": np.ones(1)}])
    assert shared.tolist() == [-3.0]


def test_one_optimizer_holds_plain_arrays_and_a_model(backend):
    w, model = [np.array([[2.0]]), np.array([1.0])], optshare.Dense(1, 1, dtype=np.float64)
    model.weight.value = [[3.0]]
    x, y = np.array([[1.0]]), np.array([[0.0]])
    opt = optshare.SGD((w, model), lr=0.125)

    def loss(w, x, y):
        return ((model(x @ w[0] + w[1]) - y) ** 2).sum()

    value, g = optshare.value_and_gradient(loss, w, x, y, wrt=(0, model))
    assert value == 81.0
    opt.update(g)
    assert (w[0].tolist(), w[1].tolist()) == ([[2.0 - 6.75]], [1.0 - 6.75])
    assert (model.weight.value.tolist(), model.bias.value.tolist()) == ([[3.0 - 6.75]], [-2.25])
    assert opt.step(lambda tree, x, y: loss(tree[0], x, y), x, y) >= 0.0
    assert {each["t"] for each in opt.state_dict()["parameters"].values()} == {2}


def test_an_engine_may_change_in_mid_run_without_touching_the_state(deviation):
    def run(engines):
        p = Parameter([1.0, 2.0])
        opt = optshare.Adam([p], lr=0.1)
        for name in engines:
            with optshare.use(name):
                opt.step(lambda: (p * p * p).sum())
        return p.value, opt.state_for(p).exp_avg

    for one, other in zip(run(["tape"] * 6), run(["tape", "functional"] * 3), strict=True):
        assert deviation(one, other, 0.1) <= 1e-15


@pytest.mark.parametrize("rule", [optshare.Adam, 0.1, "Adam", optshare.rules.Adam])
def test_what_is_no_unbound_rule_is_refused(rule):
    with pytest.raises(TypeError, match="must be an unbound one"):
        Optimizer([Parameter([1.0])], rule)


def test_a_number_in_the_place_of_the_model_is_taken_for_a_learning_rate():
    with pytest.raises(TypeError, match=r"Adam\(model, lr=0\.01\)"):
        optshare.Adam(0.01)


def test_a_shallow_copy_of_an_optimizer_is_refused():
    with pytest.raises(TypeError, match="deepcopy"):
        copy.copy(optshare.Adam([Parameter([1.0])]))


def test_gradients_that_are_views_of_another_parameter_are_read_before_it_is_written():
    flat = np.arange(6.0)
    halves = [flat[:3], flat[3:]]
    optshare.SGD(halves, lr=1.0).update([flat[3:], flat[:3]])
    assert flat.tolist() == [-3.0, -3.0, -3.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize("leaf", [3, 0.5, True, "name", b"raw", 1j])
def test_a_leaf_of_a_plain_tree_that_is_no_array_is_refused(leaf):
    tree = {"w": np.array([1.0, 2.0]), "inner": [np.ones(1), leaf]}
    with pytest.raises(ParameterError, match=f"{type(leaf).__name__} .* at 'inner.1'"):
        optshare.SGD(tree, lr=0.5)
    assert tree["w"].tolist() == [1.0, 2.0]


def test_a_backend_of_three_verbs_needs_no_seam(monkeypatch):
    class Verbs:
        name, ops = "verbs", optshare.ops

        def params(self, model):
            return []

        def gradient(self, fn, keys, *args):
            return fn(*args), [np.ones(2) for _ in keys]

        def update(self, key, new_value):
            key.value = new_value

    monkeypatch.setattr(optshare.registry, "resolve", lambda kinds: Verbs())
    monkeypatch.setattr(optshare.registry, "capabilities", lambda name: Capabilities())
    p = Parameter([1.0, 2.0])
    opt = optshare.SGD([p], lr=0.5)
    opt.nonfinite = "propagate"
    opt.step(lambda: 0.0)
    assert p.value.tolist() == [0.5, 1.5]
