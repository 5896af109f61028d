"""Every kind of bad input raises its own exception, which says what to do; nothing changes."""

import subprocess
import sys

import numpy as np
import pytest

import optshare
import optshare_tape
from optshare import Parameter
from optshare.errors import (
    DataError,
    DifferentiationError,
    EmptyModelError,
    FreedRecordError,
    GradientShapeError,
    HyperparameterError,
    MixedBackendsError,
    NonFiniteLossError,
    NonScalarLossError,
    OptshareError,
    StaleRecordError,
    UnclaimedArrayError,
    UnknownBackendError,
    UnreachedParametersError,
)
from optshare_arrays import Scope
from optshare_functional.trace import Tracer


class Stranger:
    """An array that no engine knows."""

    shape = (2,)
    dtype = np.dtype(float)


@pytest.fixture
def model():
    return optshare.Chain(optshare.Dense(2, 3, optshare.tanh), optshare.Dropout(0.5, seed=0))


@pytest.fixture
def opt(model):
    opt = optshare.Adam(model, lr=0.1)
    opt.step(lambda: model(np.ones((4, 2), np.float32)).sum())
    return opt


# -- a model with no parameters ----------------------------------------------------------------

NOTHING = [[], {}, object(), optshare.relu, optshare.Chain(optshare.relu), None]


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("face", [optshare.SGD, optshare.Adam, optshare.AdamW])
def test_a_model_with_no_parameters_has_no_optimizer(face, nothing):
    with pytest.raises(EmptyModelError, match=r"holds no parameters; wrap its arrays in") as caught:
        face(nothing)
    assert type(nothing).__name__ in str(caught.value)


@pytest.mark.parametrize("nothing", NOTHING[:-1])
def test_a_model_with_no_parameters_has_no_gradient(backend, nothing):
    with pytest.raises(EmptyModelError, match="holds no parameters"):
        optshare.gradient(lambda: np.float64(1.0), wrt=nothing)


def test_a_loss_that_reads_another_model_is_noticed(backend, model, opt, unchanged):
    other = optshare.Dense(2, 1)
    with unchanged(model, opt), pytest.raises(UnreachedParametersError, match="use this model"):
        opt.step(lambda: other(np.ones((4, 2), np.float32)).sum())


# -- an array nobody claims, arrays of two backends --------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda model, opt: optshare.ops.exp(Stranger()),
        lambda model, opt: optshare.relu(Stranger()),
        lambda model, opt: optshare.gradient(lambda x: x, Stranger()),
        lambda model, opt: optshare.gradient(lambda x: model(x).sum(), Stranger(), wrt=model),
        lambda model, opt: optshare.gradient(lambda x: x, {"x": [Stranger()]}),
        lambda model, opt: opt.step(lambda x: model(x).sum(), Stranger()),
        lambda model, opt: opt.step(lambda x: model(x).sum(), [{"x": Stranger()}]),
    ],
)
def test_an_array_nobody_claims_is_named_with_the_backends(backend, model, opt, call, unchanged):
    with unchanged(model, opt), pytest.raises(UnclaimedArrayError) as caught:
        call(model, opt)
    assert "No backend owns Stranger" in str(caught.value)
    assert "tape, functional" in str(caught.value)


def test_arrays_of_two_backends_in_one_call_are_named_with_their_owners():
    taped = optshare_tape.Variable([1.0]).value
    traced = Scope(Tracer).leaf(np.ones(1))
    for call in (
        lambda: optshare.ops.add(taped, traced),
        lambda: optshare.gradient(lambda x, y: (x * y).sum(), taped, traced),
    ):
        with pytest.raises(MixedBackendsError, match="several backends") as caught:
            call()
        assert "(tape)" in str(caught.value)
        assert "(functional)" in str(caught.value)


def test_a_tracked_argument_of_a_step_is_refused_or_constant(model, opt, unchanged):
    traced = Scope(Tracer).leaf(np.ones((4, 2), np.float32))
    taped = optshare_tape.Variable(np.ones((4, 2), np.float32)).value
    with unchanged(model, opt), pytest.raises(MixedBackendsError):
        opt.step(lambda x, y: model(x).sum() + model(y).sum(), traced, taped)


