"""Evaluation values in the place of the training values, on every engine, and back."""

import copy
import pickle

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import optshare
from optshare import EMA, Optimizer, Parameter, writing
from optshare.errors import HyperparameterError, ParameterError
from optshare.writing import write

START = np.array([1.0, -2.0, 3.0])
GRADIENTS = np.random.default_rng(0).normal(size=(4, 3))


def tape():
    p = Parameter(START)
    return [p], lambda opt: p.value


def torch_parameter():
    p = torch.nn.Parameter(torch.tensor(START))
    return [p], lambda opt: p.detach().numpy()


def torch_in_a_parameter():
    p = Parameter(torch.tensor(START))
    return [p], lambda opt: p.value.detach().numpy()


def jax_in_a_parameter():
    p = Parameter(jnp.asarray(START))
    return [p], lambda opt: np.asarray(p.value)


def tree_of_numpy():
    w = START.copy()
    return {"w": w}, lambda opt: w


def tree_of_jax():
    return {"w": jnp.asarray(START)}, lambda opt: np.asarray(opt.tree["w"])


MODELS = [
    tape,
    torch_parameter,
    torch_in_a_parameter,
    jax_in_a_parameter,
    tree_of_numpy,
    tree_of_jax,
]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda each: each.__name__)


def trained(model=tape, rule=None, steps=4):
    held, read = model()
    opt = Optimizer(held, rule or EMA(0.5))
    for g in GRADIENTS[:steps]:
        opt.update([g])
    return opt, lambda: np.array(read(opt))


@every_model
def test_parameters_hold_the_average_inside_and_the_training_values_after(model):
    opt, read = trained(model)
    before, average, value = read(), START, START
    for t, g in enumerate(GRADIENTS):
        value = value - g
        average = value if t == 0 else 0.5 * average + 0.5 * value
    with opt.averaged():
        np.testing.assert_allclose(read(), average, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(read(), before)


@every_model
def test_training_goes_on_as_if_nothing_had_been_swapped(model):
    opt, read = trained(model, optshare.ScheduleFreeAdamW(lr=0.1), 2)
    other, read_other = trained(model, optshare.ScheduleFreeAdamW(lr=0.1), 2)
    for g in GRADIENTS[2:]:
        with opt.averaged():
            pass
        opt.update([g])
        other.update([g])
    np.testing.assert_array_equal(read(), read_other())
    np.testing.assert_equal(opt.state_dict(), other.state_dict())


@pytest.mark.parametrize("special", [-0.0, np.nan, 5e-324, np.inf])
def test_training_values_come_back_bit_for_bit(special):
    p = Parameter([special, 1.0])
    opt = Optimizer([p], EMA(0.5))
    opt.update([np.zeros(2)])
    before = p.value.tobytes()
    with opt.averaged():
        p.value = [7.0, 7.0]
    assert p.value.tobytes() == before


def test_a_tensor_is_swapped_in_place_and_pytorch_sees_it():
    p = torch.nn.Parameter(torch.tensor(START))
    opt = Optimizer([p], EMA(0.5))
    opt.update([GRADIENTS[0]])
    opt.update([GRADIENTS[1]])
    memory, version = p.data_ptr(), p._version
    with opt.averaged():
        assert p.data_ptr() == memory
        assert p._version > version
        assert p.requires_grad
        assert p.is_leaf


def test_a_tensor_that_numpy_cannot_see_is_swapped():
    """bfloat16: computed by the engine's own functions."""
    p = torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.bfloat16))
    opt = Optimizer([p], EMA(0.5))
    for _ in range(2):
        opt.update([torch.ones(2, dtype=torch.bfloat16)])
    with opt.averaged():
        assert p.dtype == torch.bfloat16
        assert p.tolist() == [-0.5, 0.5]
    assert p.tolist() == [-1.0, 0.0]


def test_half_precision_is_averaged_in_single_and_read_in_half():
    p = Parameter(START, dtype=np.float16)
    opt = Optimizer([p], EMA(0.9))
    for g in GRADIENTS:
        opt.update([g])
    average = opt.state_for(p).average
    assert average.dtype == np.float32
    with opt.averaged():
        assert p.value.dtype == np.float16
        np.testing.assert_array_equal(p.value, average.astype(np.float16))


def test_parameters_that_never_had_an_update_keep_their_values():
    p, q = Parameter(START), Parameter(START)
    opt = Optimizer([p, q], EMA(0.5))
    with opt.averaged():
        assert p.value.tolist() == START.tolist()
    opt.update([GRADIENTS[0], None])
    opt.update([GRADIENTS[1], None])
    with opt.averaged():
        assert q.value.tolist() == START.tolist()
        assert p.value.tolist() != START.tolist()


def test_a_parameter_without_axes_and_one_without_elements_are_swapped():
    p, q = Parameter(1.0), Parameter(np.zeros((0, 3)))
    opt = Optimizer([p, q], EMA(0.5))
    for g in (1.0, 3.0):
        opt.update([np.asarray(g), np.zeros((0, 3))])
    with opt.averaged():
        assert (p.value, p.value.shape, q.value.shape) == (-1.5, (), (0, 3))
    assert p.value == -3.0


REFUSED = {
    "updated": lambda opt: opt.update([GRADIENTS[0]]),
    "updated by a step": lambda opt: opt.step(lambda: pytest.fail("it was called")),
    "saved": lambda opt: opt.state_dict(),
    "loaded": lambda opt: opt.load_state_dict({}),
    "swapped in": lambda opt: opt.swap_in(),
}


