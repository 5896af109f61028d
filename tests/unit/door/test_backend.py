"""A stranger's backend that gives `vjp` gets gradients, optimizers and layers."""

import ast
import copy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import optshare
from optshare.errors import (
    CapabilityError,
    GradientShapeError,
    MixedBackendsError,
    NonFiniteLossError,
    NonScalarLossError,
    UnclaimedArrayError,
    UnreachedParametersError,
)
from optshare.extend import BaseBackend, Capabilities, complete

HERE = Path(__file__).parent
STRANGERS = ["gridmath", "differences"]


@pytest.fixture
def strangers(door, site):
    """Both strangers, installed; gives their modules."""
    for name in STRANGERS:
        site.write(name, (HERE / f"{name}.py").read_text())
        site.distribution(name, f"{name} = {name}")
    door.descriptions()
    import differences
    import gridmath

    return SimpleNamespace(gridmath=gridmath, differences=differences)


@pytest.fixture
def grid(strangers):
    return strangers.gridmath.Grid


def model_of(make=lambda array: array, dtype=np.float64):
    """One small model from one seed, its arrays of any kind."""
    optshare.seed(0)
    model = optshare.Chain(
        optshare.Dense(3, 5, optshare.tanh, dtype=dtype),
        optshare.Dense(5, 4, optshare.relu, dtype=dtype),
        optshare.Dense(4, 2, dtype=dtype),
    )
    for p in optshare.params(model):
        p.migrate(make(p.value))
    return model


rng = np.random.default_rng(1)
X = rng.normal(size=(6, 3))
Y = rng.integers(0, 2, 6)


@pytest.mark.parametrize("name", STRANGERS)
def test_the_stranger_imports_of_optshare_only_extend(name):
    tree = ast.parse((HERE / f"{name}.py").read_text())
    modules = [each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    modules += [
        a.name for each in ast.walk(tree) if isinstance(each, ast.Import) for a in each.names
    ]
    assert {each for each in modules if each.startswith("optshare")} == {"optshare.extend"}


# -- gradients ------------------------------------------------------------------------------


def test_a_stranger_gets_gradients_of_its_own_arrays(grid):
    x, y = grid([1.0, 2.0]), grid([3.0, 4.0])
    value, (dx, dy) = optshare.value_and_gradient(lambda x, y: optshare.ops.sum(x * x * y), x, y)
    assert isinstance(value, grid)
    assert float(value) == 19.0
    assert isinstance(dx, grid)
    assert dx.data.tolist() == [6.0, 16.0]
    assert dy.data.tolist() == [1.0, 4.0]


def test_a_path_that_is_not_there_is_absent_and_not_zero(grid):
    found = optshare.gradient(lambda x, y: optshare.ops.sum(x), grid([1.0]), grid([2.0]))
    assert found[0].data.tolist() == [1.0]
    assert found[1] is None


def test_a_parameter_may_hold_a_strangers_array_and_copies_it(grid):
    theirs = grid([1.0, 2.0])
    p = optshare.Parameter(theirs)
    assert isinstance(p.value, grid)
    assert p.value is not theirs
    assert p.shape == (2,)
    g = optshare.gradient(lambda: optshare.ops.sum(p * p), wrt=p)
    assert g[p].data.tolist() == [2.0, 4.0]


def test_an_array_whose_shape_and_dtype_are_set_when_it_is_made_is_an_array():
    class Late:
        def __init__(self):
            self.shape, self.dtype = (), np.dtype(float)

    with pytest.raises(UnclaimedArrayError, match="No backend owns Late"):
        optshare.gradient(lambda x: x, Late())


def test_the_strangers_operators_leave_parameters_to_themselves(grid):
    p = optshare.Parameter(grid([2.0]))
    assert (grid([3.0]) * p).data.tolist() == [6.0]
    assert (p * grid([3.0])).data.tolist() == [6.0]


def test_layers_on_a_strangers_arrays_have_the_tapes_values_and_gradients(grid):
    ours, theirs = model_of(), model_of(grid)
    np.testing.assert_allclose(theirs(grid(X)).data, ours(X), rtol=1e-14)
    expected = optshare.gradient(lambda: optshare.nll(ours(X), Y), wrt=ours)
    found = optshare.gradient(lambda: optshare.nll(theirs(grid(X)), Y), wrt=theirs)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b.data, a, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "silu", "elu", "selu", "gelu"])