# -- a loss that is not a scalar ---------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1,), (4, 3), (0,), (1, 1)])
def test_a_loss_with_axes_is_refused_with_its_shape(backend, model, opt, shape, unchanged):
    def loss():
        return (model(np.ones((4, 2), np.float32)).sum() * np.ones(shape)).reshape(shape)

    says = rf"shape \({', '.join(map(str, shape))}"
    with unchanged(model, opt):
        with pytest.raises(NonScalarLossError, match=says):
            opt.step(loss)
        with pytest.raises(NonScalarLossError, match=says):
            optshare.gradient(loss, wrt=model)


def test_a_plain_loss_with_axes_is_refused_too(backend):
    with pytest.raises(NonScalarLossError, match=r"shape \(2,\)"):
        optshare.gradient(lambda x: np.ones(2), 3.0)


def test_back_wants_a_seed_where_the_value_has_axes():
    x = optshare_tape.Variable([1.0, 2.0])
    y = 3 * x
    with pytest.raises(NonScalarLossError, match=r"shape \(2,\).*seed"):
        optshare_tape.back(y)
    assert x.grad is None
    optshare_tape.back(y, [1.0, 10.0])
    assert x.grad.tolist() == [3.0, 30.0]


def test_back_refuses_a_seed_of_another_shape():
    x = optshare_tape.Variable([1.0, 2.0])
    y = 3 * x
    with pytest.raises(DifferentiationError, match=r"seed has shape \(3,\)"):
        optshare_tape.back(y, np.ones(3))
    assert x.grad is None
    optshare_tape.back(y, np.ones(2))
    assert x.grad.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("loss", ["loss", None, {"loss": 1.0}, [1.0], (1.0, 2.0), object()])
def test_a_loss_that_is_no_number_is_refused(backend, model, opt, loss, unchanged):
    def returns():
        model(np.ones((4, 2), np.float32))
        return loss

    with unchanged(model, opt), pytest.raises(NonScalarLossError):
        opt.step(returns)


# -- a NaN loss --------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_names_the_step_and_changes_nothing(
    backend, model, opt, bad, unchanged
):
    x = np.ones((4, 2), np.float32)
    with (
        unchanged(model, opt),
        pytest.raises(NonFiniteLossError, match=rf"loss is {bad} at step 2; nothing") as caught,
    ):
        opt.step(lambda: model(x).sum() + bad)
    assert "nonfinite='skip' leaves" in str(caught.value)
    opt.step(lambda: model(x).sum())
    assert opt.steps == 2


def test_a_loss_that_is_not_finite_passes_where_it_is_allowed(backend):
    p = Parameter([1.0])
    opt = optshare.Optimizer([p], optshare.SGD(lr=0.5), nonfinite="propagate")
    assert np.isnan(opt.step(lambda: p.value.sum() + np.nan))
    assert p.value.tolist() == [0.5]
    opt.nonfinite = "raise"
    with pytest.raises(NonFiniteLossError):
        opt.step(lambda: p.value.sum() + np.nan)


@pytest.mark.parametrize("policy", ["ignore", None, True])
def test_an_unknown_policy_for_losses_names_the_choices(policy, opt, model, unchanged):
    with (
        unchanged(model, opt),
        pytest.raises(HyperparameterError, match="'raise', 'skip' or 'propagate'"),
    ):
        opt.nonfinite = policy
    assert opt.nonfinite == "raise"
    with pytest.raises(HyperparameterError, match="'raise', 'skip' or 'propagate'"):
        optshare.Optimizer(model, optshare.SGD(), nonfinite=policy)


# -- a gradient of the wrong shape -------------------------------------------------------------


def test_a_gradient_of_the_wrong_shape_names_the_parameter_and_both_shapes(model, opt, unchanged):
    says = r"'layers\.0\.bias' has shape \(4,\), the parameter \(3,\)"
    with unchanged(model, opt):
        with pytest.raises(GradientShapeError, match=says):
            opt.update([np.ones((2, 3)), np.ones(4)])
        with pytest.raises(GradientShapeError, match=says):
            opt.update(model[0].bias, np.ones(4))


