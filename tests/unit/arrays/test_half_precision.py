"""float16 on both engines: every function of the kit keeps it, in value and gradient."""

import numpy as np
import pytest

from optshare import registry
from optshare.testing import scenarios

HALF = float(np.finfo(np.float16).eps)


@pytest.mark.parametrize("backend", ["tape", "functional"])
@pytest.mark.parametrize("name", scenarios.ALL)
def test_a_function_keeps_float16_in_value_and_gradient(name, backend):
    row, engine = scenarios.ALL[name], registry.load(backend)
    exact = scenarios.inputs(row)
    given = [each.astype(np.float16) for each in exact]

    value, pullback = engine.vjp(
        lambda *xs: scenarios.evaluated(row.expression, engine.ops, xs), *given
    )
    gradients = pullback(np.ones_like(value))

    assert value.dtype == np.float16
    assert [g.dtype for g in gradients] == [np.float16] * len(given)
    wanted = scenarios.value_of(row, exact)
    close = {"rtol": 32 * HALF, "atol": 32 * HALF}
    np.testing.assert_allclose(value.astype(float), wanted, **close)
    slopes = scenarios.gradients_of(row, exact, np.ones(wanted.shape))
    for g, slope in zip(gradients, slopes, strict=True):
        np.testing.assert_allclose(g.astype(float), slope, **close)
