"""A step keeps within four megabytes beside the state, however large a parameter is."""

import tracemalloc

import numpy as np
import pytest

import optshare
from tests.unit.batches.one_by_one import RUNNERS, batches_of, counted

SIZE = 10_000_000
LIMIT = 4_000_000


def peak(step):
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("threads", [1, 2])
def test_ten_million_elements_are_updated_within_four_megabytes(monkeypatch, runner, threads):
    if runner == "Compiled":
        pytest.importorskip("numba")
    monkeypatch.setenv("OPTSHARE_NUM_THREADS", str(threads))
    gradient = np.ones(SIZE, np.float32)
    parameter = optshare.Parameter(np.ones(SIZE, np.float32))
    opt = optshare.Adam([parameter], lr=0.5)
    with batches_of(runner), counted() as sizes:
        opt.update([gradient])
        opt.update([gradient])
        assert peak(lambda: opt.update([gradient])) <= LIMIT
    assert sizes[-1] == 1
    assert np.allclose(parameter.value, -0.5)
