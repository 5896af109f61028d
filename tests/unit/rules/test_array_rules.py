"""The rules that see whole arrays, one by one, beside the frameworks that have them."""

import numpy as np
import pytest
import torch

from optshare.errors import HyperparameterError
from optshare.rules import LAMB, LARS, Adafactor, AdamW, Muon, Site
from tests.unit.rules.array_frameworks import (
    TORCH_RULES,
    Keras,
    Torch,
    in_working_precision,
    optax_adafactor,
    optax_lamb,
    optax_lars,
    optax_muon,
)
from tests.unit.rules.by_hand.arrays import LambOutside, Lars

STEPS = 12
SHAPES = [(), (1,), (5,), (4, 7), (7, 4), (1, 6), (2, 3, 4), (3, 2, 2, 5)]


class Loop:
    """A rule over one array of NumPy's, as an optimizer runs it."""

    def __init__(self, rule, value, fans=None):
        site = Site(0, "w", fans)
        self.rule = rule.for_parameter(site, value.shape)
        self.value, self.t = value.copy(), 0
        self.state = self.rule.initial_state(np, self.value, site)

    def update(self, gradient, lr):
        if gradient is None:
            return
        self.t += 1
        rule = self.rule.adjusted(lr=lr)
        self.state, step = rule.array_step(np, self.value, gradient, self.state, self.t)
        self.value = np.asarray(self.value - step)


def gradient(step, shape):
    """Zero at step 3, absent at steps 0 and 5, else random."""
    if step in (0, 5):
        return None
    return np.asarray(np.random.default_rng(step).normal(size=shape) * (step != 3))


def start(shape):
    return np.asarray(np.random.default_rng(100).normal(size=shape))


def assert_beside(ours, theirs, deviation):
    """Values after each step, and the state at the end, to 1e-12; lr falls in mid-run."""
    lr = 0.1
    for step in range(STEPS):
        lr = 0.02 if step >= 7 else lr
        g = gradient(step, ours.value.shape)
        ours.update(g, lr)
        theirs.update(g, lr)
        assert deviation(theirs.value, ours.value, lr) <= 1e-12, step
    assert ours.value.shape == theirs.value.shape
    for name, array in theirs.state.items():
        if name in ours.state:
            assert deviation(np.squeeze(array), np.squeeze(ours.state[name]), lr) <= 1e-12, name


every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)

LARS_OPTIONS = {
    "plain": {"trust_coefficient": 0.01},
    "with decay": {"weight_decay": 0.1, "momentum": 0.8, "trust_coefficient": 0.1, "eps": 1e-3},
    "nesterov": {"weight_decay": 0.1, "nesterov": True, "trust_coefficient": 0.1},
    "without momentum": {"weight_decay": 0.1, "momentum": 0.0},
}


@every_shape
@pytest.mark.parametrize("case", LARS_OPTIONS)
def test_lars_with_a_joint_norm_is_optaxs(case, shape, deviation):
    options = LARS_OPTIONS[case]
    ours = Loop(LARS(**options, joint_norm=True), start(shape))
    assert_beside(ours, optax_lars(start(shape), **options), deviation)


@every_shape
@pytest.mark.parametrize("case", LARS_OPTIONS)
def test_lars_is_the_papers(case, shape, deviation):
    options = LARS_OPTIONS[case]
    ours = Loop(LARS(**options), start(shape))
    assert_beside(ours, Lars(start(shape), **options), deviation)


def test_lars_without_weight_decay_is_the_same_by_both_norms(deviation):
    ours = Loop(LARS(trust_coefficient=0.1, eps=0.1), start((4, 7)))
    theirs = optax_lars(start((4, 7)), trust_coefficient=0.1, eps=0.1)
    assert_beside(ours, theirs, deviation)


