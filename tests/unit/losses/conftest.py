"""A loss and its gradient on one engine, in NumPy's memory."""

import numpy as np
import pytest

import optshare
from optshare.testing.subject import Subject


@pytest.fixture
def on_engine():
    """Calls a loss of one array, differentiated on an engine; the value and the gradient."""

    def run(engine, loss, x):
        subject = Subject(engine)
        seed = np.cos(np.arange(np.size(x)))

        def scalar(array):
            found = loss(array)
            seen.append(found.shape)
            count = int(np.prod(found.shape, dtype=int))
            weights = subject.array(seed[:count].reshape(found.shape))
            return subject.ops.sum(found * weights) if found.shape else found

        seen = []
        with optshare.use(engine):
            value, gradient = subject.gradients(scalar, x)
        return np.asarray(value), np.asarray(gradient), seen[0]

    run.seed = lambda x: np.cos(np.arange(np.size(x)))
    return run
