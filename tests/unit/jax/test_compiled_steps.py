"""Steps on JAX are traced once, compiled once, and end where the tape's end."""

import copy
import itertools
import pickle
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare
import optshare_jax
from optshare import Buffer, Parameter
from optshare.errors import NonFiniteLossError


class Centred(optshare.Layer):
    def __init__(self, features):
        self.mean, self.scale = Buffer(np.zeros(features)), Parameter(np.ones(features))

    def __call__(self, x):
        ops = optshare.namespace_of(x)
        if optshare.recording():
            batch = ops.stop_gradient(ops.mean(x, axis=0))
            self.mean.value = 0.9 * self.mean.value + 0.1 * batch
        return (x - self.mean.value) * self.scale.value


def network(engine="jax", dropout=0.3):
    rng = np.random.default_rng(0)
    model = optshare.Chain(
        optshare.Dense(4, 8, optshare.tanh, dtype=np.float64, rng=rng),
        optshare.Dropout(dropout, seed=3),
        Centred(8),
        optshare.Dense(8, 3, dtype=np.float64, rng=rng),
    )
    return optshare.to(model, engine)


def batches(count, size=16):
    rng = np.random.default_rng(1)
    return [(rng.normal(size=(size, 4)), rng.integers(0, 3, size)) for _ in range(count)]


def train(model, opt, count=5, engine="jax"):
    asarray = optshare.registry.load(engine).ops.asarray
    return [
        float(opt.step(lambda x, y: optshare.nll(model(x), y), asarray(x), asarray(y)))
        for x, y in batches(count)
    ]


def values(model):
    return [np.array(box.value) for box in (*optshare.params(model), *optshare.buffers(model))]