def test_activations_come_from_the_fallbacks(strangers, grid, name):
    if name in ("elu", "selu"):
        functions = strangers.gridmath.Functions
        functions.expm1 = strangers.gridmath.op(np.expm1, lambda g, y, a: g * (y + 1))
        functions.minimum = strangers.gridmath.op(np.minimum, lambda g, y, a, b: g * (a < b))
    activation = getattr(optshare, name)
    (expected,) = optshare.gradient(lambda x: optshare.ops.sum(activation(x)), X)
    (found,) = optshare.gradient(lambda x: optshare.ops.sum(activation(x)), grid(X))
    np.testing.assert_allclose(activation(grid(X)).data, activation(X), rtol=1e-12)
    np.testing.assert_allclose(found.data, expected, rtol=1e-12, atol=1e-15)


def test_dropout_draws_the_same_mask_on_a_strangers_engine(strangers, grid):
    functions = strangers.gridmath.Functions
    functions.asarray = staticmethod(lambda x: grid(x))
    one, other = (optshare.Dropout(0.5, seed=3) for _ in range(2))
    (expected,) = optshare.gradient(lambda x: optshare.ops.sum(one(x)), X)
    (found,) = optshare.gradient(lambda x: optshare.ops.sum(other(x)), grid(X))
    assert set(expected.ravel()) == {0.0, 2.0}
    assert found.data.tolist() == expected.tolist()


def test_accuracy_of_a_strangers_scores(grid):
    assert optshare.accuracy(grid([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])) == 0.5


# -- optimizers -----------------------------------------------------------------------------