@every_shape
@pytest.mark.parametrize(
    "options",
    [{}, {"weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "eps_root": 1e-4}],
    ids=["plain", "with decay"],
)
def test_lamb_is_optaxs(options, shape, deviation):
    ours = Loop(LAMB(**options), start(shape))
    assert_beside(ours, optax_lamb(start(shape), **options), deviation)


@every_shape
def test_lamb_with_decoupled_decay_is_that_by_hand(shape, deviation):
    ours = Loop(LAMB(weight_decay=0.3, decoupled_weight_decay=True, eps=1e-7), start(shape))
    assert_beside(ours, LambOutside(start(shape), 0.3, 1e-7), deviation)


@pytest.mark.parametrize("shape", [(), (5,), (4, 7)], ids=str)
def test_lamb_with_decoupled_decay_is_keras(shape, deviation):
    options = {"weight_decay": 0.3, "beta_2": 0.9}
    theirs = Keras(
        "Lamb",
        {"exp_avg": "_momentums", "exp_avg_sq": "_velocities"},
        start(shape),
        options,
    )
    rule = LAMB(weight_decay=0.3, decoupled_weight_decay=True, eps=1e-7, betas=(0.9, 0.9))
    assert_beside(Loop(rule, start(shape)), theirs, deviation)


@pytest.mark.parametrize("zeros", ["value", "gradient"])
@pytest.mark.parametrize("rule", [LARS(lr=0.5, momentum=0.0), LAMB(lr=0.5)], ids=["lars", "lamb"])
def test_the_ratio_is_one_where_a_norm_is_zero(rule, zeros):
    value = np.zeros(3) if zeros == "value" else np.ones(3)
    g = np.zeros(3) if zeros == "gradient" else np.full(3, 4.0)
    ours = Loop(rule, value)
    ours.update(g, 0.5)
    moved = {"LARS": 2.0, "LAMB": 0.5 * 4 / (4 + 1e-6)}[type(rule).__name__]
    wanted = 1.0 if zeros == "gradient" else -moved
    np.testing.assert_allclose(ours.value, wanted, rtol=1e-15)


# -- Adafactor -----------------------------------------------------------------------------------


@every_shape
@pytest.mark.parametrize(
    "options",
    [{}, {"weight_decay": 0.1, "beta2_decay": -0.5, "eps": (1e-3, 0.5), "d": 2.0}],
    ids=["plain", "with all"],
)
def test_adafactor_is_torchs(options, shape, deviation):
    ours = Loop(Adafactor(**options), start(shape))
    assert_beside(ours, Torch("Adafactor", start(shape), options), deviation)
    row_and_column = {"row_var", "col_var"}
    assert set(ours.state) == (row_and_column if len(shape) > 1 else {"variance"})


@pytest.mark.parametrize("shape", [(), (5,), (4, 7), (2, 3, 4)], ids=str)
def test_adafactor_with_added_eps_is_keras(shape, deviation):
    names = {"variance": "_v"} if len(shape) < 2 else {"row_var": "_r", "col_var": "_c"}
    options = {"weight_decay": 0.3, "clip_threshold": 2.0, "epsilon_1": 1e-6}
    theirs = Keras("Adafactor", names, start(shape), options)
    rule = Adafactor(
        weight_decay=0.3,
        d=2.0,
        eps=(1e-6, 1e-3),
        eps_added=True,
        decay_first=True,
    )
    assert_beside(Loop(rule, start(shape)), theirs, deviation)


@every_shape
@pytest.mark.parametrize("size", [1, 3, 128])
def test_adafactor_over_the_largest_axes_is_optaxs(shape, size, deviation):
    rule = Adafactor(
        weight_decay=0.05,
        eps=(1e-30, 1e-3),
        eps_added=True,
        relative_step=False,
        largest_axes=True,
        factored_from=size,
        decay_times_lr=False,
    )
    ours, theirs = Loop(rule, start(shape)), optax_adafactor(start(shape), size, 0.05)
    assert_beside(ours, theirs, deviation)
    kept = theirs.state
    if "variance" in ours.state:
        kept = {"variance": kept["variance"]}
    else:
        kept = {"row_var": kept["row"], "col_var": kept["column"]}
    for name, array in kept.items():
        assert deviation(np.squeeze(array), np.squeeze(ours.state[name])) <= 1e-12


def test_the_default_eps_of_adafactor_is_the_machines():
    wide = Loop(Adafactor(), np.ones(3))
    wide.update(np.full(3, 1e-17), 0.1)
    eps = np.finfo(np.float64).eps
    np.testing.assert_allclose(wide.value, 1 - 0.1 * 1e-17 / eps, rtol=1e-15)


# -- Muon ----------------------------------------------------------------------------------------

MATRICES = [(4, 7), (7, 4), (1, 6), (6, 1), (5, 5)]
every_matrix = pytest.mark.parametrize("shape", MATRICES, ids=str)
MUON_OPTIONS = {
    "plain": {},
    "with all": {
        "momentum": 0.8,
        "nesterov": False,
        "weight_decay": 0.3,
        "ns_coefficients": (2.0, -1.5, 0.5),
        "eps": 1e-3,
        "ns_steps": 3,
    },
    "as AdamW": {"adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.0},
}


@every_matrix
@pytest.mark.parametrize("case", MUON_OPTIONS)
def test_muon_in_the_working_precision_is_torchs(case, shape, deviation, monkeypatch):
    in_working_precision(monkeypatch)
    options = MUON_OPTIONS[case]
    ours = Loop(Muon(**options, layout="out_in"), start(shape))
    assert_beside(ours, Torch("Muon", start(shape), options), deviation)


@every_matrix
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_with_a_sum_is_keras(shape, nesterov, deviation):
    options = {"weight_decay": 0.3, "nesterov": nesterov}
    theirs = Keras("Muon", {"momentum_buffer": "momentums"}, start(shape), options)
    rule = Muon(
        weight_decay=0.3,
        buffer="sum",
        eps_added=True,
        adjust_lr_fn="match_rms_adamw",
        nesterov=nesterov,
    )
    assert_beside(Loop(rule, start(shape)), theirs, deviation)


@every_matrix
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_with_a_corrected_average_is_optaxs(shape, nesterov, deviation):
    theirs = optax_muon(start(shape), weight_decay=0.3, nesterov=nesterov)
    rule = Muon(weight_decay=0.3, buffer="corrected", eps_added=True, eps=1e-8, nesterov=nesterov)
    assert_beside(Loop(rule, start(shape)), theirs, deviation)


@pytest.mark.parametrize(
    ("shape", "ins", "outs"),
    [((2, 3, 4), (0, 2), (1,)), ((3, 2, 2, 5), (0, 1, 2), (3,)), ((2, 3, 4), (1,), (2,))],
    ids=str,
)
def test_muon_over_several_axes_is_optaxs(shape, ins, outs, deviation):
    from optax.contrib import MuonDimensionNumbers

    theirs = optax_muon(
        start(shape),
        muon_weight_dimension_numbers={"w": MuonDimensionNumbers(ins, outs)},
        consistent_rms=0.2,
    )
    rule = Muon(
        weight_decay=0.0,
        buffer="corrected",
        eps_added=True,
        eps=1e-8,
        adjust_lr_fn="match_rms_adamw",
    )
    assert_beside(Loop(rule, start(shape), (ins, outs)), theirs, deviation)


def rounding_bound(size, unit, coefficients=(3.4445, -4.7750, 2.0315), steps=5):
    """How far Newton's and Schulz's iteration is off in the Frobenius norm, where each result is
    rounded to `unit` and it begins with an orthogonal matrix over the root of its size.

    All singular values are one number s, so each matrix X of a step is s times one orthogonal
    matrix, of norm s * sqrt(size). A step X -> p(X) takes a small change of X at most times
    max(|p'(s)|, |p(s)| / s): the derivative of an odd function of a matrix with equal singular
    values, of the symmetric and of the antisymmetric part.
    """
    a, b, c = coefficients
    s, root = 1 / np.sqrt(size), np.sqrt(size)
    error = 2 * unit * s * root  # it is cast, then divided
    for _ in range(steps):
        next_s = a * s + b * s**3 + c * s**5
        slope = a + 3 * b * s**2 + 5 * c * s**4
        of_gram = unit * s**2 * root
        of_polynomial = (abs(b) + 2 * abs(c) * s**2) * of_gram + unit * abs(
            b * s**2 + c * s**4
        ) * root
        error = max(abs(slope), next_s / s) * error + s * of_polynomial + unit * next_s * root
        s = next_s
    return error


def test_torchs_muon_in_bfloat16_is_within_its_roundings():
    orthogonal = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    options = {"weight_decay": 0.0}
    ours = Loop(Muon(**options, layout="out_in"), np.zeros((6, 6)))
    theirs = Torch("Muon", np.zeros((6, 6)), options)
    ours.update(orthogonal, 1.0)
    theirs.update(orthogonal, 1.0)
    apart = float(np.linalg.norm(ours.value - theirs.value))
    bound = rounding_bound(6, unit=2.0**-8)
    assert 1e-4 < apart <= bound < 0.4 * np.linalg.norm(ours.value)


def test_muon_makes_singular_values_near_one():
    ours = Loop(Muon(weight_decay=0.0, ns_steps=10), np.zeros((8, 8)))
    ours.update(np.random.default_rng(0).normal(size=(8, 8)), 1.0)
    singular = np.linalg.svd(ours.value, compute_uv=False)
    assert 0.6 < singular.min() < singular.max() < 1.3


def test_muon_over_matrices_in_a_stack_treats_each_alone():
    values, g = start((3, 4, 5)), start((3, 4, 5)) * np.array([1.0, 10.0, 100.0])[:, None, None]
    together = Loop(Muon(), values, ((1,), (2,)))
    together.update(g, 0.1)
    for one, its, found in zip(values, g, together.value, strict=True):
        alone = Loop(Muon(), one)
        alone.update(its, 0.1)
        np.testing.assert_allclose(found, alone.value, rtol=1e-13)


@pytest.mark.parametrize("shape", [(4, 7), (7, 4)], ids=str)
def test_muon_by_layout_gives_transposed_values(shape):
    one, other = Loop(Muon(), start(shape)), Loop(Muon(layout="out_in"), start(shape).T.copy())
    for step in range(1, 4):
        g = gradient(step, shape)
        one.update(g, 0.1)
        other.update(g.T.copy(), 0.1)
    np.testing.assert_allclose(other.value.T, one.value, rtol=1e-13)
    mistaken = Loop(Muon(), start(shape).T.copy())
    mistaken.update(gradient(1, shape).T.copy(), 0.1)
    unlike = Loop(Muon(), start(shape))
    unlike.update(gradient(1, shape), 0.1)
    assert not np.allclose(mistaken.value.T, unlike.value)


def test_muon_gives_what_is_no_matrix_to_its_fallback():
    fallback = AdamW(lr=3e-4)
    rule = Muon(lr=0.02, fallback=fallback)
    assert rule.for_parameter(Site(0, "bias"), (3,)) is fallback
    assert rule.for_parameter(Site(0, "embedding", ((), ())), (3, 4)) is fallback
    assert rule.for_parameter(Site(0, "stack"), (3, 4, 5)) is fallback
    assert rule.for_parameter(Site(0, "scale"), ()) is fallback
    assert rule.for_parameter(Site(0, "w"), (None, 4)).layout == ((0,), (1,))
    assert rule.for_parameter(Site(0, "w", ((1,), (0,))), (3, 4)).layout == ((1,), (0,))
    deeper = Muon(fallback=rule)
    assert deeper.for_parameter(Site(0, "bias"), (3,)) is fallback


def test_a_layout_of_axes_fits_the_arrays_that_have_them():
    rule = Muon(layout=((0,), (1, 2)), fallback=AdamW())
    assert rule.for_parameter(Site(0, "w"), (3, 4, 5)).layout == rule.layout
    assert isinstance(rule.for_parameter(Site(0, "w"), (3, 4)), type(rule.fallback))


def test_muon_without_a_fallback_names_the_parameter_and_the_fix():
    says = r"'layers.0.bias' of shape \(3,\) is none; .*fallback=AdamW\(lr=3e-4\)"
    with pytest.raises(HyperparameterError, match=says):
        Muon().for_parameter(Site(1, "layers.0.bias"), (3,))
    with pytest.raises(HyperparameterError, match=r"layout 'in_out' does not fit .* \(2, 3, 4\)"):
        Muon().array_step(np, np.ones((2, 3, 4)), np.ones((2, 3, 4)), {"momentum_buffer": 0.0}, 1)


# -- all of them ---------------------------------------------------------------------------------

RULES = {
    "lars": LARS(weight_decay=0.1, trust_coefficient=0.1),
    "lars joint": LARS(joint_norm=True, nesterov=True),
    "lamb": LAMB(weight_decay=0.1),
    "lamb decoupled": LAMB(weight_decay=0.1, decoupled_weight_decay=True),
    "adafactor": Adafactor(weight_decay=0.1),
    "adafactor of optax": Adafactor(
        eps=(1e-30, 1e-3), eps_added=True, relative_step=False, largest_axes=True
    ),
    "muon": Muon(),
    "muon of optax": Muon(buffer="corrected", eps_added=True),
}
every_rule = pytest.mark.parametrize("name", RULES)


@every_rule
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_values_and_state_is_kept(name, dtype):
    ours = Loop(RULES[name], start((3, 4)).astype(dtype))
    for step in (1, 2, 3):
        ours.update(gradient(step, (3, 4)).astype(dtype), 0.1)
    assert ours.value.dtype == dtype
    assert {each.dtype for each in ours.state.values()} == {np.dtype(dtype)}


@every_rule
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3)], ids=str)
def test_empty_arrays_stay_empty(name, shape):
    fans = ((0,), tuple(range(1, len(shape)))) if name.startswith("muon") else None
    if fans == ((0,), ()):
        fans = ((0,), (1,))
        shape = (0, 1)
    ours = Loop(RULES[name], np.zeros(shape), fans)
    ours.update(np.zeros(shape), 0.1)
    assert ours.value.shape == shape


