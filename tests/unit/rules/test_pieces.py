"""The pieces of a chain that change gradients, each beside a framework that has it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from optshare import (
    L2,
    AdaptiveClip,
    Centralisation,
    ClipNorm,
    ClipValue,
    Noise,
    Optimizer,
    Parameter,
    SignDecay,
    WeightDecay,
    registry,
)
from optshare.errors import HyperparameterError
from optshare.rules import Site

SHAPES = pytest.mark.parametrize(
    "shape", [(), (0,), (1,), (5,), (5, 7), (5, 1), (2, 3, 4), (3, 3, 2, 4)], ids=str
)
OF_DENSE, OF_CONV = ((0,), (1,)), ((1, 2, 3), (0,))


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def applied(piece, value, gradient, *, fans=None, place=0, t=1):
    """The step that a piece makes of a gradient at its first update."""
    state = piece.initial_state(np, value, Site(place, "w", fans))
    with np.errstate(all="ignore"):
        return piece.array_step(np, value, gradient, state, t)[1]


def moved(piece, value, gradient):
    """The step that an element-wise piece makes of a gradient."""
    p = Parameter(np.zeros_like(value))
    kept = Parameter(value)
    Optimizer([kept], piece, nonfinite="propagate").update([gradient])
    assert p.value.shape == kept.value.shape
    return value - kept.value


def of_optax(transform, value, gradient):
    value, gradient = jnp.asarray(value), jnp.asarray(gradient)
    return np.asarray(transform.update(gradient, transform.init(value), value)[0])


@SHAPES
def test_clip_value_is_optaxs_clip(shape, deviation):
    zero, g = np.zeros(shape), random(shape)
    assert deviation(of_optax(optax.clip(0.5), zero, g), moved(ClipValue(0.5), zero, g)) <= 1e-12


def test_clip_value_lets_no_nan_pass_as_a_number():
    step = moved(ClipValue(1.0), np.zeros(3), np.array([np.nan, np.inf, -np.inf]))
    np.testing.assert_array_equal(step, [np.nan, 1.0, -1.0])


@SHAPES
@pytest.mark.parametrize("limit", [0.0, 0.5, 1e3])
def test_clip_norm_is_optaxs(shape, limit, deviation):
    g = random(shape)
    wanted = of_optax(optax.clip_by_global_norm(limit), g, g)
    assert deviation(wanted, np.asarray(applied(ClipNorm(limit), g, g))) <= 1e-12


@SHAPES
@pytest.mark.parametrize("limit", [0.5, 1e3])
def test_clip_norm_with_an_epsilon_is_pytorchs(shape, limit, deviation):
    g = random(shape)
    p = torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))
    p.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_([p], limit)
    found = np.asarray(applied(ClipNorm(limit, eps=1e-6), g, g))
    assert deviation(p.grad.numpy(), found) <= 1e-12


def test_a_clipped_gradient_has_the_norm_itself():
    assert np.linalg.norm(applied(ClipNorm(0.5), np.zeros(9), random(9))) == pytest.approx(
        0.5, rel=1e-15
    )


def test_clipping_leaves_a_gradient_of_zeros_and_a_short_one_bit_for_bit():
    for g in (np.zeros(3), np.array([0.3, 0.4, 0.0])):
        np.testing.assert_array_equal(applied(ClipNorm(1.0), g, g), g)
    np.testing.assert_array_equal(applied(ClipNorm(0.0), np.zeros(3), np.zeros(3)), np.zeros(3))


@SHAPES
@pytest.mark.parametrize("ratio", [0.01, 0.3, 100.0])
def test_adaptive_clipping_is_optaxs(shape, ratio, deviation):
    value, g = random(shape), random(shape, 1)
    wanted = of_optax(optax.adaptive_grad_clip(ratio), value, g)
    assert deviation(wanted, np.asarray(applied(AdaptiveClip(ratio), value, g))) <= 1e-12


def test_adaptive_clipping_takes_the_least_norm_for_weights_of_zeros(deviation):
    value, g = np.zeros((3, 4)), random((3, 4))
    wanted = of_optax(optax.adaptive_grad_clip(0.1, eps=0.5), value, g)
    assert deviation(wanted, applied(AdaptiveClip(0.1, eps=0.5), value, g)) <= 1e-12


def test_units_of_a_convolution_are_its_output_channels(deviation):
    value, g = random((4, 2, 3, 3)), random((4, 2, 3, 3), 1)
    last = (2, 3, 1, 0)
    wanted = of_optax(optax.adaptive_grad_clip(0.1), value.transpose(last), g.transpose(last))
    found = applied(AdaptiveClip(0.1), value, g, fans=OF_CONV)
    assert deviation(np.ascontiguousarray(wanted.transpose(3, 2, 0, 1)), found) <= 1e-12


@pytest.mark.parametrize("shape", [(), (0,), (5,), (5, 7), (1, 5), (2, 3, 4), (0, 5)], ids=str)
def test_centralisation_is_optaxs(shape, deviation):
    g = random(shape)
    found = np.asarray(applied(Centralisation(), g, g))
    assert deviation(of_optax(optax.centralize(), g, g), found) <= 1e-12


def test_centralisation_leaves_units_of_one_element():
    """Of which optax makes zeros."""
    g = random((5, 1))
    np.testing.assert_array_equal(applied(Centralisation(), g, g), g)
    np.testing.assert_array_equal(applied(Centralisation(), g.T, g.T, fans=OF_DENSE), g.T)


def test_centralisation_of_a_dense_weight_takes_the_mean_over_its_inputs():
    g = random((5, 7))
    found = applied(Centralisation(), g, g, fans=OF_DENSE)
    np.testing.assert_allclose(found, g - g.mean(0), rtol=0, atol=1e-15)
    conv = random((4, 2, 3, 3))
    found = applied(Centralisation(), conv, conv, fans=OF_CONV)
    np.testing.assert_allclose(found.mean((1, 2, 3)), 0, atol=1e-15)


@SHAPES
def test_l2_and_weight_decay_are_optaxs_decayed_weights_and_sign_decay_their_signs(
    shape, deviation
):
    value, g = random(shape), random(shape, 1)
    wanted = of_optax(optax.add_decayed_weights(0.1), value, g)
    assert deviation(value - wanted, value - moved(L2(0.1), value, g)) <= 1e-12
    assert deviation(value - wanted, value - moved(WeightDecay(0.1), value, g)) <= 1e-12
    signed = g + 0.1 * np.sign(value)
    assert deviation(value - signed, value - moved(SignDecay(0.1), value, g)) <= 1e-12


def test_the_variance_of_noise_falls_as_in_optax():
    g, count = np.zeros(200_000), 5
    transform = optax.add_noise(0.3, 0.7, key=0)
    state = transform.init(jnp.asarray(g))
    for t in range(1, count + 1):
        theirs, state = transform.update(jnp.asarray(g), state)
        ours = applied(Noise(0.3, gamma=0.7), g, g, t=t)
        assert np.std(ours) == pytest.approx((0.3 / t**0.7) ** 0.5, rel=0.01)
        assert np.std(ours) == pytest.approx(float(jnp.std(theirs)), rel=0.01)
        assert abs(np.mean(ours)) < 5 * np.std(ours) / len(g) ** 0.5


def test_noise_differs_by_seed_place_and_time_and_is_else_the_same():
    def drawn(piece=None, **where):
        return tuple(applied(piece or Noise(), np.zeros(3), np.zeros(3), **where))

    assert drawn() == drawn()
    assert len({drawn(), drawn(Noise(seed=1)), drawn(place=1), drawn(t=2)}) == 4


def test_noise_of_low_precision_is_that_of_double_precision_rounded():
    single = np.zeros(5, np.float32)
    found = applied(Noise(), single, single)
    assert found.dtype == np.float32
    wanted = applied(Noise(), np.zeros(5), np.zeros(5)).astype(np.float32)
    np.testing.assert_array_equal(found, wanted)


every_array_piece = pytest.mark.parametrize(
    "piece", [ClipNorm(0.5), AdaptiveClip(0.1), Centralisation(), Noise()], ids=repr
)


@every_array_piece
@pytest.mark.parametrize("engine", ["tape", "functional", "autograd", "torch", "jax"])
def test_pieces_are_the_same_on_every_engine(piece, engine, deviation):
    ops, (value, g) = registry.load(engine).ops, (random((3, 4)), random((3, 4), 1))
    theirs, their_g = ops.asarray(value), ops.asarray(g)
    state = piece.initial_state(ops, theirs, Site(0, "w"))
    new, step = piece.array_step(ops, theirs, their_g, state, 1)
    assert deviation(applied(piece, value, g), np.asarray(step)) <= 1e-12
    assert set(new) == {*piece.state_names(), *piece.scalar_names()}


@every_array_piece
def test_pieces_are_traced_by_jax(piece, deviation):
    ops, (value, g) = registry.load("jax").ops, (random((3, 4)), random((3, 4), 1))
    state = piece.initial_state(ops, jnp.asarray(value), Site(0, "w"))
    step = jax.jit(lambda v, g: piece.array_step(ops, v, g, state, 1)[1])
    assert deviation(applied(piece, value, g), np.asarray(step(value, g))) <= 1e-12


PIECES = [ClipValue, ClipNorm, AdaptiveClip, L2, SignDecay, WeightDecay, Noise]


@pytest.mark.parametrize("piece", PIECES)
def test_the_one_obvious_number_is_given_without_a_name(piece):
    (name, given), *_ = piece(0.25).hyperparameters().items()
    assert given == 0.25
    assert piece(**{name: 0.25}) == piece(0.25)
    with pytest.raises(TypeError):
        piece(0.25, 0.5)


@pytest.mark.parametrize("piece", PIECES)
def test_a_negative_number_is_refused_by_name(piece):
    with pytest.raises(HyperparameterError, match=rf"{piece.__name__}: \w+ must be in \[0, inf\)"):
        piece(-1.0)


def test_a_seed_that_is_no_integer_is_refused():
    with pytest.raises(HyperparameterError, match=r"Noise: seed must be an integer, not 0\.5"):
        Noise(seed=0.5)
