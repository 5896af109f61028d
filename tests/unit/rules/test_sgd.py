import numpy as np
import pytest
import torch

import optshare
from optshare import Parameter
from optshare.errors import HyperparameterError

OPTIONS = {
    "plain": {},
    "weight decay": {"weight_decay": 0.1},
    "momentum": {"momentum": 0.9},
    "momentum and weight decay": {"momentum": 0.9, "weight_decay": 0.1},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "nesterov and weight decay": {"momentum": 0.5, "nesterov": True, "weight_decay": 0.01},
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def gradient(step, shape):
    """Zero at step 3, absent at step 5, else random."""
    if step == 5:
        return None
    return np.random.default_rng(step).normal(size=shape) * (step != 3)


@every_option
@pytest.mark.parametrize("shape", [(), (0,), (1,), (1000,), (7, 11)])
def test_values_and_state_are_torchs_over_many_steps_with_changing_lr(options, shape, deviation):
    start = np.random.default_rng(100).normal(size=shape)
    p, tensor = Parameter(start), torch.nn.Parameter(torch.tensor(start))
    opt = optshare.SGD([p], lr=0.1, **options)
    theirs = torch.optim.SGD([tensor], lr=0.1, **options)
    lr = 0.1
    for step in range(30):
        if step == 10:
            lr = 0.02
            opt.adjust(lr=lr)
            theirs.param_groups[0]["lr"] = lr
        g = gradient(step, shape)
        opt.update([g])
        tensor.grad = None if g is None else torch.tensor(g)
        theirs.step()
        assert deviation(tensor.detach().numpy(), p.value, lr) <= 1e-12
    state = opt.state_for(p)
    assert state.t == 29
    for name, array in state.arrays.items():
        assert deviation(theirs.state[tensor][name].numpy(), array, lr) <= 1e-12
    assert sorted(state.arrays) == (["momentum_buffer"] if options.get("momentum") else [])


@every_option
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
def test_a_step_in_single_precision_is_torchs_to_four_units_in_the_last_place(options, scale):
    lr, rng = np.float32(0.1), np.random.default_rng(0)
    p = Parameter(scale * rng.normal(size=100), np.float32)
    tensor = torch.nn.Parameter(torch.tensor(p.value))
    opt = optshare.SGD([p], lr=0.1, **options)
    theirs = torch.optim.SGD([tensor], lr=0.1, **options)
    for _ in range(20):
        g = rng.normal(size=100).astype(np.float32)
        before = np.abs(p.value)
        opt.update([g])
        tensor.grad = torch.tensor(g)
        theirs.step()
        unit = np.spacing(np.maximum(np.maximum(before, np.abs(p.value)), lr))
        assert np.all(np.abs(p.value - tensor.detach().numpy()) <= 4 * unit)
        p.value = tensor.detach().numpy()
        for name, array in opt.state_for(p).arrays.items():
            array[...] = theirs.state[tensor][name].numpy()


def test_the_first_steps_by_hand():
    p = Parameter([1.0])
    opt = optshare.SGD([p], lr=0.5, momentum=0.5, weight_decay=1.0)
    opt.update(p, np.array([1.0]))  # b = 1 + 1, p = 1 - 0.5 * 2
    assert p.value.tolist() == [0.0]
    opt.update(p, np.array([1.0]))  # b = 0.5 * 2 + 1, p = 0 - 0.5 * 2
    assert p.value.tolist() == [-1.0]
    assert opt.state_for(p).momentum_buffer.tolist() == [2.0]


def test_momentum_is_scaled_by_the_learning_rate_of_the_step_as_in_torch():
    p = Parameter([0.0])
    opt = optshare.SGD([p], lr=1.0, momentum=0.5)
    opt.update(p, np.array([1.0]))
    opt.adjust(lr=0.0)
    opt.update(p, np.array([0.0]))
    assert p.value.tolist() == [-1.0]
    assert opt.state_for(p).momentum_buffer.tolist() == [0.5]


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(HyperparameterError, match="nesterov=True needs a momentum above 0"):
        optshare.SGD(nesterov=True)
