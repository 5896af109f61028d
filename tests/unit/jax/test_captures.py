"""What a loss reads without its being an argument: arrays train, and are warned of once."""

import functools
import warnings
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import optshare
from optshare import Parameter, registry
from optshare_jax import CapturedArrayWarning

x = y = None
factor = 1.0
held = SimpleNamespace()
inner_global = jax.jit(lambda w: jnp.mean((x @ w - y) ** 2))


def batches(count=3):
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(6, 3)), rng.normal(size=6)) for _ in range(count)]


def mean_square(w, x, y):
    return optshare.namespace_of(w).mean((x @ w - y) ** 2)


def trained(loss_for, engine, prepare):
    p = optshare.to([Parameter(np.array([1.0, -2.0, 0.5]))], engine)[0]
    opt = optshare.Adam([p], lr=0.1)
    losses = [float(opt.step(loss_for(p, *map(prepare, batch)))) for batch in batches()]
    return losses, np.array(p.value), opt


def executables(opt):
    return sum(each._cache_size() for each in opt._compiled["jax"]._programs.values())


def closure(p, x, y):
    return lambda: mean_square(p.value, x, y)


def module_global(p, *batch):
    globals().update(zip("xy", batch, strict=True))
    return lambda: mean_square(p.value, x, y)


def attribute(p, x, y):
    held.x, held.y = x, y
    return lambda: mean_square(p.value, held.x, held.y)


def entry(p, x, y):
    batch = {"x": x, "y": [y]}
    return lambda: mean_square(p.value, batch["x"], batch["y"][0])


def default(p, x, y):
    return lambda x=x, y=y: mean_square(p.value, x, y)


def partial(p, x, y):
    return functools.partial(lambda x, y: mean_square(p.value, x, y), x, y=y)


def inner_jit(p, x, y):
    return lambda: jax.jit(lambda w: mean_square(w, x, y))(p.value)


def jit_of_module(p, *batch):
    globals().update(zip("xy", batch, strict=True))
    return lambda: inner_global(p.value)


def jit_of_method(p, x, y):
    return lambda: jax.jit(lambda: mean_square(p.value, x, y))()


def scan(p, x, y):
    @jax.jit
    def one(w, i):
        return (x[i] @ w - y[i]) ** 2

    return lambda: lax.scan(lambda s, i: (s + one(p.value, i), None), 0.0, jnp.arange(6))[0] / 6


def scan_backwards(p, x, y):
    def loss():
        rows = lax.scan(lambda s, i: (s, jax.jit(lambda: x[i] @ p.value)()), 0, jnp.arange(6))[1]
        turned = lax.map(lambda i: (rows[i] - jax.jit(lambda: y)()[i]) ** 2, jnp.arange(6))
        return turned.sum() / 6

    return loss


def cond(p, x, y):
    known = jax.jit(lambda w: mean_square(w, x, y))
    return lambda: lax.cond(p.value[0] > -99, known, lambda w: (w @ w) * jnp.sum(y), p.value)


def while_loop(p, x, y):
    def loss():
        def body(state):
            return state[0] + 1, state[1] + jax.jit(lambda: y / 2)()

        def more(state):
            return state[0] < jax.jit(lambda: 2 + 0 * x[0, 0])()

        target = lax.while_loop(more, body, (0, lax.stop_gradient(0 * (x @ p.value))))[1]
        return mean_square(p.value, x, target)

    return loss


def checkpoint(p, x, y):
    known = jax.jit(lambda w: x @ w)
    return lambda: jnp.mean((jax.checkpoint(lambda w: jnp.sin(known(w)))(p.value) - y) ** 2)


def vmap(p, x, y):
    known = jax.jit(lambda i: (x[i] @ p.value - y[i]) ** 2)
    return lambda: jax.vmap(known)(jnp.arange(6)).mean()


def custom_vjp(p, x, y):
    @jax.custom_vjp
    def product(w):
        return jax.jit(lambda: x @ w)()

    product.defvjp(lambda w: (product(w), None), lambda _, g: (jax.jit(lambda: g @ x)(),))
    return lambda: jnp.mean((product(p.value) - y) ** 2)


def custom_jvp(p, x, y):
    @jax.custom_jvp
    def product(w):
        return jax.jit(lambda: x @ w)()

    product.defjvps(lambda t, _, w: x @ t)
    return lambda: jnp.mean((product(p.value) - y) ** 2)


