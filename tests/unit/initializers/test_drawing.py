"""What every initialiser is held to, and what each of them draws."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from optshare.errors import InitializerError
from optshare.initializers import (
    constant,
    fans,
    glorot_normal,
    glorot_uniform,
    identity,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    normal,
    orthogonal,
    sparse,
    truncated_normal,
    uniform,
)
from optshare.initializers.named import NAMED

DENSE, CONV = (100, 60), (20, 12, 5, 5)
SHAPES = [DENSE, (60, 100), CONV, (7, 3, 9), (4, 3, 3, 3, 3)]
BY_FANS = [glorot_normal, glorot_uniform, kaiming_normal, kaiming_uniform, lecun_normal,
           lecun_uniform, orthogonal, identity]  # fmt: skip
EVERYWHERE = ["normal", "ones", "truncated_normal", "uniform", "zeros"]


def draw(init, shape, dtype=np.float64, seed=0):
    return init(shape, dtype, np.random.default_rng(seed))


def torch_fans(shape):
    """Those of PyTorch, whose matrices are (out, in)."""
    ours = shape[::-1] if len(shape) == 2 else shape
    return torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(ours))


# -- all of them ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64])
def test_a_draw_has_the_shape_and_the_dtype(name, dtype):
    found = draw(NAMED[name], (6, 4), dtype)
    assert type(found) is np.ndarray
    assert (found.shape, found.dtype) == ((6, 4), dtype)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_narrow_draw_is_the_rounded_double_precision_one(name, dtype):
    wide = draw(NAMED[name], (6, 4))
    np.testing.assert_array_equal(draw(NAMED[name], (6, 4), dtype), wide.astype(dtype))


@pytest.mark.parametrize("name", NAMED)
def test_one_seed_gives_one_draw(name):
    np.testing.assert_array_equal(draw(NAMED[name], (6, 4)), draw(NAMED[name], (6, 4)))


@pytest.mark.parametrize("name", sorted(set(NAMED) - {"zeros", "ones", "identity"}))
def test_another_seed_and_the_next_draw_give_others(name):
    rng = np.random.default_rng(0)
    first, second = (NAMED[name]((6, 4), np.float64, rng) for _ in range(2))
    assert (first != second).any()
    assert (first != draw(NAMED[name], (6, 4), seed=1)).any()


@pytest.mark.parametrize("name", EVERYWHERE)
@pytest.mark.parametrize("shape", [(), (5,), (0, 3), (2, 3, 4)])
def test_what_needs_no_fans_fills_any_shape(name, shape):
    assert draw(NAMED[name], shape).shape == shape


@pytest.mark.parametrize("name", NAMED)
def test_an_array_without_elements_is_filled(name):
    assert [draw(NAMED[name], shape).shape for shape in [(0, 3), (3, 0)]] == [(0, 3), (3, 0)]


@pytest.mark.parametrize("init", BY_FANS, ids=lambda init: init.__name__)
@pytest.mark.parametrize("shape", [(), (5,)])
def test_what_needs_fans_refuses_fewer_than_two_axes(init, shape):
    with pytest.raises(InitializerError, match=r"at least two axes.*the shape \(.*zeros"):
        draw(init, shape)


# -- the fans ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_the_fans_are_those_of_torch(shape):
    assert fans(shape) == torch_fans(shape)


def test_the_fans_of_a_matrix_are_in_and_out():
    assert fans((3, 5)) == (3, 5)
    assert fans((8, 2, 3, 3)) == (18, 72)


# -- moments: within 5 standard deviations of the estimator, for a fixed seed -----------------


def torch_std(shape, kind, gain, mode):
    fan_in, fan_out = torch_fans(shape)
    if kind == "glorot":
        return gain * math.sqrt(2 / (fan_in + fan_out))
    return gain / math.sqrt({"fan_in": fan_in, "fan_out": fan_out}[mode])


SCALED = [
    (glorot_normal, {}, "glorot", 1.0, ""),
    (glorot_uniform, {}, "glorot", 1.0, ""),
    (glorot_normal, {"gain": 5 / 3}, "glorot", torch.nn.init.calculate_gain("tanh"), ""),
    (glorot_uniform, {"gain": 5 / 3}, "glorot", torch.nn.init.calculate_gain("tanh"), ""),
    (kaiming_normal, {}, "he", torch.nn.init.calculate_gain("relu"), "fan_in"),
    (kaiming_uniform, {}, "he", torch.nn.init.calculate_gain("relu"), "fan_in"),
    (kaiming_normal, {"mode": "fan_out", "gain": math.sqrt(2 / 1.04)}, "he",
     torch.nn.init.calculate_gain("leaky_relu", 0.2), "fan_out"),
    (kaiming_uniform, {"mode": "fan_out"}, "he", math.sqrt(2), "fan_out"),
    (lecun_normal, {}, "he", torch.nn.init.calculate_gain("linear"), "fan_in"),
    (lecun_uniform, {}, "he", torch.nn.init.calculate_gain("linear"), "fan_in"),
]  # fmt: skip


@pytest.mark.parametrize("shape", [DENSE, CONV])
@pytest.mark.parametrize(("init", "options", "kind", "gain", "mode"), SCALED)
def test_the_variance_is_the_papers(init, options, kind, gain, mode, shape):
    found = draw(partial(init, **options), shape)
    std = torch_std(shape, kind, gain, mode)
    # var(mean) = std^2/n; var(mean of squares) = (kurtosis - 1) std^4/n: 3 normal, 1.8 uniform
    spread = math.sqrt((2 if "normal" in init.__name__ else 0.8) / found.size)
    assert abs(found.mean()) < 5 * std / math.sqrt(found.size)
    assert abs(np.mean(found**2) / std**2 - 1) < 5 * spread
    if "uniform" in init.__name__:
        limit = math.sqrt(3) * std
        assert np.abs(found).max() <= limit
        # the chance that all n draws stay below a share a of the limit is a^n: here e^-50
        assert np.abs(found).max() > limit * math.exp(-50 / found.size)


def test_what_torch_draws_from_its_own_stream_has_the_same_bound():
    torch.manual_seed(0)
    theirs = torch.nn.init.xavier_uniform_(torch.empty(60, 100, dtype=torch.float64))
    ours = draw(glorot_uniform, (100, 60))
    assert abs(theirs.abs().max().item() / np.abs(ours).max() - 1) < 50 / ours.size


def test_glorot_uniform_draws_what_it_always_drew():
    limit = math.sqrt(6 / 5)
    wanted = np.random.default_rng(0).uniform(-limit, limit, (2, 3))
    np.testing.assert_array_equal(draw(glorot_uniform, (2, 3)), wanted)


def test_an_unknown_mode_is_refused():
    with pytest.raises(InitializerError, match=r"mode 'fan_on'.*fan_in"):
        draw(partial(kaiming_normal, mode="fan_on"), (2, 2))


def test_normal_and_uniform_take_their_moments():
    found = draw(partial(normal, mean=3.0, std=0.5), (10000,))
    assert abs(found.mean() - 3) < 5 * 0.5 / 100
    assert abs(found.std() / 0.5 - 1) < 5 / math.sqrt(2 * 10000)  # half the variance's
    found = draw(partial(uniform, low=-2.0, high=1.0), (10000,))
    assert -2 <= found.min() < -2 + 3 * 50 / 10000
    assert 1 - 3 * 50 / 10000 < found.max() < 1


def truncated_moments(bound=2.0):
    """The second and fourth moment of a standard normal cut at ±bound, by parts."""
    inside = math.erf(bound / math.sqrt(2))
    density = math.exp(-(bound**2) / 2) / math.sqrt(2 * math.pi)
    second = 1 - 2 * bound * density / inside
    return second, 3 * second - 2 * bound**3 * density / inside


def test_a_truncated_normal_stays_within_two_std_and_keeps_0_88_of_it():
    second, fourth = truncated_moments()
    assert math.sqrt(second) == pytest.approx(0.87962566, abs=1e-8)  # the docstring's
    found = draw(partial(truncated_normal, mean=1.0, std=0.1), (200, 100)) - 1
    assert np.abs(found).max() <= 0.2 * (1 + 1e-15)
    assert np.abs(found).max() > 0.199
    spread = math.sqrt((fourth - second**2) / found.size)
    assert abs(found.mean()) < 5 * 0.1 * math.sqrt(second / found.size)
    assert abs(np.mean(found**2) / 0.01 - second) < 5 * spread


def test_a_truncated_normal_has_the_distribution_of_torch_and_jax():
    import jax

    ours = np.sort(draw(truncated_normal, (20000,)))
    torch.manual_seed(0)
    theirs = torch.nn.init.trunc_normal_(torch.empty(20000, dtype=torch.float64)).numpy()
    jaxs = jax.nn.initializers.truncated_normal(1.0)(jax.random.key(0), (20000,), np.float32)
    # Kolmogorov and Smirnov: P(distance > 2.5 sqrt(2 / n)) < 2 exp(-2 * 2.5^2) = 7.5e-6
    for other in (theirs, np.asarray(jaxs)):
        both = np.concatenate([ours, np.sort(other)])
        shares = [np.searchsorted(each, both, "right") for each in (ours, np.sort(other))]
        assert np.abs(shares[0] - shares[1]).max() / 20000 < 2.5 * math.sqrt(2 / 20000)


# -- matrices ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(30, 30), (12, 50), (50, 12), (6, 4, 3, 3), (64, 3, 2, 2)])
def test_an_orthogonal_draw_has_orthonormal_rows_or_columns(shape):
    found = draw(partial(orthogonal, gain=2.0), shape).reshape(shape[0], -1) / 2
    small = found @ found.T if found.shape[0] <= found.shape[1] else found.T @ found
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)


def test_an_orthogonal_draw_is_even_over_the_signs():
    # 2 by 2: without the fix of the signs, LAPACK's first diagonal element of R is negative,
    # so that the sign of q[0, 0] follows from the draw; n fair coins stay within 5 sqrt(n) / 2
    rng = np.random.default_rng(0)
    found = [orthogonal((2, 2), np.float64, rng) for _ in range(2000)]
    rotations = sum(np.linalg.det(q) > 0 for q in found)
    assert abs(rotations - 1000) < 5 * math.sqrt(2000) / 2
    angles = [math.atan2(q[1, 0], q[0, 0]) for q in found]
    # the mean of exp(i angle) over even angles has the variance 1 / 2 in each part
    assert abs(np.mean(np.exp(1j * np.array(angles)))) < 5 / math.sqrt(2000)


def test_orthogonal_is_the_factor_whose_r_has_a_positive_diagonal():
    wide = draw(orthogonal, (3, 5))
    normal = np.random.default_rng(0).standard_normal((5, 3))
    r = wide @ normal
    np.testing.assert_allclose(np.tril(r, -1), 0, atol=1e-12)
    assert (np.diagonal(r) > 0).all()


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.75, 1.0])
def test_a_sparse_draw_has_its_zeros_in_each_column(sparsity):
    found = draw(partial(sparse, sparsity=sparsity, std=2.0), (50, 40))
    theirs = torch.nn.init.sparse_(torch.empty(50, 40), sparsity)
    zeros = (found == 0).sum(axis=0)
    assert zeros.tolist() == [math.ceil(sparsity * 50)] * 40
    assert zeros.tolist() == (theirs == 0).sum(0).tolist()
    drawn = found[found != 0]
    if drawn.size:
        assert abs(np.mean(drawn**2) / 4 - 1) < 5 * math.sqrt(2 / drawn.size)


def test_the_zeros_of_a_sparse_draw_are_anywhere():
    found = draw(partial(sparse, sparsity=0.5), (4, 4000)) == 0
    # each row has 2000 zeros on the average, with the variance 1000
    assert (np.abs(found.sum(axis=1) - 2000) < 5 * math.sqrt(1000)).all()


@pytest.mark.parametrize("bad", [-0.1, 1.5, math.nan])
def test_a_sparsity_that_is_no_share_is_refused(bad):
    with pytest.raises(InitializerError, match=r"in \[0, 1\]"):
        draw(partial(sparse, sparsity=bad), (3, 3))


@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)])
def test_sparse_wants_a_matrix(shape):
    with pytest.raises(InitializerError, match=r"two axes, \(in, out\), not the shape"):
        draw(sparse, shape)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_the_identity_of_a_matrix_is_torchs_eye(shape):
    wanted = torch.nn.init.eye_(torch.empty(shape)).numpy()
    np.testing.assert_array_equal(draw(identity, shape), wanted)


@pytest.mark.parametrize("shape", [(4, 4, 3), (3, 5, 3, 3), (5, 3, 4, 2), (2, 2, 3, 3, 3)])
def test_the_identity_of_a_convolution_is_torchs_dirac(shape):
    wanted = torch.nn.init.dirac_(torch.empty(shape)).numpy()
    np.testing.assert_array_equal(draw(partial(identity, gain=3.0), shape), 3 * wanted)


def test_a_constant_is_everywhere():
    assert draw(constant(0.25), (2, 2)).tolist() == [[0.25, 0.25], [0.25, 0.25]]
    assert draw(constant(1j), (1,), np.complex64).tolist() == [1j]
