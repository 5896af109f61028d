"""Batches forced on, of either kernel, and the same optimizer without them."""

from contextlib import contextmanager
from unittest import mock

import numpy as np
import torch

from optshare.batches import matching
from optshare.batches.matching import Batches
from optshare.kernels import host

RUNNERS = ("Compiled", "Blocked")


@contextmanager
def batches_of(runner):
    """Every batch is of a runner, however small; of `None`, there is no batch."""
    if runner is None:
        alone = {"taken": lambda self, store, pairs: ([], pairs), "learn": lambda *_: None}
        with mock.patch.multiple(Batches, **alone):
            yield
    else:
        with (
            mock.patch.object(matching, "FEWEST", 0),
            mock.patch.object(host, "is_usable", return_value=runner == "Compiled"),
        ):
            yield


@contextmanager
def counted():
    """A list of the sizes of the batches that are updated, one entry for each update."""
    sizes = []
    update = matching.Batch.update

    def noted(self, *args):
        sizes.append(len(self.keys))
        return update(self, *args)

    with mock.patch.object(matching.Batch, "update", noted):
        yield sizes


def numbers_of(array):
    """An array of NumPy's, or a tensor's numbers, copied."""
    if not isinstance(array, torch.Tensor):
        return np.array(array)
    wide = array.float() if array.dtype == torch.bfloat16 else array
    return wide.detach().numpy().copy()


def picture(opt, parameters):
    """All the numbers of some parameters and of what their optimizer keeps, copied."""
    states = [opt.state_for(each) for each in parameters]
    return {
        "values": [numbers_of(getattr(each, "stored", each)) for each in parameters],
        "arrays": [
            {name: numbers_of(array) for name, array in each.arrays.items()} for each in states
        ],
        "numbers": [(each.t, each.step, dict(each.scalars)) for each in states],
        "steps": opt.steps,
    }


def assert_same_bits(found, wanted):
    """Assert that two pictures agree to the bit."""
    assert found["steps"] == wanted["steps"]
    assert found["numbers"] == wanted["numbers"]
    for one, other in zip(found["values"], wanted["values"], strict=True):
        assert_equal_arrays(one, other)
    for one, other in zip(found["arrays"], wanted["arrays"], strict=True):
        assert one.keys() == other.keys()
        for name, each in one.items():
            assert_equal_arrays(each, other[name])


def assert_equal_arrays(one, other):
    """Assert equal dtypes, shapes and bits."""
    assert (one.dtype, one.shape) == (other.dtype, other.shape)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(np.signbit(one), np.signbit(other))