def assert_equal(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def programs(opt):
    return sum(each._cache_size() for each in opt._compiled["jax"]._programs.values())


class Counted:
    """A loss (w * x).sum() ** 2 + b.sum() ** 2 that counts its traces."""

    def __init__(self):
        self.w, self.b = Parameter(jnp.array([1.0, 2.0])), Parameter(jnp.array([3.0]))
        self.opt, self.traces = optshare.SGD([self.w, self.b], lr=0.01), 0

    def loss(self, x, scale=1.0):
        self.traces += 1
        return scale * (self.w * x).sum() ** 2 + (self.b * self.b).sum()

    def step(self, *args):
        return float(self.opt.step(self.loss, *args))


@pytest.fixture
def counted():
    return Counted()


ROW = jnp.array([1.0, 0.5])
RULES = {"adam": optshare.Adam(lr=0.1), "momentum": optshare.SGD(lr=0.1, momentum=0.9)}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_net_with_dropout_and_statistics_trains_as_on_the_tape(rule):
    mine, theirs = network(), network("tape")
    opt, reference = optshare.Optimizer(mine, rule), optshare.Optimizer(theirs, rule)
    assert_equal(train(mine, opt, 8), train(theirs, reference, 8, "tape"))
    assert_equal(values(mine), values(theirs))
    assert mine.layers[1].calls.value == 8
    assert programs(opt) == 1


def test_each_step_has_a_new_mask_and_it_is_the_tapes():
    found = {}
    for engine in ("jax", "tape"):
        p, layer = Parameter(np.ones(40)), optshare.Dropout(0.5, seed=7)
        optshare.to([p], engine)
        opt = optshare.SGD([p], lr=1.0)
        seen = [np.array(p.value)]
        for _ in range(3):
            opt.step(lambda p=p, layer=layer: layer(p.value).sum())
            seen.append(np.array(p.value))
        found[engine] = [before - after for before, after in itertools.pairwise(seen)]
        assert int(layer.calls.value) == 3
    np.testing.assert_array_equal(found["jax"], found["tape"])
    assert not np.array_equal(found["jax"][0], found["jax"][1])
    assert set(np.unique(found["jax"])) == {0.0, 2.0}


def test_many_steps_trace_once_and_compile_once(counted):
    losses = [counted.step(ROW * i) for i in range(10)]
    assert counted.traces == 1
    assert programs(counted.opt) == 1
    w, b = np.array([1.0, 2.0]), np.array([3.0])
    for i, loss in enumerate(losses):
        x = np.array([1.0, 0.5]) * i
        np.testing.assert_allclose(loss, (w * x).sum() ** 2 + (b * b).sum(), rtol=1e-12)
        w, b = w - 0.02 * (w * x).sum() * x, b - 0.02 * b


def test_a_lambda_made_anew_for_each_step_is_not_traced_again(counted):
    for i in range(5):
        counted.opt.step(lambda x: counted.loss(x), ROW + i)
    assert counted.traces == 1


def test_a_last_batch_of_another_shape_is_one_more_trace():
    traces = []
    p = Parameter(jnp.array([2.0]))
    opt = optshare.SGD([p], lr=0.1)

    def loss(x):
        traces.append(x.shape)
        return (p * x).mean()

    for _ in range(3):
        for size in (4, 4, 3):
            opt.step(loss, jnp.ones(size))
    assert traces == [(4,), (3,)]
    np.testing.assert_allclose(p.value, [2.0 - 9 * 0.1], rtol=1e-12)


def test_another_learning_rate_is_no_other_trace(counted):
    counted.step(ROW)
    counted.opt.adjust(lr=0.5)
    before = float(counted.b.value[0])
    counted.step(ROW)
    assert counted.traces == 1
    np.testing.assert_allclose(counted.b.value, [before - 0.5 * 2 * before], rtol=1e-12)


def test_freezing_traces_once_more_and_thawing_does_not(counted):
    counted.step(ROW)
    optshare.freeze(counted.w)
    kept = np.array(counted.w.value)
    counted.step(ROW), counted.step(ROW)
    assert counted.traces == 2
    np.testing.assert_array_equal(counted.w.value, kept)
    optshare.thaw(counted.w)
    counted.step(ROW)
    assert counted.traces == 2
    assert not np.array_equal(counted.w.value, kept)


def test_a_value_given_to_a_frozen_parameter_is_used_by_the_next_step(counted):
    optshare.freeze(counted.w)
    counted.step(ROW)
    traces = counted.traces
    counted.w.value = jnp.array([10.0, 20.0])
    b = float(counted.b.value[0])
    np.testing.assert_allclose(counted.step(ROW), 20.0**2 + b * b, rtol=1e-12)
    assert counted.traces == traces
    assert counted.w.value.tolist() == [10.0, 20.0]


def test_a_parameter_at_two_places_gets_the_sum_of_both_gradients():
    p = Parameter(jnp.array([1.0, 2.0]))
    opt = optshare.SGD({"a": p, "b": [p]}, lr=0.5)
    model = {"a": p, "b": [p]}
    opt.step(lambda x: (model["a"] * x).sum() + (3 * model["b"][0]).sum(), jnp.array([1.0, 2.0]))
    assert p.value.tolist() == [-1.0, -0.5]
    assert opt.state_for(p).t == 1


def test_a_loss_of_nan_changes_nothing(unchanged):
    model = network()
    opt = optshare.Adam(model, lr=0.1)
    train(model, opt, 2)
    bad = jnp.full((16, 4), jnp.nan), jnp.zeros(16, int)
    with unchanged(model, opt), pytest.raises(NonFiniteLossError, match="nan at step 3"):
        opt.step(lambda x, y: optshare.nll(model(x), y), *bad)


@pytest.mark.parametrize("new", [jnp.array([5.0]), np.array([5.0]), [5.0]], ids=type)
def test_a_value_given_between_steps_is_used(counted, new):
    counted.step(ROW)
    counted.b.value = new
    w = np.array(counted.w.value)
    np.testing.assert_allclose(counted.step(ROW), (w * np.array(ROW)).sum() ** 2 + 25.0, rtol=1e-12)
    np.testing.assert_allclose(counted.b.value, [4.9], rtol=1e-12)


def test_another_shape_or_dtype_of_a_parameter_is_traced_again(counted):
    counted.step(ROW)
    counted.b.migrate(jnp.array([1.0, 1.0, 1.0]))
    w = np.array(counted.w.value)
    np.testing.assert_allclose(counted.step(ROW), (w * ROW).sum() ** 2 + 3, rtol=1e-12)
    counted.b.migrate(jnp.array([2.0], jnp.float32))
    counted.step(ROW)
    assert counted.traces == 3
    assert counted.b.dtype == np.float32
    np.testing.assert_allclose(counted.b.value, [2 - 0.04], rtol=1e-6)


def test_another_shape_of_a_frozen_parameter_or_a_buffer_is_traced_again():
    p, q, r = Parameter(jnp.ones(2)), Parameter(jnp.ones(2)), Buffer(jnp.ones(2))
    optshare.freeze(q)
    opt = optshare.SGD([p, q], lr=0.5)
    assert opt.step(lambda: p.value.sum() * (q.value.sum() + r.value.sum())) == 8.0
    q.migrate(jnp.ones(3)), r.migrate(jnp.ones(5, jnp.float32))
    assert opt.step(lambda: p.value.sum() * (q.value.sum() + r.value.sum())) == -16.0


def test_numbers_as_arguments_are_inputs_and_other_objects_are_not(counted):
    for scale in (1.0, 2.5, -3.0):
        w, b = np.array(counted.w.value), np.array(counted.b.value)
        expected = scale * (w * np.array(ROW)).sum() ** 2 + (b * b).sum()
        np.testing.assert_allclose(counted.step(ROW, scale), expected, rtol=1e-12)
    assert counted.traces == 1

    def loss(x, mode, double, thing):
        counted.traces += 1
        sign = {"up": 1, "down": -1}[mode] * (2 if double else 1) * (1 if thing is None else 7)
        return sign * (counted.w * x).sum()

    counted.opt.adjust(lr=1e-9)
    total, counted.traces = (np.array(counted.w.value) * np.array(ROW)).sum(), 0
    for mode, double, thing, sign in [
        ("up", True, None, 2), ("down", True, None, -2), ("up", False, "x", 7), ("up", False, 3, 7)
    ] * 2:  # fmt: skip
        found = counted.opt.step(loss, ROW, mode, double, thing)
        np.testing.assert_allclose(found, sign * total, rtol=1e-6)
    assert counted.traces == 4


def test_a_number_may_come_as_float_scalar_or_array(counted):
    optshare.freeze(counted.w)
    for scale in (2.0, np.float64(2), jnp.array(2.0), jnp.float32(2), 2, np.array(2.0)) * 2:
        b = float(counted.b.value[0])
        np.testing.assert_allclose(counted.step(ROW, scale), 2 * 4 + b * b, rtol=1e-12)


def test_two_optimizers_in_two_threads_or_in_turns_do_not_disturb_each_other():
    rates = 0.1, 0.01
    alone, models = [network() for _ in rates], [network() for _ in rates]
    references = [optshare.Adam(m, lr=lr) for m, lr in zip(alone, rates, strict=True)]
    opts = [optshare.Adam(m, lr=lr) for m, lr in zip(models, rates, strict=True)]
    wanted = [train(*pair, 10) for pair in zip(alone, references, strict=True)]
    found, barrier = {}, threading.Barrier(2)

    def work(place):
        barrier.wait()
        found[place] = train(models[place], opts[place], 10)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [found[0], found[1]] == wanted
    for x, y in batches(3):
        for model, opt in zip(models, opts, strict=True):
            opt.step(lambda x, y, m=model: optshare.nll(m(x), y), x, y)
    for pair in zip(alone, references, strict=True):
        train(*pair, 3)
    assert_equal(values(alone[0]) + values(alone[1]), values(models[0]) + values(models[1]))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deep", "pickle"]
)
def test_a_copy_goes_on_with_the_same_numbers(copied):
    model = network()
    opt = optshare.Adam(model, lr=0.1)
    train(model, opt, 3)
    twin, follower = copied((model, opt))
    assert [type(p.value) for p in optshare.params(twin)] == [type(jnp.ones(1))] * 5
    assert train(twin, follower) == train(model, opt)
    np.testing.assert_equal(values(twin), values(model))
    assert follower.steps == 8


