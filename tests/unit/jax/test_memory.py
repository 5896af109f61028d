"""Where the numbers lie: what is shared, what is copied, and what is let go of."""

import gc
import tracemalloc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import optshare
import optshare_jax
from optshare import Parameter
from optshare_jax.backend import backend

MANY = 1_000_000
"""So many single-precision numbers take 4 MB."""


def parameter(engine="jax", size=MANY, dtype=np.float32):
    return optshare.to([Parameter(np.ones(size, dtype))], engine)[0]


def address(array):
    if isinstance(array, jax.Array):
        return array.unsafe_buffer_pointer()
    return array.data_ptr() if isinstance(array, torch.Tensor) else array.ctypes.data


def peak(action):
    """The most that NumPy and Python allocated during an action."""
    gc.collect()
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_parameters_and_gradients_are_seen_in_their_own_memory():
    p = parameter(size=100)
    g = optshare.gradient(lambda: (p * p).sum(), wrt=p)[p]
    for array in (p.value, g):
        view = backend.host_view(array)
        assert view.ctypes.data == address(array)
        assert not view.flags.writeable
        np.testing.assert_array_equal(view, array)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_new_value_is_the_memory_that_the_kernel_wrote(monkeypatch, dtype):
    p, seen = parameter(size=(30, 7), dtype=dtype), []
    adopt = backend.adopt
    monkeypatch.setattr(backend, "adopt", lambda view: seen.append(view) or adopt(view))
    opt = optshare.SGD([p], lr=0.5)
    opt.step(lambda: p.value.sum())
    assert [view.ctypes.data for view in seen] == [address(p.value)]
    assert p.dtype == dtype
    np.testing.assert_array_equal(p.value, np.full((30, 7), 0.5, dtype))


def test_the_gradient_reaches_the_kernel_without_a_copy(monkeypatch):
    p, seen = parameter(size=50), []
    look = backend.host_view
    monkeypatch.setattr(
        backend, "host_view", lambda array: seen.append((array, look(array))) or seen[-1][1]
    )
    g = jnp.ones(50, jnp.float32)
    optshare.SGD([p], lr=0.5).update(p, g)
    views = {address(array): view.ctypes.data for array, view in seen}
    assert views[address(g)] == address(g)
    np.testing.assert_array_equal(p.value, np.full(50, 0.5))


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_state_lies_in_numpys_memory_and_stays_the_same_object_when_moving(engine):
    p = parameter(engine, size=10)
    opt = optshare.Adam([p])
    opt.update(p, np.ones(10, np.float32))
    kept = dict(opt.state_for(p).arrays)
    assert {type(each) for each in kept.values()} == {np.ndarray}
    for other in ("tape", "jax", "torch", "functional", engine):
        optshare.to([p], other)
        opt.update(p, np.ones(10, np.float32))
        now = opt.state_for(p).arrays
        assert all(now[name] is kept[name] for name in kept)
    np.testing.assert_allclose(p.value, 1 - 6e-3, rtol=1e-5)


def test_a_value_that_the_user_kept_never_changes():
    p = parameter(size=5)
    opt, kept = optshare.Adam([p], lr=0.5), []
    for _ in range(4):
        kept.append(p.value)
        opt.step(lambda: (p * p).sum())
    gc.collect()
    assert len({address(each) for each in kept}) == 4
    np.testing.assert_array_equal(kept[0], np.ones(5))
    np.testing.assert_allclose(kept[1], np.full(5, 0.5), rtol=1e-6)


def test_an_array_of_numpy_given_as_a_value_is_copied():
    given = np.ones(64, np.float32)
    p = Parameter(jnp.zeros(64, jnp.float32))
    p.value = given
    optshare.SGD([p], lr=0.5).step(lambda x: (p * x).sum(), jnp.ones(64, jnp.float32))
    np.testing.assert_array_equal(given, np.ones(64))
    given[:] = 7
    np.testing.assert_array_equal(p.value, np.full(64, 0.5))


GRADIENTS = {
    "tape": lambda: np.ones(MANY, np.float32),
    "torch": lambda: torch.ones(MANY),
    "jax": lambda: jnp.ones(MANY, jnp.float32),
}
RULES = {"sgd": optshare.SGD(lr=0.1), "adam": optshare.Adam(lr=0.1)}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("engine", GRADIENTS)
def test_an_update_allocates_one_new_value_on_jax_and_none_elsewhere(engine, rule, monkeypatch):
    monkeypatch.setenv("OPTSHARE_KERNEL", "numpy")  # importing numba takes memory of its own
    p, g = parameter(engine), GRADIENTS[engine]()
    opt = optshare.Optimizer([p], rule)
    opt.update(p, g)
    bound = 1.5 if engine == "jax" else 0.3
    assert peak(lambda: opt.update(p, g)) < bound * 4 * MANY


