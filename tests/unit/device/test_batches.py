"""Updates of many parameters on a device at once."""

import numpy as np
import pytest

import optshare
from optshare import Parameter
from optshare.batches.matching import Batches
from optshare.errors import NonFiniteGradientError
from optshare.kernels.cuda import CudaKernel

SHAPES = [(), (3,), (0,), (4, 5), (300, 17), (70, 70)]


@pytest.fixture
def launches(monkeypatch):
    """The number of rows of each launch."""
    found, launch = [], CudaKernel.__call__

    def counted(self, pointers, rows, constants):
        found.append(len(rows))
        launch(self, pointers, rows, constants)

    monkeypatch.setattr(CudaKernel, "__call__", counted)
    return found


def arrays(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in SHAPES]


def trained(place, rule, steps=4, **options):
    parameters = [Parameter(place(each)) for each in arrays(0)]
    opt = optshare.Optimizer(parameters, rule, **options)
    for step in range(steps):
        opt.update([place(each) for each in arrays(step + 1)])
    return parameters, opt


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        (optshare.Adam(lr=0.1), {}),
        (optshare.SGD(lr=0.1, momentum=0.9), {}),
        (optshare.NAdam(lr=0.1), {"nonfinite": "propagate"}),
        (optshare.AdamW(lr=optshare.schedules.Cosine(0.1, 4)), {}),
        (optshare.Adam(lr=0.1), {"groups": {"0": {"lr": 0.5}, "3": optshare.Lion(lr=0.01)}}),
    ],
    ids=["adam", "sgd", "nadam", "schedule", "groups"],
)
def test_a_batch_on_a_device_has_the_bits_of_one_on_the_host(rule, options, library):
    found, opt = trained(library.place, rule, **options)
    wanted, reference = trained(np.array, rule, **options)
    for p, q in zip(found, wanted, strict=True):
        assert library.host(p.value).tobytes() == q.value.tobytes()
        state, expected = opt.state_for(p).arrays, reference.state_for(q).arrays
        for name, each in expected.items():
            assert library.host(state[name]).tobytes() == each.tobytes()


def test_from_the_second_step_on_there_is_one_launch_for_all(library, launches):
    trained(library.place, optshare.Adam(lr=0.1), steps=4)
    assert launches == [7, 7, 7]  # 5100 elements are two pieces, none is none


def test_a_clipped_norm_goes_into_the_launch(library, launches):
    chain = optshare.OptimizerChain(optshare.transforms.ClipGlobalNorm(0.5), optshare.SGD(lr=0.1))
    found, _ = trained(library.place, chain)
    wanted, _ = trained(np.array, chain)
    assert len(launches) == 3
    for p, q in zip(found, wanted, strict=True):
        np.testing.assert_allclose(library.host(p.value), q.value, rtol=1e-6, atol=1e-7)


def test_a_gradient_that_is_nan_changes_nothing_on_the_device(library):
    parameters, opt = trained(library.place, optshare.Adam(lr=0.1))
    before = [library.host(p.value).copy() for p in parameters]
    bad = arrays(9)
    bad[4][299, 16] = np.nan
    with pytest.raises(NonFiniteGradientError, match="'4'"):
        opt.update([library.place(each) for each in bad])
    for p, kept in zip(parameters, before, strict=True):
        assert library.host(p.value).tobytes() == kept.tobytes()


def test_a_gradient_that_is_a_parameters_own_array_is_read_before_it_is_written(
    library, monkeypatch
):
    def decayed(place):
        parameters = [Parameter(place(each)) for each in arrays(0)]
        opt = optshare.SGD(parameters, lr=0.5)
        for _ in range(3):
            opt.update([parameters[0].value, *(p.value for p in parameters[1:])])
        return parameters

    found = [library.host(p.value) for p in decayed(library.place)]
    monkeypatch.setattr(Batches, "taken", lambda self, store, pairs: ([], pairs))
    wanted = [p.value for p in decayed(np.array)]
    for one, other in zip(found, wanted, strict=True):
        assert one.tobytes() == other.tobytes()