def of_sines(p, x, y):
    return lambda: optshare.namespace_of(x).mean(
        (optshare.namespace_of(p.value).sin(x @ p.value) - y) ** 2
    )


WAYS = [
    closure, module_global, attribute, entry, default, partial, inner_jit, jit_of_module,
    jit_of_method, scan, scan_backwards, cond, while_loop, checkpoint, vmap, custom_vjp, custom_jvp,
]  # fmt: skip


CASES = [(way, jnp.asarray) for way in WAYS] + [
    (way, np.asarray) for way in (closure, module_global, attribute, entry, inner_jit, cond)
]


@pytest.mark.parametrize(("way", "prepare"), CASES, ids=lambda each: each.__name__)
def test_every_captured_batch_trains_with_one_executable_and_one_warning(way, prepare):
    reference = of_sines if way is checkpoint else closure
    wanted, end, _ = trained(reference, "tape", np.asarray)
    with pytest.warns(CapturedArrayWarning, match=r"float64\[6, 3\]") as caught:
        losses, found, opt = trained(way, "jax", prepare)
    np.testing.assert_allclose(losses, wanted, rtol=1e-12)
    np.testing.assert_allclose(found, end, rtol=1e-12)
    assert executables(opt) == 1
    assert [each.filename for each in caught] == [__file__]


def test_an_argument_is_not_warned_of():
    p = Parameter(jnp.ones(3))
    opt = optshare.SGD([p], lr=0.1)
    with warnings.catch_warnings(record=True) as caught:
        for batch in batches():
            opt.step(lambda x, y: mean_square(p.value, x, y), *map(jnp.asarray, batch))
    assert caught == []


@pytest.mark.parametrize(
    "layer",
    [
        optshare.MultiHeadAttention(4, 2, causal=True),
        optshare.MultiHeadAttention(4, 2, rotary=True),
        optshare.Chain(optshare.Dense(4, 4), optshare.SinusoidalEncoding()),
    ],
    ids=repr,
)
def test_what_a_layer_computes_from_shapes_alone_is_traced_once(layer):
    traced, batch = [], np.random.default_rng(0).normal(size=(2, 3, 4))

    def loss(x):
        traced.append(x.shape)
        return (layer(x) ** 2).mean()

    opt = optshare.SGD(optshare.to(layer, "jax", dtype="float64"), lr=0.0)
    for time in (3, 3, 2, 3, 2):
        x = jnp.asarray(batch[:, :time])
        found = float(opt.step(loss, x))  # which would warn of a captured array
        np.testing.assert_allclose(found, float((layer(x) ** 2).mean()), rtol=1e-12)
    assert traced.count((2, 3, 4)) == traced.count((2, 2, 4)) == 1