@pytest.mark.parametrize("what", REFUSED)
def test_swapped_in_an_optimizer_does_nothing_else(what):
    opt, read = trained()
    with opt.averaged():
        before = read()
        with pytest.raises(ParameterError, match=rf"{what.partition(' by')[0]}; call swap_out"):
            REFUSED[what](opt)
        np.testing.assert_array_equal(read(), before)
    opt.update([GRADIENTS[0]])


def test_swapping_out_what_is_not_swapped_in_is_refused():
    opt, _ = trained()
    with pytest.raises(ParameterError, match="training values; call swap_in"):
        opt.swap_out()
    opt.swap_in()
    opt.swap_out()
    with pytest.raises(ParameterError, match="training values; call swap_in"):
        opt.swap_out()


def test_a_rule_that_averages_nothing_is_refused_and_named():
    opt, read = trained(rule=optshare.SGD(lr=0.1))
    before = read()
    with pytest.raises(HyperparameterError, match=r"SGD\(lr=0.1.* averages no values; end a chain"):
        opt.swap_in()
    np.testing.assert_array_equal(read(), before)
    opt.update([GRADIENTS[0]])


def test_a_rule_that_averages_nothing_is_refused_before_its_first_update():
    with pytest.raises(HyperparameterError, match="averages no values"):
        optshare.SGD([Parameter(START)]).swap_in()


def test_an_exception_inside_brings_the_training_values_back():
    opt, read = trained()
    before = read()
    with pytest.raises(KeyError), opt.averaged():
        raise KeyError
    np.testing.assert_array_equal(read(), before)
    opt.update([GRADIENTS[0]])


def test_nothing_is_swapped_while_a_function_is_differentiated():
    p = Parameter(START)
    opt = Optimizer([p], EMA(0.5))
    opt.update([GRADIENTS[0]])

    def loss(swap):
        with pytest.raises(ParameterError, match="being differentiated"):
            swap()
        return (p * p).sum()

    optshare.gradient(lambda _: loss(opt.swap_in), p)
    opt.swap_in()
    optshare.gradient(lambda _: loss(opt.swap_out), p)
    opt.swap_out()


@pytest.mark.parametrize("through", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_made_inside_swaps_its_own_parameters_out(through):
    p = Parameter(START)
    opt = Optimizer([p], EMA(0.5))
    opt.update([GRADIENTS[0]])
    opt.update([GRADIENTS[1]])
    before = p.value.copy()
    with opt.averaged():
        q, other = through((p, opt))
        average = p.value.copy()
        other.swap_out()
        np.testing.assert_array_equal(q.value, before)
        np.testing.assert_array_equal(p.value, average)


def test_weights_are_saved_from_inside():
    p = Parameter(START)
    opt = Optimizer({"w": p}, EMA(0.5))
    opt.update([GRADIENTS[0]])
    opt.update([GRADIENTS[1]])
    with opt.averaged():
        saved = optshare.state_dict({"w": p})
    np.testing.assert_allclose(saved["w"], START - GRADIENTS[0] - GRADIENTS[1] / 2, atol=1e-15)


def test_a_scheduled_decay_is_the_last_updates():
    p = Parameter(START)
    opt = Optimizer([p], optshare.ScheduleFreeSGD(lr=0.1, momentum=lambda step: 0.5 + step / 10))
    for g in GRADIENTS[:2]:
        opt.update([g])
    with opt.averaged():
        found = p.value.copy()
    z = opt.state_for(p).z
    np.testing.assert_allclose(found, (p.value - 0.4 * z) / 0.6, rtol=0, atol=1e-14)


def test_state_follows_parameters_to_another_engine():
    p = Parameter(START)
    opt = Optimizer([p], EMA(0.5))
    opt.update([GRADIENTS[0]])
    opt.update([GRADIENTS[1]])
    with opt.averaged():
        wanted = p.value.copy()
    optshare.to([p], "torch")
    with opt.averaged():
        assert isinstance(p.value, torch.Tensor)
        np.testing.assert_array_equal(p.value.numpy(), wanted)


@pytest.mark.parametrize("engine", ["torch", "jax", "tape"])
def test_a_model_that_moves_while_swapped_in_gets_its_training_values_there(engine):
    p = Parameter(START)
    opt = Optimizer([p], EMA(0.5))
    opt.update([GRADIENTS[0]])
    opt.update([GRADIENTS[1]])
    before = p.value.copy()
    with opt.averaged():
        optshare.to([p], engine)
        kind = type(p.value)
    assert type(p.value) is kind
    np.testing.assert_array_equal(np.asarray(p.value), before)
    opt.update([np.zeros(3)])


def test_a_failure_in_the_middle_of_swapping_in_leaves_all_training_values(monkeypatch):
    model = [Parameter([1.0]), Parameter([2.0])]
    opt = Optimizer(model, EMA(0.5))
    opt.update([np.ones(1), np.ones(1)])
    opt.update([np.ones(1), np.ones(1)])
    before, written = [each.value.copy() for each in model], []

    def failing(key, value):
        if len(written) == 1:
            written.append(key)
            raise MemoryError
        written.append(key)
        write(key, value)

    monkeypatch.setattr(writing, "write", failing)
    with pytest.raises(MemoryError):
        opt.swap_in()
    np.testing.assert_array_equal([each.value for each in model], before)
    opt.update([np.ones(1), np.ones(1)])