def test_a_compiled_prediction_has_the_current_weights_and_no_dropout():
    calls = []

    class Watched(optshare.Chain):
        def __call__(self, x):
            calls.append(x.shape)
            return super().__call__(x)

    model = Watched(*network().layers)
    predict, x = optshare_jax.jit(model), jnp.array(batches(1)[0][0])
    opt = optshare.Adam(model, lr=0.1)
    for _ in range(3):
        before = model.layers[1].calls.value
        np.testing.assert_allclose(predict(x), model(x), rtol=1e-12)
        assert model.layers[1].calls.value == before
        train(model, opt, 2)
        calls.append("trained")
        traced = len(calls)
        np.testing.assert_allclose(predict(x), predict(x), rtol=0)
        assert len(calls) == traced


def test_a_compiled_prediction_can_be_differentiated_and_mapped_by_jax():
    model = network()
    predict, x = optshare_jax.jit(model), jnp.array(batches(1)[0][0])
    mapped = jax.vmap(predict)(x)
    np.testing.assert_allclose(mapped, model(x), rtol=1e-12)
    slope = jax.grad(lambda x: predict(x).sum())(x)
    np.testing.assert_allclose(slope, jax.grad(lambda x: model(x).sum())(x), rtol=1e-12)
    step = 1e-6 * jnp.ones_like(x)
    change = (predict(x + step) - predict(x - step)).sum()
    np.testing.assert_allclose(change, 2e-6 * slope.sum(), rtol=1e-7)