@every_rule
def test_gradients_and_values_are_left_as_they_are(name):
    value, g = start((3, 4)), gradient(1, (3, 4))
    kept = value.copy(), g.copy()
    value.flags.writeable = g.flags.writeable = False
    rule = RULES[name]
    state = rule.initial_state(np, value, Site(0, "w"))
    for each in state.values():
        each.flags.writeable = False
    rule.array_step(np, value, g, state, 1)
    np.testing.assert_equal((value, g), kept)


@every_rule
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_compiled_by_jax_is_that_of_numpy(name, dtype):
    import jax

    from optshare import registry

    ops = registry.load("jax").ops
    rule = RULES[name]
    value, g = start((3, 4)).astype(dtype), gradient(1, (3, 4)).astype(dtype)
    state = rule.initial_state(np, value, Site(0, "w"))
    state = {each: array + g.dtype.type(0.5) for each, array in state.items()}
    compiled = jax.jit(lambda *arrays: rule.array_step(ops, *arrays))
    new, step = compiled(value, g, state, np.int32(3))
    wanted, wanted_step = rule.array_step(np, value, g, state, 3)
    rtol = 1e-5 if dtype == "float32" else 1e-12
    assert str(step.dtype) == dtype
    np.testing.assert_allclose(step, wanted_step, rtol=rtol, atol=rtol * np.abs(wanted_step).max())
    for each in wanted:
        assert str(new[each].dtype) == dtype
        np.testing.assert_allclose(new[each], wanted[each], rtol=rtol)


