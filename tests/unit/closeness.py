"""When arrays are as close as their arithmetic lets them be."""

import numpy as np


def assert_close(found, expected, rtol=1e-12):
    """Equal shapes, and equal to `rtol` of the largest element, or of 1."""
    assert np.shape(found) == np.shape(expected)
    largest = float(np.max(np.abs(expected), initial=1.0))
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * largest)
