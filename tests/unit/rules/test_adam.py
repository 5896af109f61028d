import numpy as np
import pytest
import torch

import optshare
from optshare import Parameter

PAIRS = {
    "adam": (optshare.Adam, torch.optim.Adam, {}),
    "adam with L2": (optshare.Adam, torch.optim.Adam, {"weight_decay": 0.1}),
    "adam, other betas": (optshare.Adam, torch.optim.Adam, {"betas": (0.5, 0.99), "eps": 1e-4}),
    "adam without memory": (optshare.Adam, torch.optim.Adam, {"betas": (0.0, 0.0)}),
    "adam without eps": (optshare.Adam, torch.optim.Adam, {"eps": 1e-300}),
    "adamw": (optshare.AdamW, torch.optim.AdamW, {}),
    "adamw, other decay": (optshare.AdamW, torch.optim.AdamW, {"weight_decay": 0.5}),
    "adamw without decay": (optshare.AdamW, torch.optim.AdamW, {"weight_decay": 0.0}),
}
every_pair = pytest.mark.parametrize(("ours", "theirs", "options"), PAIRS.values(), ids=PAIRS)


def gradient(step, shape):
    """Zero at step 3, absent at step 5, else random."""
    if step == 5:
        return None
    return np.random.default_rng(step).normal(size=shape) * (step != 3)


@every_pair
@pytest.mark.parametrize("shape", [(), (0,), (1,), (1000,), (7, 11)])
def test_values_and_state_are_torchs_over_many_steps_with_changing_lr(
    ours, theirs, options, shape, deviation
):
    start = np.random.default_rng(100).normal(size=shape)
    p, tensor = Parameter(start), torch.nn.Parameter(torch.tensor(start))
    opt, other = ours([p], lr=0.1, **options), theirs([tensor], lr=0.1, **options)
    lr = 0.1
    for step in range(60):
        if step % 20 == 10:
            lr /= 3
            opt.adjust(lr=lr)
            other.param_groups[0]["lr"] = lr
        g = gradient(step, shape)
        opt.update([g])
        tensor.grad = None if g is None else torch.tensor(g)
        other.step()
        assert deviation(tensor.detach().numpy(), p.value, lr) <= 1e-12
    state = opt.state_for(p)
    assert state.t == 59 == int(other.state[tensor]["step"])
    assert sorted(state.arrays) == ["exp_avg", "exp_avg_sq"]
    for name, array in state.arrays.items():
        assert deviation(other.state[tensor][name].numpy(), array) <= 1e-12


@pytest.mark.parametrize(
    ("face", "options", "wanted"),
    [
        (optshare.Adam, {}, 0.9032044016),
        (optshare.AdamW, {"weight_decay": 0.1}, 0.8751098957),
        (optshare.AdamW, {"weight_decay": 0.0}, 0.9032044016),
    ],
)
def test_the_published_probe(face, options, wanted):
    p = Parameter([1.0])
    opt = face([p], lr=0.1, eps=1e-3, **options)
    for g in (0.1, -0.2, 0.3):
        opt.update(p, np.array([g]))
    assert round(p.value.item(), 10) == wanted


def test_the_first_step_has_length_lr_whatever_the_size_of_the_gradient():
    p = Parameter(np.zeros(4))
    optshare.Adam([p], lr=0.125, eps=0.0).update(p, np.array([1e-100, -1.0, 1e100, 5.0]))
    np.testing.assert_allclose(p.value, [-0.125, 0.125, -0.125, -0.125], rtol=1e-15)


def test_the_bias_correction_is_exact_in_single_precision():
    p = Parameter(np.zeros(1, np.float32))
    opt = optshare.Adam([p], lr=1.0, betas=(0.9, 0.9999999), eps=0.0)
    opt.update(p, np.ones(1, np.float32))
    # beta2 is 1 in single precision: computed there, the correction would be 0 / 0
    assert abs(p.value.item() + 1.0) <= 2 * np.spacing(np.float32(1.0))


def test_a_zero_gradient_from_the_start_leaves_the_value():
    p = Parameter([1.0])
    optshare.Adam([p], lr=0.1).update(p, np.zeros(1))
    assert p.value.tolist() == [1.0]


def test_adamw_decays_where_the_gradient_is_zero_and_adam_does_not():
    p, q = Parameter([1.0]), Parameter([1.0])
    optshare.AdamW([p], lr=0.5, weight_decay=0.5).update(p, np.zeros(1))
    optshare.Adam([q], lr=0.5).update(q, np.zeros(1))
    assert p.value.tolist() == [0.75]
    assert q.value.tolist() == [1.0]


def test_adamw_decays_by_default_and_adam_does_not():
    assert optshare.AdamW().weight_decay == 0.01
    assert optshare.Adam().weight_decay == 0.0


def test_defaults_are_torchs():
    theirs = torch.optim.Adam([torch.zeros(1)]).defaults
    assert (optshare.Adam().lr, optshare.Adam().betas, optshare.Adam().eps) == (
        theirs["lr"],
        theirs["betas"],
        theirs["eps"],
    )
    assert (
        optshare.AdamW().weight_decay
        == torch.optim.AdamW([torch.zeros(1)]).defaults["weight_decay"]
    )
