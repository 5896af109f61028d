"""What the unit tests share: both engines, a fixed seed, pictures of models, deviations."""

import contextlib

import numpy as np
import pytest

import optshare
from tests.unit import closeness


@pytest.fixture(params=["tape", "functional"])
def backend(request):
    """Each engine in turn, preferred in this context."""
    with optshare.use(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def _seeded():
    optshare.seed(0)


def _picture(model, optimizer):
    """All the numbers of a model and its optimizer, copied."""
    return {
        "values": [np.array(each.stored) for each in optshare.params(model)],
        "buffers": [np.array(each.stored) for each in optshare.buffers(model)],
        "state": optimizer.state_dict() if optimizer is not None else None,
    }


@pytest.fixture
def unchanged():
    """A `with` that asserts that what happens inside changes no model and no optimizer."""

    @contextlib.contextmanager
    def check(model, optimizer=None):
        before = _picture(model, optimizer)
        yield
        np.testing.assert_equal(_picture(model, optimizer), before)

    return check


@pytest.fixture
def deviation():
    """max|a - b| / max(max|a|, lr)."""
    return closeness.deviation


@pytest.fixture
def farthest(deviation):
    """The largest deviation of two models' Parameters."""

    def measure(one, other, lr):
        pairs = zip(optshare.params(one), optshare.params(other), strict=True)
        return max(deviation(a.value, b.value, lr) for a, b in pairs)

    return measure
