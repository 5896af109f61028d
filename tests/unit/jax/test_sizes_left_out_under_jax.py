import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare
import optshare_jax
from optshare import Chain, Dense, params
from optshare.errors import EscapedValueError


def test_a_compiled_prediction_builds_the_model_before_it_is_traced():
    model = optshare.to(Chain(Dense(3), Dense(2)), "jax")
    predict = optshare_jax.jit(model)
    x = jnp.ones((4, 5), jnp.float32)
    first = predict(x)
    assert [p.shape for p in params(model)] == [(5, 3), (3,), (3, 2), (2,)]
    np.testing.assert_allclose(first, model(x), rtol=1e-6)
    np.testing.assert_allclose(predict(x), first, rtol=1e-6)


def test_jax_itself_cannot_build_a_layer_and_leaves_it_as_it_is():
    layer = optshare.to(Dense(3), "jax")
    with pytest.raises(EscapedValueError, match=r"call optshare_jax.jit\(model\)"):
        jax.jit(lambda x: layer(x))(jnp.ones((4, 5), jnp.float32))
    assert not layer.weight.built
    assert layer(jnp.ones((4, 5), jnp.float32)).shape == (4, 3)
