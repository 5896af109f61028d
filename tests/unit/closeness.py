"""When arrays are as close as their arithmetic lets them be."""

import numpy as np


def assert_close(found, expected, rtol=1e-12):
    """Equal shapes, and equal to `rtol` of the largest element, or of 1."""
    assert np.shape(found) == np.shape(expected)
    largest = float(np.max(np.abs(expected), initial=1.0))
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * largest)


def deviation(a, b, lr=0.0):
    """max|a - b| / max(max|a|, lr)."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    if not a.size:
        return 0.0
    scale = max(np.max(np.abs(a)), lr)
    return float(np.max(np.abs(a - b)) / scale) if scale else float(np.max(np.abs(b)))