def test_a_recorded_gradient_of_the_wrong_shape_is_refused(model, opt, unchanged):
    model[0].bias.grad = np.ones(4)
    with unchanged(model, opt), pytest.raises(GradientShapeError, match=r"layers\.0\.bias"):
        opt.step()


@pytest.mark.parametrize("wrong", [[[1.0], [2.0, 3.0]], ["a", "b", "c"], object(), {"a": 1}])
def test_a_gradient_that_is_no_array_is_refused(model, opt, wrong, unchanged):
    with unchanged(model, opt), pytest.raises(GradientShapeError):
        opt.update(model[0].bias, wrong)


# -- hyperparameters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("face", "name", "says"),
    [
        (
            optshare.Adam,
            "learning_rate",
            "choices: amsgrad, amsgrad_corrected, betas, bias_correction, complex_as",
        ),
        (optshare.Adam, "beta", r"choices: betas \(did you mean this\?\), amsgrad"),
        (optshare.AdamW, "momentum", "choices: amsgrad, amsgrad_corrected, betas, bias_"),
        (
            optshare.SGD,
            "momentun",
            r"choices: momentum \(did you mean this\?\), complex",
        ),
    ],
)
def test_an_unknown_hyperparameter_names_the_rule_and_the_choices(
    face, name, says, model, unchanged
):
    opt = face(model)
    whole = f"{face.__name__} has no hyperparameter '{name}'; {says}"
    with unchanged(model, opt):
        for call in (face, lambda **kw: face(model, **kw), opt.adjust, face().adjusted):
            with pytest.raises(HyperparameterError, match=whole):
                call(**{name: 0.5})


@pytest.mark.parametrize(
    ("face", "wrong"),
    [
        (optshare.SGD, {"lr": -1.0}),
        (optshare.SGD, {"lr": np.nan}),
        (optshare.SGD, {"lr": np.inf}),
        (optshare.SGD, {"lr": None}),
        (optshare.SGD, {"lr": "0.1"}),
        (optshare.SGD, {"lr": [0.1]}),
        (optshare.SGD, {"lr": True}),
        (optshare.SGD, {"momentum": 1.0}),
        (optshare.SGD, {"momentum": -0.1}),
        (optshare.SGD, {"weight_decay": -0.1}),
        (optshare.SGD, {"nesterov": True}),
        (optshare.SGD, {"nesterov": "yes", "momentum": 0.9}),
        (optshare.Adam, {"eps": -1e-8}),
        (optshare.Adam, {"betas": (0.9, 1.0)}),
        (optshare.Adam, {"betas": (-0.1, 0.9)}),
        (optshare.Adam, {"betas": 0.9}),
        (optshare.Adam, {"betas": (0.9,)}),
        (optshare.Adam, {"betas": (0.9, 0.99, 0.999)}),
        (optshare.Adam, {"betas": ("a", "b")}),
        (optshare.AdamW, {"weight_decay": -0.1}),
    ],
    ids=str,
)
def test_a_hyperparameter_out_of_range_or_of_another_kind_is_refused(face, wrong, unchanged):
    p = Parameter([1.0])
    opt = face([p])
    with unchanged([p], opt):
        for call in (face, lambda **kw: face([p], **kw), opt.adjust):
            with pytest.raises(HyperparameterError, match=next(iter(wrong))):
                call(**wrong)


def test_numbers_of_numpy_and_lists_from_a_configuration_are_hyperparameters():
    rule = optshare.Adam(lr=np.float32(0.5), betas=[0.5, 0.75])
    p = Parameter([1.0])
    optshare.Optimizer([p], rule).update(p, np.ones(1))
    np.testing.assert_allclose(p.value, 0.5, rtol=1e-7)


# -- an unknown backend ------------------------------------------------------------------------


def test_an_unknown_backend_names_the_choices():
    with pytest.raises(UnknownBackendError, match="no backend is called 'tap'; choices: tape") as e:
        optshare.use("tap")
    assert "functional" in str(e.value)
    assert optshare.gradient(lambda x: x * x, 3.0)[0] == 6.0