@pytest.mark.parametrize("engine", ["tape", "torch"])
def test_a_gradient_of_another_engine_costs_no_copy_on_jax(engine):
    p = parameter()
    opt, g = optshare.SGD([p], lr=0.1), GRADIENTS[engine]()
    if engine == "torch":
        g = g.numpy()
    opt.update(p, g)
    assert peak(lambda: opt.update(p, g)) < 1.5 * 4 * MANY


def test_memory_does_not_grow_from_step_to_step():
    p = parameter(size=100_000)
    opt, x = optshare.Adam([p], lr=0.01), jnp.ones(100_000, jnp.float32)

    def steps(count):
        for _ in range(count):
            opt.step(lambda x: (p * x).sum() ** 2, x)

    steps(3)
    gc.collect()
    tracemalloc.start()
    steps(3)
    gc.collect()
    arrays, before = len(jax.live_arrays()), tracemalloc.get_traced_memory()[0]
    steps(50)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(jax.live_arrays()) == arrays
    assert grown < p.stored.nbytes / 4


@pytest.mark.filterwarnings("ignore::optshare_jax.CapturedArrayWarning")
def test_captured_batches_are_let_go_of():
    p = parameter(size=10)
    opt = optshare.SGD([p], lr=0.01)

    def step():
        batch = jnp.ones(10, jnp.float32)
        opt.step(lambda: (p * batch).sum())

    step(), step()
    gc.collect()
    before = len(jax.live_arrays())
    for _ in range(20):
        step()
    gc.collect()
    assert len(jax.live_arrays()) == before


def test_the_arguments_of_a_step_are_let_go_of():
    p = parameter(size=10)
    opt, x = optshare.SGD([p], lr=0.01), jnp.ones(10, jnp.float32)
    opt.step(lambda x: (p * x).sum(), x)
    gone = weakref.ref(x)
    del x
    gc.collect()
    assert gone() is None


def test_a_model_and_an_optimizer_that_are_dropped_are_freed():
    model = optshare.to(optshare.Chain(optshare.Dense(3, 4), optshare.Dense(4, 1)), "jax")
    opt = optshare.Adam(model)
    x = jnp.ones((2, 3), jnp.float32)
    opt.step(lambda x, model=model: model(x).sum(), x)
    optshare.gradient(lambda x, model=model: model(x).sum(), x, wrt=model)
    parts = (model, opt, *optshare.params(model), opt.state_for(model.layers[0].weight).exp_avg)
    gone = [weakref.ref(each) for each in parts]
    arrays = [weakref.ref(each.value) for each in optshare.params(model)]
    del model, opt, parts
    gc.collect()
    assert [each() for each in gone + arrays] == [None] * len(gone + arrays)


def test_a_prediction_lets_go_of_its_model():
    model = optshare.to(optshare.Dense(3, 4), "jax")
    predict = optshare_jax.jit(model)
    predict(jnp.ones((2, 3), jnp.float32))
    gone = weakref.ref(model)
    del model, predict
    gc.collect()
    assert gone() is None


def test_bfloat16_trains_with_the_functions_of_jax_and_state_in_single_precision():
    model = optshare.to(optshare.Dense(2, 1, dtype=np.float32), "jax", dtype="bfloat16")
    model.weight.value = jnp.array([[2.0], [-1.0]], jnp.bfloat16)
    opt = optshare.Adam(model, lr=0.5)
    x, y = jnp.ones((3, 2), jnp.bfloat16), jnp.zeros((3, 1), jnp.bfloat16)
    assert opt.step(lambda x, y: optshare.mse(model(x), y), x, y) == 1.0
    assert backend.host_view(model.weight.value) is None
    assert isinstance(opt.state_for(model.weight).exp_avg, jax.Array)
    assert model.weight.dtype == jnp.bfloat16
    assert model.weight.value.tolist() == [[1.5], [-1.5]]
    assert opt.state_for(model.weight).exp_avg.dtype == np.float32
    np.testing.assert_allclose(opt.state_for(model.weight).exp_avg, [[0.2], [0.2]], rtol=1e-6)
