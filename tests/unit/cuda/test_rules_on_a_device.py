"""Every rule through an optimizer on arrays of a CUDA device: the numbers of NumPy."""

import numpy as np
import pytest

import optshare
from optshare import Parameter
from tests.unit.closeness import deviation
from tests.unit.rules.cases import ARRAY_CASES, CASES, made

SHAPES = ((3, 5), (4, 0), (300, 7))
STEPS = 3


def values():
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in SHAPES]


def gradients(step):
    rng = np.random.default_rng(step + 1)
    return [rng.normal(size=shape) for shape in SHAPES]


def trained(case, place):
    """The parameters and their state after a few steps, by `place` brought to a device."""
    parameters = [Parameter(place(each)) for each in values()]
    opt = optshare.Optimizer(parameters, made(case, lr=0.1))
    for step in range(STEPS):
        opt.update([place(each) for each in gradients(step)])
    return parameters, opt


def on_host(array):
    return optshare.registry.host_copy(array)


def compare(case, place):
    (found, opt), (wanted, reference) = trained(case, place), trained(case, np.array)
    for p, q in zip(found, wanted, strict=True):
        if q.value.size:
            assert deviation(on_host(p.value), q.value, 0.1) <= 1e-12
        state, expected = opt.state_for(p).arrays, reference.state_for(q).arrays
        for name, each in expected.items():
            if each.size:
                assert deviation(on_host(state[name]), each, 1e-8) <= 1e-12


every_rule = pytest.mark.parametrize("case", [*CASES, *ARRAY_CASES])


@every_rule
def test_arrays_of_cupys_get_the_numbers_of_numpy(case, cupy):
    compare(case, cupy.asarray)


@every_rule
def test_tensors_on_a_cuda_device_get_the_numbers_of_numpy(case, torch):
    compare(case, lambda array: torch.asarray(array, device="cuda"))


@pytest.mark.parametrize("case", ["sgd with nesterov", "adamw", "rprop", "lamb", "muon"])
def test_jax_arrays_on_a_cuda_device_get_the_numbers_of_numpy(case, jax):
    with jax.enable_x64(True):
        compare(case, jax.numpy.asarray)
