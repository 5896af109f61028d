"""Many JAX arrays in one update: the same bits, old arrays as they were, memory used again."""

import gc
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare
from optshare import Optimizer, OptimizerChain
from optshare.rules import SGD, Adam
from optshare.transforms import ClipGlobalNorm
from tests.unit.batches.one_by_one import assert_same_bits, batches_of, counted, picture

RUNNERS = ["Compiled", "Blocked"]
SHAPES = [(3, 5), (), (0,), (20_000,), (7,), (1,), (130, 140), (64,)]
"""Small ones, and two that have memory of their own."""
every_runner = pytest.mark.parametrize("runner", RUNNERS)


def arrays(shapes=SHAPES, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.normal(size=shape).astype(dtype)) for shape in shapes]


def trained(runner, rule, steps=4, shapes=SHAPES, change=lambda opt, step: None, **options):
    """The picture of an optimizer after some steps, and the sizes of its batches."""
    with batches_of(runner), counted() as sizes:
        opt = Optimizer(arrays(shapes), rule, **options)
        for step in range(steps):
            change(opt, step)
            opt.update(arrays(shapes, seed=step + 1))
    return picture(opt, opt.tree), sizes


@every_runner
@pytest.mark.parametrize(
    "rule",
    [Adam(lr=0.1), SGD(lr=0.1), OptimizerChain(ClipGlobalNorm(0.5), SGD(lr=0.1, momentum=0.9))],
    ids=lambda rule: type(rule).__name__,
)
def test_a_batch_computes_the_bits_of_one_array_after_the_other(runner, rule):
    found, sizes = trained(runner, rule)
    assert sizes == [len(SHAPES)] * 3
    assert_same_bits(found, trained(None, rule)[0])


@every_runner
def test_many_small_arrays_are_cut_out_of_one(runner):
    shapes = [(n % 7 + 1, 3) for n in range(40)]
    found, sizes = trained(runner, Adam(lr=0.1), shapes=shapes)
    assert sizes == [40] * 3
    assert_same_bits(found, trained(None, Adam(lr=0.1), shapes=shapes)[0])


@every_runner
def test_arrays_that_somebody_holds_keep_their_numbers(runner):
    with batches_of(runner):
        opt = Optimizer(arrays(), SGD(lr=0.5))
        held = [opt.tree]
        for _ in range(5):
            opt.update(arrays(seed=1))
            held.append(opt.tree)
    start, gradient = arrays(), arrays(seed=1)
    for taken, tree in enumerate(held):
        for one, value, g in zip(tree, start, gradient, strict=True):
            np.testing.assert_allclose(one, value - 0.5 * taken * g, rtol=1e-5, atol=1e-5)


@every_runner
def test_memory_of_arrays_that_nobody_holds_is_used_again(runner):
    with batches_of(runner):
        opt = Optimizer([jnp.ones(50_000, jnp.float32)], SGD(lr=0.5))
        places = set()
        for _ in range(12):
            opt.update([jnp.ones(50_000, jnp.float32)])
            places.add(opt.tree[0].unsafe_buffer_pointer())
    assert len(places) <= 4


@every_runner
def test_a_step_takes_no_more_than_one_copy_of_the_parameters(runner):
    size = 3_000_000
    with batches_of(runner):
        opt = Optimizer([jnp.ones(size, jnp.float32)], Adam(lr=0.5))
        gradient = [jnp.ones(size, jnp.float32)]
        for _ in range(3):
            opt.update(gradient)
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(3):
                opt.update(gradient)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak - before <= 4 * size + 4_000_000


@every_runner
def test_arrays_that_the_caller_puts_in_place_are_taken_up(runner):
    def change(opt, step):
        if step == 2:
            opt.tree[3] = jnp.full(20_000, 2.0, jnp.float32)
            opt.tree[0] = jnp.ones((3, 5), jnp.float32)

    found, sizes = trained(runner, Adam(lr=0.1), change=change)
    assert sizes == [len(SHAPES)] * 3
    assert_same_bits(found, trained(None, Adam(lr=0.1), change=change)[0])


@every_runner
def test_a_donated_array_is_not_read(runner):
    with batches_of(runner):
        opt = Optimizer(arrays(), SGD(lr=0.5))
        for _ in range(3):
            opt.update(arrays(seed=1))
        opt.tree[3].delete()
        with pytest.raises(RuntimeError, match="deleted"):
            opt.update(arrays(seed=1))


@every_runner
def test_a_gradient_that_is_not_finite_changes_nothing(runner):
    with batches_of(runner):
        opt = Optimizer(arrays(), Adam(lr=0.5))
        for _ in range(2):
            opt.update(arrays(seed=1))
        before = picture(opt, opt.tree)
        gradients = arrays(seed=1)
        gradients[4] = gradients[4].at[2].set(jnp.nan)
        with pytest.raises(optshare.errors.NonFiniteGradientError, match="'4'"):
            opt.update(gradients)
        assert_same_bits(picture(opt, opt.tree), before)


def test_values_that_lie_in_another_order_are_updated_by_themselves():
    with batches_of("Blocked"):
        opt = Optimizer([jnp.ones((2, 3))], SGD(lr=0.5))
        for _ in range(3):
            opt.update([jnp.ones((3, 2)).T])
    np.testing.assert_array_equal(opt.tree[0], np.full((2, 3), -0.5))


def test_parameters_on_jax_take_part_as_arrays_do():
    with batches_of("Blocked"), counted() as sizes:
        model = optshare.to(optshare.Chain(optshare.Dense(4, 3), optshare.Dense(3, 2)), "jax")
        opt = optshare.Adam(model)
        for _ in range(3):
            opt.step(lambda: (model(jnp.ones((2, 4))) ** 2).sum())
    assert sizes == [4, 4]
    assert all(isinstance(p.value, jax.Array) for p in optshare.params(model))