def test_two_losses_are_warned_of_separately():
    p = Parameter(jnp.ones(3))
    opt, array = optshare.SGD([p], lr=0.1), jnp.ones(3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            opt.step(lambda: (p * array).sum())
            opt.step(lambda: (p * array * 2).sum())
    assert [each.category for each in caught] == [CapturedArrayWarning] * 2


def through(function):
    return lambda w: jax.jit(lambda v: function(v).sum())(w)


def ruled(rule):
    @jax.custom_vjp
    def cube(w):
        return (w**3).sum()

    cube.defvjp(lambda w: (cube(w), w), lambda w, g: (g * rule(w),))
    return cube


def looped(**options):
    return lambda w: (
        lax.scan(lambda s, row: (s * 0.5 + row.sum(), None), 0.0, w, **options)[0] * 1.0
    )


def called_back(function):
    kind = jax.ShapeDtypeStruct((), np.float64)
    return lambda w: w.sum() * jax.pure_callback(lambda: np.float64(function(2.0)), kind)


ALIKE = {
    **{f"times {c}": lambda w, c=c: (c * w).sum() for c in (1.0, 2.0, 2)},
    **{f"axis {a}": lambda w, a=a: (w.sum(axis=a) ** 2).sum() for a in (0, 1)},
    **{f.__name__: lambda w, f=f: f(w).sum() for f in (jnp.sin, jnp.cos)},
    **{f"jit {f.__name__}": through(f) for f in (jnp.sin, jnp.cos)},
    **{f"row {i}": lambda w, i=i: (w[i] ** 2).sum() for i in (0, 1)},
    **{f"power {n}": lambda w, n=n: (w**n).sum() for n in (2, 3)},
    **{f"rule {n}": ruled(lambda w, n=n: n * w) for n in (1.0, 2.0)},
    **{f"scan {r}": looped(reverse=r) for r in (False, True)},
    **{f"callback {f.__name__}": called_back(f) for f in (np.sin, np.cos)},
    **{f"cond {c}": lambda w, c=c: lax.cond(w[0, 0] > c, jnp.sum, jnp.prod, w) for c in (-9, 9)},
    **{f"cast {d}": lambda w, d=d: w.astype(d).sum() for d in ("float32", "float64")},
    **{f"eye {k}": lambda w, k=k: jnp.einsum(k, w, w).sum() ** 2 for k in ("ij,jk", "ji,jk")},
}


@pytest.mark.filterwarnings("ignore::optshare_jax.RecompilationWarning")  # which is wanted here
def test_different_losses_never_share_an_executable():
    p = Parameter(jnp.array(np.random.default_rng(0).normal(size=(3, 3))))
    compiled = registry.load("jax").compiled()
    wanted = {name: jax.jit(jax.value_and_grad(f))(p.value) for name, f in ALIKE.items()}
    for _ in range(2):
        for name, function in ALIKE.items():
            value, (slope,) = compiled(lambda f=function: f(p.value), [p])
            found = float(value), slope
            for each, other in zip(found, wanted[name], strict=True):
                np.testing.assert_allclose(each, other, rtol=1e-12, atol=1e-14, err_msg=name)


class Loss:
    def __init__(self):
        self.w, self.traces = Parameter(jnp.array([1.0, 2.0])), 0

    def of(self, x, scale=1.0):
        self.traces += 1
        return scale * (self.w * x).sum()


def test_partials_and_bound_methods_are_traced_once():
    loss, row = Loss(), jnp.array([1.0, 0.5])
    opt = optshare.SGD([loss.w], lr=1.0)
    for function in (loss.of, functools.partial(Loss.of, loss)):
        loss.traces = 0
        loss.w.value = jnp.array([1.0, 2.0])
        assert [float(opt.step(function, row)) for _ in range(3)] == [2.0, 0.75, -0.5]
        assert opt.step(functools.partial(function), row) == -1.75
        assert loss.traces <= 2
    loss.w.value = jnp.array([1.0, 2.0])
    found = [float(opt.step(functools.partial(loss.of, scale=c), row)) for c in (1.0, 2.0, 1.0)]
    assert found == [2.0, 1.5, -1.75]


def test_a_global_number_and_a_captured_one_are_noticed_when_they_change(monkeypatch):
    p, losses = Parameter(jnp.array([1.0])), []
    opt = optshare.SGD([p], lr=0.25)
    for number in (1.0, 2.0, 4.0, 1.0):
        monkeypatch.setitem(globals(), "factor", number)
        losses.append(float(opt.step(lambda here=number: (p * factor).sum() + here)))
    assert losses == [2.0, 3.5, 5.0, 0.25]


@pytest.mark.parametrize("shape", [(), (2,)], ids=str)
@pytest.mark.parametrize("use", [lambda t: t, lambda t: t.sum()], ids=["array", "sum"])
@pytest.mark.filterwarnings("ignore::optshare_jax.CapturedArrayWarning")
def test_a_captured_array_of_numpy_that_is_written_in_place_is_noticed(shape, use):
    p, t = Parameter(jnp.array([1.0, 1.0])), np.zeros(shape)
    opt, losses = optshare.SGD([p], lr=1e-9), []
    for number in (1.0, 2.0, 4.0):
        t[...] = number / use(np.ones(shape)).flat[0]
        losses.append(float(opt.step(lambda: (p * use(t)).sum())))
    np.testing.assert_allclose(losses, [2.0, 4.0, 8.0], rtol=1e-6)


def test_captured_arrays_without_axes_share_an_executable():
    p = Parameter(jnp.array([1.0]))
    opt, ts = optshare.SGD([p], lr=0.25), map(jnp.array, (1.0, 2.0, 4.0))
    with pytest.warns(CapturedArrayWarning, match=r"float64\[\]"):
        assert [float(opt.step(lambda t=t: (p * t).sum())) for t in ts] == [1.0, 1.5, 1.0]
    assert executables(opt) == 1