def test_an_unknown_backend_in_the_environment_names_the_variable():
    program = (
        "import optshare, numpy as np\n"
        "try:\n    optshare.gradient(lambda x: x * x, 3.0)\n"
        "except optshare.errors.UnknownBackendError as error:\n    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"OPTSHARE_BACKEND": "nope"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "OPTSHARE_BACKEND=nope" in result.stdout
    assert "tape" in result.stdout


# -- an update between a recorded forward and its back -----------------------------------------

UPDATES = {
    "assignment": lambda p, opt: setattr(p, "value", [5.0, 5.0]),
    "migrate": lambda p, opt: p.migrate([5.0, 5.0]),
    "update": lambda p, opt: opt.update(p, np.ones(2)),
    "update of all": lambda p, opt: opt.update([np.ones(2)]),
    "step": lambda p, opt: opt.step(lambda: (p * p).sum()),
}


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
@pytest.mark.parametrize("kind", [Parameter, optshare_tape.Variable])
def test_an_update_between_a_recorded_forward_and_its_back_is_refused(kind, update, unchanged):
    p = kind([1.0, 2.0])
    opt = optshare.SGD([p], lr=0.1, momentum=0.9)
    with optshare.record():
        y = (p * p).sum()
    update(p, opt)
    with unchanged([p], opt), pytest.raises(StaleRecordError, match="updated between the forward"):
        optshare_tape.back(y)
    assert p.grad is None
    with optshare.record():
        y = (p * p).sum()
    optshare_tape.back(y)
    np.testing.assert_array_equal(p.grad, 2 * p.stored)


def test_an_update_of_another_parameter_does_not_disturb_a_record():
    p, q = Parameter([1.0]), Parameter([1.0])
    with optshare.record():
        y = (p * p).sum()
    optshare.SGD([q]).update(q, np.ones(1))
    optshare_tape.back(y)
    assert p.grad.tolist() == [2.0]


def test_a_second_backward_pass_over_a_freed_record_is_refused():
    x = optshare_tape.Variable([1.0])
    y = (x * x).sum()
    optshare_tape.back(y)
    with pytest.raises(FreedRecordError, match="run the forward pass again"):
        optshare_tape.back(y)
    assert x.grad.tolist() == [2.0]


@pytest.mark.parametrize("untracked", [3.0, np.ones(2), None, Parameter([1.0]).value])
def test_back_of_something_untracked_says_why(untracked):
    with pytest.raises(DifferentiationError, match="tracked value, not"):
        optshare_tape.back(untracked)


# -- arrays that cannot be trained -------------------------------------------------------------


def test_a_read_only_array_in_a_tree_is_refused_before_anything_is_changed(unchanged):
    frozen = np.ones(1)
    frozen.flags.writeable = False
    w = [np.ones(1), frozen]
    opt = optshare.Adam(w)
    with unchanged(w, opt), pytest.raises(OptshareError, match="read-only"):
        opt.update([np.ones(1), np.ones(1)])


@pytest.mark.parametrize("leaf", [np.arange(2), np.array([True]), np.array(["a"])])
def test_an_array_that_is_not_floating_in_a_tree_is_refused(leaf):
    with pytest.raises(OptshareError, match="cannot be trained"):
        optshare.Adam([np.ones(1), leaf])


def test_a_numpy_scalar_in_a_tree_is_refused_for_nothing_can_be_written_into_it(unchanged):
    w = [np.ones(1), np.float64(1.0)]
    with pytest.raises(OptshareError):
        optshare.SGD(w).update([np.ones(1), np.float64(1.0)])
    assert w[0].tolist() == [1.0]


# -- the tree of exceptions --------------------------------------------------------------------


def test_every_exception_is_an_optshare_error_and_the_builtin_that_one_expects():
    for kind, builtin in [
        (EmptyModelError, ValueError),
        (UnclaimedArrayError, TypeError),
        (MixedBackendsError, TypeError),
        (NonScalarLossError, ValueError),
        (GradientShapeError, ValueError),
        (NonFiniteLossError, FloatingPointError),
        (HyperparameterError, ValueError),
        (UnknownBackendError, LookupError),
        (StaleRecordError, RuntimeError),
        (DataError, ValueError),
    ]:
        assert issubclass(kind, OptshareError)
        assert issubclass(kind, builtin)
