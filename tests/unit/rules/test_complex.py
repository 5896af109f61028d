"""Complex parameters: complex first moments, |g|**2 real, as in optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

import optshare
from optshare import Optimizer, OptimizerChain, Parameter
from optshare.errors import GradientShapeError, ParameterError
from optshare.kernels.kinds import complex_names
from tests.unit.rules.cases import CASES, made

START = np.array([1.0 + 2.0j, -2.0, 0.5j, 0.25 - 1.0j])
UNORDERED = [case for case in CASES if not case.startswith(("rprop", "lion"))]

UNTURNED = [case for case in UNORDERED if not made(case).initial_values().get("exp_avg")]


def gradients(count):
    rng = np.random.default_rng(0)
    return [rng.normal(size=4) + 1j * rng.normal(size=4) for _ in range(count)]


def trained(rule, start=START, count=5):
    p = Parameter(start)
    opt = Optimizer([p], rule)
    for g in gradients(count):
        opt.update([g])
    return np.asarray(p.value), opt.state_for(p)


OPTAX = {
    "sgd": (optshare.SGD(lr=0.1, momentum=0.9), optax.sgd(0.1, momentum=0.9)),
    "adam": (optshare.Adam(lr=0.1), optax.adam(0.1)),
    "adamw": (optshare.AdamW(lr=0.1, weight_decay=0.1), optax.adamw(0.1, weight_decay=0.1)),
    "rmsprop": (
        optshare.RMSProp(lr=0.1, eps_in_root=True, centered=True),
        optax.rmsprop(0.1, decay=0.99, eps=1e-8, centered=True),
    ),
    "yogi": (optshare.Yogi(lr=0.1), optax.yogi(0.1)),
    "adabelief": (optshare.AdaBelief(lr=0.1), optax.adabelief(0.1)),
}


@pytest.mark.parametrize(("ours", "theirs"), OPTAX.values(), ids=OPTAX)
def test_the_numbers_are_those_of_optax(ours, theirs, deviation):
    params = jnp.asarray(START)
    state = theirs.init(params)
    for g in gradients(5):
        steps, state = theirs.update(jnp.asarray(g), state, params)
        params = optax.apply_updates(params, steps)
    assert deviation(np.asarray(params), trained(ours)[0], 0.1) <= 1e-12


@pytest.mark.parametrize("case", UNORDERED)
def test_real_numbers_as_complex_ones_give_the_same(case, deviation):
    p, q = Parameter(START.real), Parameter(START.real + 0j)
    both = [Optimizer([each], made(case, lr=0.1)) for each in (p, q)]
    for g in gradients(5):
        for opt in both:
            opt.update([g.real])
    assert q.value.dtype == complex
    assert deviation(p.value, q.value.real, 0.1) <= 1e-12
    assert np.all(q.value.imag == 0)


@pytest.mark.parametrize("case", UNTURNED)
def test_turning_the_gradients_turns_the_steps(case, deviation):
    """Rules that know only sizes have no axes, unless a first moment begins on one."""
    turn = np.exp(0.7j)
    straight, turned = Parameter(START), Parameter(turn * START)
    for p, by in ((straight, 1.0), (turned, turn)):
        opt = Optimizer([p], made(case, lr=0.1))
        for g in gradients(5):
            opt.update([by * g])
    assert deviation(turn * straight.value, turned.value, 0.1) <= 1e-12


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (optshare.Adam(amsgrad=True), {"exp_avg"}),
        (optshare.RMSProp(centered=True, momentum=0.9), {"grad_avg", "momentum_buffer"}),
        (optshare.Adadelta(), set()),
        (
            OptimizerChain(optshare.OAdam(), optshare.Adam()),
            {"0.exp_avg", "0.previous", "1.exp_avg"},
        ),
        (OptimizerChain(optshare.Adagrad(), optshare.Lookahead()), {"1.slow"}),
    ],
)
def test_what_is_a_size_is_kept_real(rule, names):
    assert complex_names(rule) == names
    _, state = trained(rule, START.astype("complex64"), 2)
    for name, array in state.arrays.items():
        assert array.dtype == ("complex64" if name in names else "float32")


TORCH = {
    "SGD": ({"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, torch.optim.SGD),
    "Adam": ({"amsgrad": True, "weight_decay": 0.1}, torch.optim.Adam),
    "AdamW": ({}, torch.optim.AdamW),
    "NAdam": ({"weight_decay": 0.1}, torch.optim.NAdam),
    "RAdam": ({"betas": (0.8, 0.9)}, torch.optim.RAdam),
    "AdaMax": ({"weight_decay": 0.1}, torch.optim.Adamax),
    "RMSProp": ({"centered": True, "momentum": 0.9}, torch.optim.RMSprop),
    "Adagrad": ({"initial_accumulator_value": 0.5}, torch.optim.Adagrad),
    "Adadelta": ({"weight_decay": 0.1}, torch.optim.Adadelta),
    "Rprop": ({}, torch.optim.Rprop),
}


@pytest.fixture
def numbers_of_torch_in_double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("numbers_of_torch_in_double_precision")
@pytest.mark.parametrize("memory", ["numpy", "jax", "pure"])
@pytest.mark.parametrize("name", TORCH)
def test_as_pairs_of_reals_the_numbers_are_those_of_torch(name, memory, deviation):
    options, theirs = TORCH[name]
    tensor = torch.tensor(START, requires_grad=True)
    opt = theirs([tensor], lr=0.1, **options)
    rule = getattr(optshare, name)(lr=0.1, **options)
    rule = rule if name == "SGD" else rule.adjusted(complex_as_reals=True)
    p = Parameter(jnp.asarray(START) if memory == "jax" else START)
    ours, pure, state = Optimizer([p], rule), START, rule.init(START)
    for g in gradients(5):
        tensor.grad = torch.tensor(g)
        opt.step()
        ours.update([g])
        pure, state = rule.update(g, state, pure)
    found = pure if memory == "pure" else np.asarray(p.value)
    kept = state["parameters"] if memory == "pure" else ours.state_for(p).arrays
    assert deviation(tensor.detach().numpy(), found, 0.1) <= 1e-12
    for key, array in opt.state[tensor].items():
        if key in kept and key != "step":
            assert deviation(array.numpy(), np.asarray(kept[key])) <= 1e-12


@pytest.mark.parametrize("engine", ["torch", "jax"])
@pytest.mark.parametrize("start", [START, START.reshape(2, 2).T, START[0]])
def test_every_engine_gives_the_same(engine, start, deviation):
    p, q = Parameter(np.array(start)), Parameter(np.array(start))
    optshare.to([q], engine)
    rule = optshare.NAdam(lr=0.1, weight_decay=0.1)
    both = [Optimizer([each], rule) for each in (p, q)]
    for g in gradients(3):
        g = np.resize(g, np.shape(start))
        for opt in both:
            opt.update([g])
    assert deviation(p.value, np.asarray(q.value), 0.1) <= 1e-12
    pure, state = np.array(start), rule.init(np.array(start))
    for g in gradients(3):
        pure, state = rule.update(np.resize(g, np.shape(start)), state, pure)
    assert deviation(p.value, pure, 0.1) <= 1e-12


@pytest.mark.parametrize("engine", ["tape", "functional", "torch", "jax"])
def test_a_step_goes_down(engine):
    w = Parameter(START)
    if engine in ("torch", "jax"):
        optshare.to([w], engine)
    opt = Optimizer([w], optshare.SGD(lr=0.25))
    with optshare.use(engine):
        opt.step(lambda: (abs(w) ** 2).sum())
    np.testing.assert_allclose(np.asarray(w.value), START / 2, rtol=1e-14)


def test_the_pure_form_is_compiled_with_complex_parameters(deviation):
    rule = optshare.Adam(lr=0.1)
    step = jax.jit(rule.update)
    params, state = jnp.asarray(START), rule.init(jnp.asarray(START))
    for g in gradients(5):
        params, state = step(g, state, params)
    assert deviation(trained(rule)[0], np.asarray(params), 0.1) <= 1e-12
    assert state["parameters"]["exp_avg_sq"].dtype == np.float64


def test_a_saved_optimizer_goes_on_bit_for_bit():
    p = Parameter(START)
    opt = Optimizer([p], optshare.Adam(lr=0.1))
    for g in gradients(3):
        opt.update([g])
    q = Parameter(p.value.copy())
    other = Optimizer([q], optshare.Adam(lr=0.1))
    other.load_state_dict(opt.state_dict())
    for g in gradients(5)[3:]:
        other.update([g])
    np.testing.assert_array_equal(q.value, trained(optshare.Adam(lr=0.1))[0])
    assert other.state_for(q).exp_avg_sq.dtype == np.float64


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (optshare.Lion(), "'w' has dtype complex128: Lion applies sign to complex numbers"),
        (optshare.Rprop(), "'w' has dtype complex128: Rprop applies less to complex"),
        (optshare.LARS(), "'w' has dtype complex128: LARS sees whole arrays"),
        (
            OptimizerChain(optshare.ClipValue(1.0), optshare.Adam()),
            "'w' has dtype complex128: OptimizerChain applies m",
        ),
    ],
)
def test_a_rule_of_ordered_numbers_refuses_by_path_and_changes_nothing(rule, said):
    w = Parameter(START)
    with pytest.raises(ParameterError, match=said):
        Optimizer({"w": w}, rule).update([START])
    np.testing.assert_array_equal(w.value, START)
    with pytest.raises(ParameterError, match=said):
        rule.init({"w": START})


def test_a_complex_gradient_of_a_real_parameter_is_refused():
    for rule in (optshare.SGD(), optshare.Adam()):
        with pytest.raises(GradientShapeError, match="complex128"):
            Optimizer([Parameter([1.0])], rule).update([np.array([1j])])
    t = torch.ones(1, dtype=torch.float64)
    with pytest.raises(GradientShapeError, match="complex"):
        Optimizer([t], optshare.SGD()).update([t + 1j])