RULES = [
    optshare.SGD(lr=0.1),
    optshare.SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    optshare.Adam(lr=0.1),
    optshare.Adam(lr=0.1, weight_decay=0.1),
    optshare.AdamW(lr=0.1, weight_decay=0.1),
    optshare.NAdam(lr=0.1),
    optshare.RAdam(lr=0.1),
    optshare.RMSProp(lr=0.1, momentum=0.9),
    optshare.Adagrad(lr=0.1, initial_accumulator_value=0.5),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_an_optimizer_trains_a_strangers_model_as_it_trains_ours(grid, rule, farthest):
    ours, theirs = model_of(), model_of(grid)
    opt, their_opt = optshare.Optimizer(ours, rule), optshare.Optimizer(theirs, rule)
    for _ in range(20):
        loss = opt.step(lambda x: optshare.nll(ours(x), Y), X)
        their_loss = their_opt.step(lambda x: optshare.nll(theirs(x), Y), grid(X))
        assert float(their_loss) == pytest.approx(float(loss), rel=1e-11)
    assert farthest(ours, theirs, rule.lr) <= 1e-12
    assert all(isinstance(p.value, grid) for p in optshare.params(theirs))


def test_the_state_of_a_strangers_parameter_is_of_its_own_arrays(grid):
    p = optshare.Parameter(grid([1.0]))
    opt = optshare.Adam([p], lr=0.1)
    opt.update([grid([2.0])])
    assert isinstance(opt.state_for(p).exp_avg, grid)
    assert opt.state_for(p).exp_avg.data.tolist() == pytest.approx([0.2])
    assert opt.state_for(p).t == 1
    assert p.value.data.tolist() == pytest.approx([0.9])


def test_the_reference_path_writes_back_through_the_backends_update(strangers, grid, monkeypatch):
    backend = strangers.gridmath.backend
    written = []

    def update(key, new_value):
        written.append(key)
        BaseBackend.update(backend, key, new_value)

    monkeypatch.setattr(backend, "update", update, raising=False)
    p, q = optshare.Parameter(grid([1.0])), optshare.Parameter([1.0])
    optshare.SGD([p, q], lr=0.5).update([grid([1.0]), np.ones(1)])
    assert written == [p] or (len(written) == 1 and written[0] is p)
    assert p.value.data.tolist() == [0.5]
    assert q.value.tolist() == [0.5]


def test_gradients_and_former_values_of_a_stranger_are_not_written_into(grid):
    p = optshare.Parameter(grid([1.0]))
    before, gradient = p.value, grid([1.0])
    optshare.Adam([p], lr=0.5).update([gradient])
    assert before.data.tolist() == [1.0]
    assert gradient.data.tolist() == [1.0]


def test_half_precision_of_a_stranger_keeps_its_dtype_and_float32_state(grid):
    p = optshare.Parameter(grid(np.ones(2, np.float16)))
    opt = optshare.Adam([p], lr=0.1)
    opt.update([grid(np.ones(2, np.float16))])
    assert p.dtype == np.float16
    assert opt.state_for(p).exp_avg.dtype == np.float32


def test_a_gradient_of_the_wrong_shape_is_refused_before_anything_changes(grid):
    p, q = (optshare.Parameter(grid([1.0])) for _ in range(2))
    opt = optshare.SGD([p, q], lr=0.5)
    with pytest.raises(GradientShapeError, match=r"'1' has shape \(2,\), the parameter \(1,\)"):
        opt.update([grid([1.0]), grid([1.0, 1.0])])
    assert p.value.data.tolist() == [1.0]
    assert opt.state_for(p).t == 0


def test_a_loss_that_is_nan_is_refused_before_anything_changes(grid):
    p = optshare.Parameter(grid([1.0]))
    opt = optshare.SGD([p], lr=0.5)
    with pytest.raises(NonFiniteLossError, match="nan at step 1"):
        opt.step(lambda: optshare.ops.sum(p * float("nan")))
    assert p.value.data.tolist() == [1.0]


def test_a_frozen_parameter_of_a_stranger_stays(grid):
    p, q = (optshare.Parameter(grid([1.0])) for _ in range(2))
    optshare.freeze([q])
    opt = optshare.SGD([p, q], lr=0.5)
    opt.step(lambda: optshare.ops.sum(p * q))
    assert (p.value.data.tolist(), q.value.data.tolist()) == ([0.5], [1.0])


def test_a_strangers_run_goes_on_from_a_checkpoint(grid, farthest):
    def steps(model, opt, count):
        for _ in range(count):
            opt.step(lambda x: optshare.nll(model(x), Y), grid(X))

    whole = model_of(grid)
    opt = optshare.Adam(whole, lr=0.1)
    steps(whole, opt, 3)
    rest = copy.deepcopy(whole)
    saved = opt.state_dict()
    arrays = saved["parameters"]["layers.0.weight"]["arrays"]
    assert arrays["exp_avg"].dtype == np.float64
    assert arrays["exp_avg"].shape == (3, 5)
    steps(whole, opt, 3)
    again = optshare.Adam(rest)
    again.load_state_dict(saved)
    steps(rest, again, 3)
    assert farthest(whole, rest, 0.1) == 0.0


def test_one_optimizer_may_hold_a_strangers_parameters_beside_numpys(grid):
    theirs, ours = optshare.Parameter(grid([1.0])), optshare.Parameter([1.0])
    opt = optshare.Adam([theirs, ours], lr=0.1)
    opt.update([grid([3.0]), np.array([3.0])])
    assert theirs.value.data.tolist() == ours.value.tolist()


# -- an engine over NumPy's arrays ----------------------------------------------------------


def test_differences_train_numpys_arrays_when_they_are_asked_for(strangers, farthest):
    theirs, ours = model_of(), model_of()
    opt, their_opt = optshare.SGD(ours, lr=0.1), optshare.SGD(theirs, lr=0.1)
    for _ in range(3):
        opt.step(lambda x: optshare.nll(ours(x), Y), X)
        with optshare.use("differences"):
            their_opt.step(lambda x: optshare.nll(theirs(x), Y), X)
    assert 0 < farthest(ours, theirs, 0.1) < 1e-8


def test_differences_give_gradients_of_arguments(strangers):
    with optshare.use("differences"):
        (found,) = optshare.gradient(lambda x: (x**3).sum(), [1.0, 2.0])
    np.testing.assert_allclose(found, [3.0, 12.0], rtol=1e-8)


def test_differences_never_stand_in_for_the_tape(strangers, door):
    assert door.resolve((np.ndarray,)).name == "tape"


# -- what is refused ------------------------------------------------------------------------


def test_a_loss_with_axes_is_refused(grid):
    with pytest.raises(NonScalarLossError, match=r"shape \(2,\)"):
        optshare.gradient(lambda x: x * x, grid([1.0, 2.0]))


def test_a_loss_that_reads_no_parameter_is_refused(grid):
    p = optshare.Parameter(grid([1.0]))
    with pytest.raises(UnreachedParametersError, match="none of the 1 parameters"):
        optshare.gradient(lambda: optshare.ops.sum(grid([1.0])), wrt=p)


def test_a_strangers_arrays_do_not_mix_with_numpys(grid):
    with pytest.raises(MixedBackendsError, match=r"gridmath\.Grid \(gridmath\)"):
        optshare.gradient(lambda x, y: optshare.ops.sum(x), grid([1.0]), np.ones(1))
    with pytest.raises(MixedBackendsError, match=r"numpy\.ndarray \(tape, functional"):
        optshare.ops.matmul(grid([[1.0]]), np.ones((1, 1)))


def test_recording_on_a_backend_that_does_not_declare_it_is_refused(grid):
    with (
        optshare.use("gridmath"),
        pytest.raises(CapabilityError, match="'gridmath' does not declare 'accumulates_grad'"),
    ):
        optshare.record()


def test_a_base_backend_refuses_what_its_author_did_not_write():
    class Bare(BaseBackend):
        name = "bare"
        ops = complete(np)

    for capability, call in (
        ("vjp", lambda: Bare().vjp(lambda x: x, 1.0)),
        ("vjp", lambda: Bare().gradient(lambda: 1.0, [optshare.Parameter([1.0])])),
        ("accumulates_grad", lambda: Bare().record()),
        ("jit", lambda: Bare().lacks("jit")),
    ):
        with pytest.raises(CapabilityError, match=f"'bare' does not declare '{capability}'"):
            call()


def test_a_backend_that_cannot_rebuild_a_model_names_it():
    class Bare(BaseBackend):
        name = "bare"

    class Frozen:
        pass

    with pytest.raises(CapabilityError, match=r"'bare' .* Frozen .* defines rebuilt"):
        Bare().rebuilt(Frozen(), {})


def test_a_function_that_a_stranger_lacks_is_named(grid):
    with pytest.raises(CapabilityError, match="no function 'logaddexp'"):
        optshare.softplus(grid([1.0]))


def test_an_exception_in_a_strangers_loss_leaves_nothing_behind(grid):
    p = optshare.Parameter(grid([1.0]))

    def loss():
        assert optshare.recording()
        raise ZeroDivisionError(p.value)

    with pytest.raises(ZeroDivisionError):
        optshare.gradient(loss, wrt=p)
    assert not optshare.recording()
    assert p.value.links is None


# -- the manifest ---------------------------------------------------------------------------


def test_capabilities_that_are_declared_are_listed():
    assert Capabilities().declared() == {}
    assert Capabilities(jit=True, devices=("cpu",)).declared() == {"jit": True, "devices": ("cpu",)}


def test_an_unknown_capability_is_refused():
    with pytest.raises(TypeError, match="fusion"):
        Capabilities(fusion=True)


def test_a_manifest_cannot_be_changed():
    with pytest.raises(AttributeError):
        Capabilities().vjp = True


def test_the_strangers_manifest_is_reported(door, strangers):
    assert door.report()["gridmath"].declared() == {"vjp": True, "dtypes": ("float32", "float64")}
