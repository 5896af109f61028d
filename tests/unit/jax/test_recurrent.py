"""Recurrent networks and embeddings under JAX: compiled as one loop, to any order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare
from optshare import Parameter, registry
from optshare_jax.functions import ops

TAPE = registry.load("tape").ops


def weights(features, hidden, gates):
    draw = np.random.default_rng(0).normal
    shapes = (features, gates * hidden), (hidden, gates * hidden), (gates * hidden,)
    return [draw(size=shape) for shape in shapes]


def loss_of(namespace, x, h):
    def loss(w, u, b):
        hs, last, c = namespace.nn.lstm(x, h, h, w, u, b)
        return namespace.sum(hs * hs) + namespace.sum(last * c)

    return loss


def test_gradients_and_those_of_a_penalty_are_the_tapes_in_a_compiled_function():
    x, h = np.random.default_rng(1).normal(size=(2, 6, 3)), np.zeros((2, 4))
    given, f = weights(3, 4, 4), loss_of(ops, jnp.asarray(x), jnp.asarray(h))
    places = (0, 1, 2)

    def penalty(*args):
        return sum((each**2).sum() for each in jax.grad(f, places)(*args))

    g = loss_of(TAPE, x, h)
    expected = optshare.gradient(
        lambda *args: sum((each**2).sum() for each in optshare.gradient(g, *args)), *given
    )
    pairs = zip(jax.jit(jax.grad(penalty, places))(*given), expected, strict=True)
    for found, wanted in pairs:
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-11)


def test_the_program_does_not_grow_with_the_sequence():
    def program(time):
        x, h, rest = jnp.ones((1, time, 2)), jnp.ones((1, 2)), weights(2, 2, 3)
        call = lambda x: ops.nn.gru(x, h, *map(jnp.asarray, (*rest, rest[-1])))[0]  # noqa: E731
        return len(str(jax.make_jaxpr(call)(x)).splitlines())

    assert program(3) == program(300)


def test_a_state_narrower_than_the_data_is_widened():
    x, h = jnp.ones((1, 2, 3), jnp.float32), jnp.zeros((1, 2), jnp.float32)
    given = [jnp.asarray(each) for each in weights(3, 2, 4)]
    hs, _, c = ops.nn.lstm(x, h, h, *given)
    wanted, _, cells = TAPE.nn.lstm(*map(np.asarray, (x, h, h, *given)))
    assert hs.dtype == c.dtype == jnp.float64
    np.testing.assert_allclose(hs, wanted, rtol=1e-13)
    np.testing.assert_allclose(c, cells, rtol=1e-13)


def test_an_optimizers_compiled_step_trains_a_recurrent_network():
    finals = []
    for name in ("tape", "jax"):
        namespace = registry.load(name).ops
        x = namespace.asarray(np.random.default_rng(2).normal(size=(4, 5, 2)))
        h, boxes = 0 * x[:, 0, :], [Parameter(each) for each in weights(2, 2, 4)]
        model = optshare.to(boxes, name) if name == "jax" else boxes
        opt = optshare.Adam(model, lr=0.1)

        def loss(x, h, nn=namespace.nn, model=model):
            hs, *_ = nn.lstm(x, h, h, *(each.value for each in model))
            return ((hs - 0.25) ** 2).mean()

        losses = [float(opt.step(loss, x, h)) for _ in range(20)]
        finals.append(losses)
    assert finals[0][-1] < finals[0][0] / 2
    np.testing.assert_allclose(finals[1], finals[0], rtol=1e-10)


def test_an_index_out_of_range_is_named_unless_it_is_traced():
    weight = jnp.ones((4, 3))
    with pytest.raises(IndexError, match="index 4 is out of range; there are 4 rows"):
        ops.nn.embedding(jnp.array([0, 4]), weight)
    embed = jax.jit(lambda indices: ops.nn.embedding(indices, weight))
    assert embed(jnp.array([[0, 3]])).tolist() == np.ones((1, 2, 3)).tolist()
    assert np.isnan(embed(jnp.array([4]))).all()
