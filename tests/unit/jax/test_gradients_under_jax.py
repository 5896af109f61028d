"""Gradients through JAX's own transformations, and what must not come out of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import optshare
import optshare_tape
from optshare import Buffer, Parameter, registry
from optshare.errors import DifferentiationError, UnreachedParametersError
from optshare.extend import NN, Namespace
from tests.unit.closeness import assert_close

TAPE, JAX = (registry.load(name).ops for name in ("tape", "jax"))
COMPILED = registry.load("jax").compiled()

# one compiler is given a hundred functions of one code here, which is what the warning is for
pytestmark = pytest.mark.filterwarnings("ignore::optshare_jax.RecompilationWarning")


def power_sum(w, x):
    return jnp.sum(jnp.sin(x * w) * w)


def scanned(w, x):
    return lax.scan(lambda s, pair: (s + jnp.sin(pair[0] * pair[1]) * pair[1], None), 0.0, (x, w))[
        0
    ]


def chosen(w, x):
    return lax.cond(x[0] > -99, power_sum, lambda w, x: (w * x).sum(), w, x)


WAYS = {
    "plain": power_sum,
    "jit": jax.jit(power_sum),
    "jit in jit": jax.jit(lambda w, x: 1.0 * jax.jit(power_sum)(w, x)),
    "scan": jax.jit(scanned),
    "cond": jax.jit(chosen),
    "checkpoint": jax.checkpoint(power_sum),
    "vmap": lambda w, x: jax.vmap(lambda v, y: jnp.sin(y * v) * v)(w, x).sum(),
}
ROW = np.array([0.5, -1.5, 2.0])
START = np.array([1.0, 2.0, -0.5])


def slope(w, x):
    return np.sin(x * w) + x * w * np.cos(x * w)


CASES = [(name, "argument") for name in WAYS] + [(name, "inside") for name in ("jit", "scan")]


@pytest.mark.parametrize(("name", "reading"), CASES)
def test_gradients_and_steps_are_right_however_often_and_whatever_came_before(name, reading):
    p, x, way = Parameter(jnp.array(START)), jnp.array(ROW), WAYS[name]
    inside = jax.jit(lambda x: way(p.value, x))
    way(p.value, x)

    def loss(x):
        return way(p.value, x) if reading == "argument" else inside(x)

    opt, w = optshare.SGD([p], lr=0.1), START
    for _ in range(2):
        for _ in range(2):
            value, g = optshare.value_and_gradient(loss, x, wrt=p)
            np.testing.assert_allclose(value, (np.sin(ROW * w) * w).sum(), rtol=1e-12)
            np.testing.assert_allclose(g[p], slope(w, ROW), rtol=1e-12)
        np.testing.assert_allclose(opt.step(loss, x), (np.sin(ROW * w) * w).sum(), rtol=1e-12)
        w = w - 0.1 * slope(w, ROW)
        np.testing.assert_allclose(p.value, w, rtol=1e-12)
        p.value = 2 * p.value
        w = 2 * w
        np.testing.assert_allclose(way(p.value, x), (np.sin(ROW * w) * w).sum(), rtol=1e-12)


@pytest.mark.parametrize(
    "through", [lambda f: f, jax.jit, jax.checkpoint], ids=["", "jit", "remat"]
)
def test_no_gradient_is_absent_and_a_zero_gradient_is_zero(through):
    p, q, r, s = (Parameter(jnp.array([1.0, 2.0])) for _ in range(4))
    kept = through(lambda q, r, s: (0 * q + lax.stop_gradient(r) * 3).sum() + 0 * s.sum())
    g = optshare.gradient(lambda: kept(q.value, r.value, s.value), wrt=[p, q, r, s])
    assert g[p] is None
    assert g[q].tolist() == [0.0, 0.0]
    assert g[r] is None
    assert g[s].tolist() == [0.0, 0.0]
    opt = optshare.SGD([p, q, r, s], lr=0.5, weight_decay=0.5)
    opt.step(lambda: kept(q.value, r.value, s.value))
    assert [opt.state_for(each).t for each in (p, q, r, s)] == [0, 1, 0, 1]
    assert p.value.tolist() == r.value.tolist() == [1.0, 2.0]
    assert q.value.tolist() == [0.75, 1.5]


@pytest.mark.parametrize("how", ["gradient", "step"])
def test_a_loss_that_reads_no_parameter_is_refused(how, unchanged):
    p, q = Parameter(jnp.ones(2)), Parameter(jnp.ones(2))
    opt, x = optshare.SGD([p]), jnp.ones(2)

    def loss(x):
        return (q * x).sum()

    with unchanged([p], opt), pytest.raises(UnreachedParametersError, match="none of the 1"):
        opt.step(loss, x) if how == "step" else optshare.gradient(loss, x, wrt=p)


def cubic(ops, p, x):
    return (p * p * p * x + ops.sin(p.value) * x).sum()


def penalised(ops, p, x):
    g = optshare.gradient(lambda: cubic(ops, p, x), wrt=p)[p]
    return (g * g).sum() + cubic(ops, p, x)


def test_gradients_of_gradients_and_steps_over_them_equal_the_tapes():
    ends = {}
    for ops in (TAPE, JAX):
        p, x = Parameter(ops.asarray(START)), ops.asarray(ROW)
        value, g = optshare.value_and_gradient(lambda p=p, x=x, o=ops: penalised(o, p, x), wrt=p)
        opt = optshare.SGD([p], lr=1e-4)
        for _ in range(3):
            loss = opt.step(lambda x, p=p, o=ops: penalised(o, p, x), x)
        ends[ops] = np.array(value), np.array(g[p]), np.array(loss), np.array(p.value)
    for mine, theirs in zip(ends[JAX], ends[TAPE], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_third_derivatives_are_right():
    def derived(f):
        return lambda x: optshare.gradient(lambda x: f(x).sum(), x)[0]

    x = jnp.array([2.0, 3.0])
    np.testing.assert_allclose(derived(derived(derived(lambda x: x**4)))(x), [48, 72], rtol=1e-12)


class Noted(optshare.Layer):
    def __init__(self):
        self.p, self.seen = Parameter(np.array(START)), Buffer(np.zeros(3))

    def __call__(self, x):
        self.seen.value = self.seen.value + optshare.namespace_of(x).stop_gradient(x * self.p.value)
        return x * self.p.value


def no_tracers(model):
    boxes = [*optshare.params(model), *optshare.buffers(model)]
    return not any(isinstance(box.stored, jax.core.Tracer) for box in boxes)


def test_nothing_of_a_trace_leaks():
    model = optshare.to(optshare.Chain(Noted(), optshare.Dropout(0.5, seed=1)), "jax")
    opt, x = optshare.Adam(model, lr=0.1), jnp.array(ROW)
    with jax.checking_leaks():
        for _ in range(2):
            optshare.gradient(lambda: model(x).sum(), wrt=model)
            opt.step(lambda x: jax.jit(lambda y: jnp.sin(y).sum())(model(x)), x)
            opt.step(lambda x: lax.scan(lambda s, y: (s + y, None), 0.0, model(x))[0], x)
    assert no_tracers(model)
    assert model.layers[1].calls.value == 6


@pytest.mark.parametrize("how", ["gradient", "step"])
def test_an_exception_in_the_loss_leaves_nothing_behind(how, unchanged):
    model = optshare.to(Noted(), "jax")
    opt, x = optshare.Adam(model), jnp.array(ROW)

    def loss(x):
        raise ArithmeticError(str(model(x).shape))

    with unchanged(model, opt), pytest.raises(ArithmeticError, match=r"\(3,\)"):
        opt.step(loss, x) if how == "step" else optshare.gradient(loss, x, wrt=model)
    assert no_tracers(model)
    np.testing.assert_array_equal(model(x), ROW * START)


@pytest.mark.parametrize("inside", [jax.jit, jax.checkpoint], ids=["jit", "checkpoint"])
def test_a_loss_that_catches_exceptions_has_its_gradient(inside):
    p, caught = Parameter(jnp.array([1.0, 2.0, 3.0])), []

    def loss(x):
        try:
            return inside(lambda x: (p.value**2 * x).sum())(x)
        except Exception as error:
            caught.append(error)
            return jnp.zeros(())

    for _ in range(2):
        value, found = optshare.value_and_gradient(loss, jnp.ones(3), wrt=p)
        assert (float(value), found[p].tolist()) == (14.0, [2.0, 4.0, 6.0])
    assert caught == []


@pytest.mark.parametrize("how", ["gradient", "step"])
@pytest.mark.parametrize(
    "inside",
    [
        lambda f, x: jax.jit(f)(x),
        lambda f, x: lax.scan(lambda s, y: (s + f(y * x).sum(), None), 0.0, x)[0],
        lambda f, x: jax.checkpoint(f)(x),
        lambda f, x: jax.vmap(lambda y: f(y * x))(x),
        lambda f, x: lax.cond(x[0] > 0, f, jnp.sin, x),
    ],
    ids=["jit", "scan", "checkpoint", "vmap", "cond"],
)
def test_a_buffer_written_inside_a_transformation_is_refused(how, inside, unchanged):
    model = optshare.to(Noted(), "jax")
    opt, x = optshare.Adam(model), jnp.array(ROW)

    def loss(x):
        return inside(model, x).sum()

    with unchanged(model, opt), pytest.raises(DifferentiationError, match=r"Buffer .* inside jax"):
        opt.step(loss, x) if how == "step" else optshare.gradient(loss, x, wrt=model)
    assert no_tracers(model)


GRID = np.random.default_rng(0).normal(size=(3, 4))
INSIDE = "acos asin atanh"
ABOVE = "log log10 log1p log2 sqrt acosh reciprocal pow"
UNARY = """abs acos acosh asin asinh atan atanh ceil cos cosh exp expm1 floor isfinite isinf isnan
    log log10 log1p log2 logical_not negative positive reciprocal round sign sin sinh sqrt square
    tan tanh trunc all any argmax argmin logsumexp max mean min prod std sum var matrix_transpose
    ones_like zeros_like stop_gradient"""
BINARY = """add atan2 divide equal greater greater_equal hypot less less_equal logaddexp logical_and
    logical_or maximum minimum multiply not_equal pow subtract vecdot"""
NEURAL = """celu elu gelu hardsigmoid hardswish hardtanh leaky_relu log_softmax logsigmoid mish relu
    relu6 selu sigmoid silu softmax softplus softsign tanh tanhshrink"""
REDUCTIONS = "logsumexp max mean min prod std sum var"
CALLS = {
    **{name: lambda ops, x, n=name: getattr(ops, n)(x) for name in UNARY.split()},
    **{name: lambda ops, x, n=name: getattr(ops, n)(x, x[::-1] + 0.25) for name in BINARY.split()},
    **{f"nn.{n}": lambda ops, x, n=n: getattr(ops.nn, n)(x) for n in
        NEURAL.split()},
    **{f"{n} of rows": lambda ops, x, n=n: getattr(ops, n)(x, axis=1, keepdims=True)
        for n in REDUCTIONS.split()},
    "argmax of rows": lambda ops, x: ops.argmax(x, axis=1),
    "clip": lambda ops, x: ops.clip(x, -0.5, 0.5),
    "where": lambda ops, x: ops.where(x > 0, x, 2 * x),
    "cumulative_sum": lambda ops, x: ops.cumulative_sum(x, axis=1),
    "broadcast_to": lambda ops, x: ops.broadcast_to(x, (2, 3, 4)),
    "concat": lambda ops, x: ops.concat([x, 2 * x], axis=1),
    "expand_dims": lambda ops, x: ops.expand_dims(x, axis=1),
    "flip": lambda ops, x: ops.flip(x, axis=1),
    "permute_dims": lambda ops, x: ops.permute_dims(x, (1, 0)),
    "reshape": lambda ops, x: ops.reshape(x, (2, 6)),
    "roll": lambda ops, x: ops.roll(x, 1, axis=1),
    "squeeze": lambda ops, x: ops.squeeze(x[:1], axis=0),
    "stack": lambda ops, x: ops.stack([x, 2 * x], axis=1),
    "take": lambda ops, x: ops.take(x, ops.asarray(np.array([0, 0, 2])), axis=1),
    "scan": lambda ops, x: ops.scan(lambda c, each: (c * each, c - each), x[0], x)[1],
    "nn.embedding": lambda ops, x: ops.nn.embedding(ops.asarray(np.array([[0, 2], [2, 2]])), x),
    "nn.gru": lambda ops, x: ops.nn.gru(
        ops.reshape(x, (2, 3, 2)), x[:2, :1], x[:2, 1:], x[:1, :3], x[1, :3], x[2, :3]
    )[0],
    "nn.lstm": lambda ops, x: ops.nn.lstm(
        ops.reshape(x, (2, 3, 2)), x[:2, :1], x[:2, 1:2], x[:2], x[1:2], x[2]
    )[0],
    "take_along_axis": lambda ops, x: ops.take_along_axis(
        x, ops.asarray(np.array([[0], [3], [1]])), axis=1
    ),
    "cumulative_prod": lambda ops, x: ops.cumulative_prod(x, axis=1),
    "diff": lambda ops, x: ops.diff(x, axis=0),
    "einsum": lambda ops, x: ops.einsum("ij,kj->ik", x, x),
    "moveaxis": lambda ops, x: ops.moveaxis(x, 0, 1),
    "pad": lambda ops, x: ops.pad(x, ((1, 0), (0, 2))),
    "repeat": lambda ops, x: ops.repeat(x, 2, axis=1),
    "tile": lambda ops, x: ops.tile(x, (2, 1)),
    "unstack": lambda ops, x: ops.unstack(x, axis=1)[2],
    "nn.cross_entropy": lambda ops, x: ops.nn.cross_entropy(
        x, ops.asarray(np.array([0, 3, 1]))
    ),
    "nn.linear": lambda ops, x: ops.nn.linear(x, ops.matrix_transpose(x), x[:, 0]),
    "matmul": lambda ops, x: ops.matmul(x, ops.matrix_transpose(x)),
    "tensordot": lambda ops, x: ops.tensordot(x, ops.matrix_transpose(x), axes=1),
    "arange": lambda ops, x: ops.arange(3) + 0 * x[:, 0],
    "astype": lambda ops, x: ops.astype(x, x.dtype),
    "full_like": lambda ops, x: ops.full_like(x, 3.5),
    "nn.conv": lambda ops, x: ops.nn.conv(
        ops.reshape(x, (1, 4, 3)), ops.reshape(x * x, (6, 2, 1)), stride=2, padding=((1, 0),),
        groups=2,
    ),
    "nn.conv dilated": lambda ops, x: ops.nn.conv(
        ops.reshape(x, (1, 1, 3, 4)), ops.reshape(x * x, (3, 1, 2, 2)), dilation=(2, 1)
    ),
    "nn.conv_transpose": lambda ops, x: ops.nn.conv_transpose(
        ops.reshape(x, (1, 4, 3)), ops.reshape(x * x, (4, 1, 3)), stride=3, padding=((1, 2),),
        output_padding=1, dilation=2, groups=2,
    ),
    "nn.conv_transpose cropped": lambda ops, x: ops.nn.conv_transpose(
        ops.reshape(x, (1, 2, 2, 3)), ops.reshape(x * x, (2, 6, 1, 1)), stride=(1, 2),
        padding=(0, 2),
    ),
    "nn.max_pool": lambda ops, x: ops.nn.max_pool(
        ops.reshape(x, (1, 3, 4)), 3, stride=1, padding=1
    ),
    "nn.mean_pool": lambda ops, x: ops.nn.mean_pool(
        ops.reshape(x, (1, 1, 3, 4)), (2, 3), stride=(1, 2), padding=((1, 0), (0, 1))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::optshare_jax.CapturedArrayWarning")
def test_every_function_of_ops_has_the_value_and_derivative_of_the_tape(name):
    call, x = CALLS[name], GRID
    x = np.tanh(x) if name in INSIDE.split() else np.abs(x) + 1 if name in ABOVE.split() else x
    wanted, p = np.asarray(call(TAPE, x)), Parameter(jnp.array(x))
    found = Buffer(jnp.zeros(wanted.shape, wanted.dtype))
    weights = np.random.default_rng(1).normal(size=wanted.shape) * (wanted.dtype.kind == "f")

    def loss(weights):
        got = call(JAX, p.value)
        found.value = lax.stop_gradient(got)
        return (got * weights).sum() + 0 * p.value.sum()

    _, (mine,) = COMPILED(loss, [p], weights)
    np.testing.assert_allclose(found.value, wanted, rtol=1e-12, atol=1e-14)
    if wanted.dtype.kind == "f":
        (theirs,) = optshare_tape.gradient(
            lambda x: (call(TAPE, x) * weights).sum() + 0 * x.sum(), x
        )
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-13)


def test_every_function_that_ops_promises_is_compared():
    named = {each.partition(" ")[0] for each in CALLS}
    parts = {"real", "imag", "conj"}  # of complex arrays, which are compared below
    others = {"nn", "random", "asarray", "is_concrete"}
    assert set(Namespace.__annotations__) - named == others | parts
    assert {f"nn.{each}" for each in NN.__annotations__} <= named


@pytest.mark.parametrize("engine", [TAPE, JAX], ids=["tape", "jax"])
@pytest.mark.parametrize("name", ["relu", "abs"])
def test_at_kinks_the_derivative_is_zero(engine, name):
    f = engine.abs if name == "abs" else engine.nn.relu
    x = engine.asarray(np.array([0.0, -0.0, 1.0]))
    assert optshare.gradient(lambda x: f(x).sum(), x)[0].tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("engine", [TAPE, JAX], ids=["tape", "jax"])
def test_ties_share_the_derivative(engine):
    zero = engine.asarray(np.array([0.0, -0.0, 1.0]))
    other = engine.asarray(np.array([0.0, 0.0, 0.5]))
    for f, last in ((engine.maximum, 1.0), (engine.minimum, 0.0)):
        one, two = optshare.gradient(lambda x, y, f=f: f(x, y).sum(), zero, other)
        assert one.tolist() == [0.5, 0.5, last]
        assert two.tolist() == [0.5, 0.5, 1 - last]
    (g,) = optshare.gradient(lambda x: engine.max(x), engine.asarray(np.array([2.0, 2.0, 1.0])))
    assert g.tolist() == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("compiled", [False, True], ids=["direct", "compiled"])
def test_complex_gradients_are_those_of_the_tape_and_not_their_conjugates(compiled):
    z = Parameter(jnp.array([-2.0 + 0.5j, 1 - 3j, 0.25j]))
    x = Parameter(jnp.array([0.5, -1.5, 2.0]))

    def loss(ops):
        found = ops.acosh(z.value) * x.value + ops.sign(z.value) + ops.exp(ops.conj(z.value))
        return ops.sum(ops.abs(found) ** 3 + ops.real(found) * ops.imag(z.value))

    gradient = COMPILED if compiled else registry.load("jax").gradient
    value, found = gradient(lambda: loss(JAX), [z, x])
    assert [g.dtype for g in found] == [np.complex128, np.float64]

    for each in (z, x):
        each.migrate(np.asarray(each.value))
    wanted, expected = registry.load("tape").gradient(lambda: loss(TAPE), [z, x])
    assert_close(value, wanted)
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


def test_a_complex_parameter_is_updated_by_a_compiled_step():
    z = Parameter(jnp.array([1 + 1j]))
    opt = optshare.SGD([z], lr=0.25)
    opt.step(lambda: JAX.sum(JAX.abs(z.value) ** 2))
    assert z.value.tolist() == [0.5 + 0.5j]