@every_rule
def test_a_step_in_the_functions_of_torch_is_that_of_numpy(name, deviation):
    from optshare import registry

    ops, rule = registry.load("torch").ops, RULES[name]
    value, g = start((3, 4)), gradient(1, (3, 4))
    state = rule.initial_state(np, value, Site(0, "w"))
    theirs = rule.initial_state(ops, torch.tensor(value), Site(0, "w"))
    _, wanted = rule.array_step(np, value, g, state, 1)
    _, step = rule.array_step(ops, torch.tensor(value), torch.tensor(g), theirs, 1)
    assert deviation(wanted, step.numpy()) <= 1e-13


@pytest.mark.parametrize(
    ("rule", "wrong", "says"),
    [
        (LARS, {"trust_coefficient": -1.0}, "trust_coefficient must be in"),
        (LARS, {"nesterov": True, "momentum": 0.0}, "LARS: nesterov=True needs a momentum"),
        (LAMB, {"betas": (0.9, 1.0)}, "betas must be in"),
        (Adafactor, {"beta2_decay": 0.1}, "beta2_decay must be at most 0, not 0.1"),
        (Adafactor, {"d": 0.5}, r"d must be in \[1, inf\)"),
        (Adafactor, {"eps": (1e-3, None)}, "eps must be 2 numbers"),
        (Muon, {"adjust_lr_fn": "other"}, "adjust_lr_fn must be one of .*, not 'other'"),
        (Muon, {"buffer": "other"}, "buffer must be one of"),
        (Muon, {"ns_steps": 2.5}, "ns_steps must be a whole number from 0 to 99, not 2.5"),
        (Muon, {"ns_steps": 100}, "ns_steps must be a whole number"),
        (Muon, {"layout": "across"}, "layout must be 'in_out', 'out_in', or the axes"),
        (Muon, {"layout": ((0,), (0,))}, "layout must be"),
        (Muon, {"layout": ((0,),)}, "layout must be"),
        (Muon, {"layout": 3}, "layout must be"),
        (Muon, {"fallback": AdamW}, "fallback must be an unbound rule"),
    ],
)
def test_what_does_not_fit_is_refused(rule, wrong, says):
    with pytest.raises(HyperparameterError, match=says):
        rule(**wrong)
    with pytest.raises(HyperparameterError, match=says):
        rule().adjusted(**wrong)


@pytest.mark.parametrize(
    ("rule", "named"), [(Adafactor, "Adafactor"), (Muon, "Muon")], ids=["adafactor", "muon"]
)
def test_defaults_are_torchs(rule, named):
    defaults = TORCH_RULES[named]([torch.zeros(1, 1)]).defaults
    ours = rule().hyperparameters()
    for name in set(defaults) & set(ours) - {"adjust_lr_fn"}:
        assert ours[name] == defaults[name], name
    assert set(defaults) - set(ours) <= {"foreach", "maximize"}
    assert defaults.get("adjust_lr_fn") is None  # which is "original" there
