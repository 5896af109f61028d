import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare import Parameter, Rule
from optshare.kernels import numpy as kernel
from optshare.kernels.expression import maximum, minimum, sign, sqrt, where
from optshare.kernels.program import program_of
from optshare.kernels.reference import evaluate
from optshare_arrays import ops
from tests.unit.rules.cases import CASES, made

# -- strangers' rules --------------------------------------------------------------------------


def rule(step, *states):
    """A rule of a step function, with these states."""

    class Made(Rule):
        lr: float = 0.1

        def state_names(self):
            return states

        def step(self, value, gradient, state, t):
            return step(self.lr, value, gradient, state, t)

    return Made()


def swap(lr, p, g, s, t):
    return {"a": s["b"], "b": s["a"] + g}, lr * s["a"]


def swap_bare(lr, p, g, s, t):
    return {"a": s["b"] + 0.0 * g, "b": s["a"]}, s["a"]


def rotate(lr, p, g, s, t):
    return {"a": s["b"], "b": s["c"], "c": g}, lr * s["a"]


def lion(lr, p, g, s, t):
    m = s["m"]
    return {"m": 0.99 * m + 0.01 * g}, lr * (sign(0.9 * m + 0.1 * g) + 0.1 * p)


def amsgrad(lr, p, g, s, t):
    v = 0.999 * s["v"] + 0.001 * g * g
    top = maximum(s["top"], v)
    return {"v": v, "top": top}, lr * g / (sqrt(top) + 1e-8)


def rprop(lr, p, g, s, t):
    agree = s["g"] * g
    size = where(agree > 0, s["size"] * 1.2, where(agree < 0, s["size"] * 0.5, s["size"]))
    size = minimum(maximum(size, 1e-6), 50.0)
    return {"g": where(agree < 0, 0.0 * g, g), "size": size}, sign(g) * size


CUSTOM = {
    "delayed": rule(lambda lr, p, g, s, t: ({"g": g}, lr * s["g"]), "g"),
    "delayed and bare": rule(lambda lr, p, g, s, t: ({"g": g}, s["g"]), "g"),
    "the new state is the step": rule(lambda lr, p, g, s, t: ({"m": s["m"] + g}, s["m"] + g), "m"),
    "the state stays": rule(lambda lr, p, g, s, t: ({"m": s["m"]}, lr * (g + s["m"])), "m"),
    "the state is the value": rule(lambda lr, p, g, s, t: ({"p": p}, lr * (p - s["p"] + g)), "p"),
    "two states of one result": rule(
        lambda lr, p, g, s, t: ({"a": s["a"] + g, "b": s["a"] + g}, lr * s["b"]), "a", "b"
    ),
    "swap": rule(swap, "a", "b"),
    "swap and bare": rule(swap_bare, "a", "b"),
    "rotate": rule(rotate, "a", "b", "c"),
    "where keeps the state": rule(
        lambda lr, p, g, s, t: ({"m": where(g > 0, s["m"], g)}, lr * g), "m"
    ),
    "where replaces the state": rule(
        lambda lr, p, g, s, t: ({"m": where(g > 0, g, s["m"])}, lr * s["m"]), "m"
    ),
    "where of the state on both sides": rule(
        lambda lr, p, g, s, t: ({"m": where(s["m"] > g, s["m"], -s["m"]) + g}, lr * g), "m"
    ),
    "where of numbers": rule(lambda lr, p, g, s, t: ({}, where(g > 0, 0.5, -0.25) * g)),
    "where of a step count": rule(lambda lr, p, g, s, t: ({}, where(t > 2, lr * g, 0.5 * g))),
    "a warm-up of scalars": rule(lambda lr, p, g, s, t: ({}, where(t > 2, lr, 0.01) * g)),
    "a minimum of scalars": rule(lambda lr, p, g, s, t: ({}, minimum(lr, lr * t / 5) * g)),
    "comparisons as numbers": rule(lambda lr, p, g, s, t: ({}, lr * (g > 0) + 0.5 * (g <= p))),
    "every comparison": rule(
        lambda lr, p, g, s, t: ({}, lr * (g < p) + 2 * (g <= p) + 3 * (g > p) + 4 * (g >= 0.0))
    ),
    "a comparison as a state": rule(
        lambda lr, p, g, s, t: ({"seen": g > 0}, lr * g * s["seen"]), "seen"
    ),
    "a comparison as the step": rule(lambda lr, p, g, s, t: ({}, g > 0)),
    "absolute values": rule(lambda lr, p, g, s, t: ({}, lr * abs(p) * sign(g) - abs(lr * g))),
    "powers": rule(lambda lr, p, g, s, t: ({}, lr * abs(g) ** 0.5 + g**2 + 2.0**g)),
    "negation": rule(lambda lr, p, g, s, t: ({"m": -s["m"] - g}, -lr * -g), "m"),
    "clip": rule(lambda lr, p, g, s, t: ({}, lr * maximum(minimum(g, 0.5), -0.5))),
    "the bare gradient": rule(lambda lr, p, g, s, t: ({}, g)),
    "the bare value": rule(lambda lr, p, g, s, t: ({}, p)),
    "a scalar": rule(lambda lr, p, g, s, t: ({}, lr)),
    "a number": rule(lambda lr, p, g, s, t: ({}, 0.25)),
    "many temporaries": rule(
        lambda lr, p, g, s, t: (
            {"m": (g + p) * (g - p) / ((g * p) * (p * p) + 2.0)},
            lr * ((g + 1.0) * (p + 2.0) - (g + 3.0) * (p + 4.0)) * s["m"],
        ),
        "m",
    ),
    "lion": rule(lion, "m"),
    "amsgrad": rule(amsgrad, "v", "top"),
    "rprop": rule(rprop, "g", "size"),
}

BUNDLED = {
    "sgd": optshare.SGD(lr=0.1, weight_decay=0.1),
    **{f"bundled {case}": made(case, lr=0.1) for case in CASES},
    "adam": optshare.Adam(lr=0.1, weight_decay=0.1),
    "adamw": optshare.AdamW(lr=0.1),
}

RULES = CUSTOM | BUNDLED
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


# -- the three ways to compute a step ----------------------------------------------------------


def start(rule, shape, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    working = np.float32 if dtype == np.float16 else dtype
    value = np.array(rng.normal(size=shape), dtype)
    names = rule.state_names()  # what is positive fits first and second moments alike
    state = {name: np.array(np.abs(rng.normal(size=shape)), working) for name in names}
    return value, state, working


def numbers(rule):
    return dict.fromkeys(rule.scalar_names(), 0.75)


def gradients(shape, dtype=np.float64, steps=4):
    """Random, with some zeros and some equal neighbours."""
    rng = np.random.default_rng(1)
    for _ in range(steps):
        yield np.array(np.round(rng.normal(size=shape), 1), dtype)


def by_kernel(rule, value, gradient, state, t, working):
    program = program_of(rule)
    kernel.apply(program, value, gradient, state, program.host(rule, t, numbers(rule)), working)


def by_reference(rule, value, gradient, state, t, working):
    program = program_of(rule)
    ops = optshare.namespace_of(value)
    scalars = program.host(rule, t, numbers(rule))
    return evaluate(program, ops, value, gradient, state, scalars, working)


def by_hand(rule, value, gradient, state, t):
    new, step = rule.step(value, gradient, state | numbers(rule), t)
    new = {name: np.array(new[name], value.dtype) for name in rule.state_names()}
    return new, value - step


@every_rule
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 5)])
def test_the_kernel_is_the_rule_on_arrays(rule, shape):
    value, state, working = start(rule, shape)
    wanted = value.copy()
    kept = {name: each.copy() for name, each in state.items()}
    for t, g in enumerate(gradients(shape), 1):
        kept, wanted = by_hand(rule, wanted, g, kept, t)
        by_kernel(rule, value, g, state, t, working)
        np.testing.assert_array_equal(value, wanted)
        np.testing.assert_equal(state, kept)


@every_rule
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_kernel_is_the_reference_in_every_dtype(rule, dtype):
    value, state, working = start(rule, (41,), dtype)
    wanted = value.copy()
    kept = {name: each.copy() for name, each in state.items()}
    for t, g in enumerate(gradients((41,), dtype), 1):
        with np.errstate(over="ignore", invalid="ignore"):  # a step too long
            kept, wanted = by_reference(rule, wanted, g, kept, t, working)
            by_kernel(rule, value, g, state, t, working)
        np.testing.assert_array_equal(value, wanted, strict=True)
        for name, each in state.items():
            np.testing.assert_array_equal(each, kept[name], strict=True)


@every_rule
def test_the_reference_is_the_rule_on_arrays(rule):
    value, state, working = start(rule, (7,))
    for t, g in enumerate(gradients((7,)), 1):
        new, wanted = by_hand(rule, value, g, state, t)
        state, value = by_reference(rule, value, g, state, t, working)
        np.testing.assert_array_equal(value, wanted, strict=True)
        np.testing.assert_equal({name: state[name] for name in new}, new)


@every_rule
def test_the_reference_runs_on_the_ops_of_torch(rule):
    value, state, working = start(rule, (7,))
    tensor, held = torch.tensor(value), {name: torch.tensor(each) for name, each in state.items()}
    for t, g in enumerate(gradients((7,)), 1):
        held, tensor = by_reference(rule, tensor, torch.tensor(g), held, t, torch.float64)
        state, value = by_reference(rule, value, g, state, t, working)
        np.testing.assert_allclose(tensor.numpy(), value, rtol=1e-14, atol=1e-14)
        for name, each in state.items():
            np.testing.assert_allclose(held[name].numpy(), each, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("rule", [BUNDLED["adamw"], CUSTOM["swap"]], ids=["adamw", "swap"])
def test_the_reference_writes_into_nothing(rule):
    value, state, working = start(rule, (5,))
    g = np.ones(5)
    kept = value.copy(), {name: each.copy() for name, each in state.items()}
    by_reference(rule, value, g, state, 1, working)
    np.testing.assert_array_equal(value, kept[0])
    np.testing.assert_equal(state, kept[1])
    assert g.tolist() == [1.0] * 5


# -- layouts and blocks ------------------------------------------------------------------------

LAYOUTS = {
    "C": lambda a: a.copy("C"),
    "Fortran": lambda a: a.copy("F"),
    "every second": lambda a: np.repeat(a, 2, 0)[::2],
    "reversed": lambda a: a[::-1].copy()[::-1],
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "inner gap": lambda a: np.concatenate([a, a], -1)[..., : a.shape[-1]],
}


@pytest.mark.parametrize("rule", [BUNDLED["adam"], CUSTOM["rprop"]], ids=["adam", "rprop"])
@pytest.mark.parametrize("of_value", LAYOUTS)
@pytest.mark.parametrize("of_gradient", LAYOUTS)
@pytest.mark.parametrize("block", [8, 64, 200, 10**6])
def test_layouts_and_blocks_change_no_number(rule, of_value, of_gradient, block, monkeypatch):
    shape = (5, 3, 7)
    value, state, working = start(rule, shape)
    (g,) = gradients(shape, steps=1)
    kept, wanted = by_hand(rule, value, g, state, 1)
    monkeypatch.setattr(kernel, "BLOCK_BYTES", block)
    laid = LAYOUTS[of_value](value)
    held = {name: LAYOUTS[of_value](each) for name, each in state.items()}
    by_kernel(rule, laid, LAYOUTS[of_gradient](g), held, 1, working)
    np.testing.assert_array_equal(laid, wanted)
    np.testing.assert_equal(held, kept)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(RULES)),
    shape=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    block=st.sampled_from([8, 40, 104, 2**19]),
    t=st.integers(1, 10**6),
    order=st.sampled_from("CF"),
)
def test_the_kernel_is_the_reference_for_any_shape_dtype_block_and_step(
    name, shape, dtype, block, t, order
):
    rule = RULES[name]
    value, state, working = start(rule, shape, dtype)
    value = value.copy(order)
    (g,) = gradients(shape, dtype, steps=1)
    with np.errstate(all="ignore"):
        kept, wanted = by_reference(rule, value, g, state, t, working)
        before = kernel.BLOCK_BYTES
        kernel.BLOCK_BYTES = block
        try:
            by_kernel(rule, value, g, state, t, working)
        finally:
            kernel.BLOCK_BYTES = before
    np.testing.assert_array_equal(value, wanted, strict=True)
    for each, array in state.items():
        np.testing.assert_array_equal(array, kept[each], strict=True)


@pytest.mark.parametrize("size", [1, 2, 3, 63, 64, 65, 127, 129, 1000])
def test_sizes_around_a_block_are_updated_to_the_last_element(size, monkeypatch):
    monkeypatch.setattr(kernel, "BLOCK_BYTES", 64 * 8)
    rule = BUNDLED["adam"]
    value, state, working = start(rule, (size,))
    (g,) = gradients((size,), steps=1)
    kept, wanted = by_hand(rule, value, g, state, 1)
    by_kernel(rule, value, g, state, 1, working)
    np.testing.assert_array_equal(value, wanted)
    np.testing.assert_equal(state, kept)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 4), ()])
def test_empty_and_scalar_arrays_are_updated(shape):
    p = Parameter(np.ones(shape))
    opt = optshare.Adam([p], lr=0.5)
    opt.update(p, np.ones(shape))
    assert opt.state_for(p).t == 1
    np.testing.assert_allclose(p.value, np.full(shape, 0.5), rtol=1e-7)
    assert type(p.value) is np.ndarray


# -- in place ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", BUNDLED.values(), ids=BUNDLED)
def test_value_and_state_are_written_in_place(rule):
    p = Parameter(np.ones(5))
    opt = optshare.Optimizer([p], rule)
    opt.update(p, np.ones(5))
    value, arrays = p.value, dict(opt.state_for(p).arrays)
    opt.update(p, np.ones(5))
    assert p.value is value
    assert all(opt.state_for(p).arrays[name] is each for name, each in arrays.items())


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_state_arrays_share_memory_with_nothing(rule):
    p, g = Parameter(np.ones(5)), np.full(5, 2.0)
    opt = optshare.Optimizer([p], rule)
    opt.update(p, g)
    arrays = [p.value, g, *opt.state_for(p).arrays.values()]
    for i, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[i + 1 :])


@pytest.mark.parametrize("block", [16, 10**6])
def test_a_parameter_may_be_its_own_gradient(block, monkeypatch):
    monkeypatch.setattr(kernel, "BLOCK_BYTES", block)
    p, q = Parameter(np.arange(1.0, 8.0)), Parameter(np.arange(1.0, 8.0))
    for parameter, g in ((p, p.value), (q, q.value.copy())):
        optshare.SGD([parameter], lr=0.5, momentum=0.9).update(parameter, g)
    assert p.value.tolist() == q.value.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]


def test_half_precision_is_computed_in_single_precision():
    p = Parameter(np.ones(1, np.float16))
    opt = optshare.SGD([p], lr=1.0, momentum=0.5)
    for _ in range(2):
        opt.update(p, np.full(1, 2.0**-13))
    # half the smallest step below 1 would be lost in float16; the buffer kept it exactly
    assert opt.state_for(p).momentum_buffer.tolist() == [1.5 * 2.0**-13]
    assert opt.state_for(p).momentum_buffer.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint64])
@pytest.mark.parametrize("of_parameter", [np.float16, np.float32, np.float64])
def test_gradients_of_any_real_dtype_are_converted(dtype, of_parameter):
    p = Parameter(np.full(3, 4.0), of_parameter)
    optshare.SGD([p], lr=0.5).update(p, np.array([0, 2, 4], dtype))
    assert p.value.tolist() == [4.0, 3.0, 2.0]
    assert p.dtype == of_parameter


def test_nan_and_infinite_gradients_pass_without_a_warning():
    p = Parameter(np.ones(3))
    opt = optshare.Optimizer([p], optshare.Adam(lr=0.5), nonfinite="propagate")
    opt.update(p, np.array([np.nan, np.inf, 1.0]))
    assert np.isnan(p.value[:2]).all()
    np.testing.assert_allclose(p.value[2], 0.5, rtol=1e-7)


# -- memory and threads ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("face", "options", "states", "dtype"),
    [
        (optshare.SGD, {}, 0, np.float32),
        (optshare.Adam, {}, 2, np.float32),
        (optshare.AdamW, {}, 2, np.float16),
    ],
)
def test_a_step_needs_at_most_four_megabytes_beyond_the_state(
    face, options, states, dtype, monkeypatch
):
    monkeypatch.setenv("OPTSHARE_KERNEL", "numpy")  # importing numba takes memory of its own
    size = 10_000_000
    p, g = Parameter(np.ones(size, dtype)), np.ones(size, dtype)
    opt = face([p], lr=0.5, **options)
    tracemalloc.start()
    try:
        opt.update(p, g)
        _, first = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        opt.update(p, g)
        _, second = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert first <= states * 4 * size + 4e6
    assert second - before <= 4e6


def test_a_rule_of_comparisons_needs_no_more_memory():
    size = 2_000_000
    p, g = Parameter(np.ones(size)), np.ones(size)
    opt = optshare.Optimizer([p], CUSTOM["rprop"])
    opt.update(p, g)
    tracemalloc.start()
    try:
        opt.update(p, g)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 8e6


def test_large_and_small_parameters_take_turns_in_one_scratch():
    sizes = [5, 100_000, 1, 70_001, 0, 100_000]
    together = [Parameter(np.arange(n, dtype=float)) for n in sizes]
    opt = optshare.Adam(together, lr=0.5)
    for _ in range(2):
        opt.update([np.cos(np.arange(n)) for n in sizes])
    for n, p in zip(sizes, together, strict=True):
        alone = Parameter(np.arange(n, dtype=float))
        own = optshare.Adam([alone], lr=0.5)
        for _ in range(2):
            own.update(alone, np.cos(np.arange(n)))
        np.testing.assert_array_equal(p.value, alone.value)


def test_two_threads_update_their_own_models_at_once():
    barrier = threading.Barrier(2, timeout=30)

    def train(seed):
        p = Parameter(np.random.default_rng(seed).normal(size=200_000))
        opt = optshare.Adam([p], lr=0.1)
        barrier.wait()
        for _ in range(10):
            opt.update(p, np.full(200_000, float(seed)))
        return p.value

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(train, seed) for seed in (1, 2)]
        found = [each.result(60) for each in both]
    barrier = threading.Barrier(1)
    for seed, value in zip((1, 2), found, strict=True):
        np.testing.assert_array_equal(value, train(seed))


class Truths(Rule):
    """Arithmetic on comparisons, which count as 0 and 1."""

    lr: float = 1.0

    def step(self, value, gradient, state, t):
        up, positive = gradient > 0, value > 0
        total = (up + positive) - (-up) + sign(up) * where(up * positive, 2.0, 0.5)
        return {}, self.lr * total


def test_truths_count_as_0_and_1_in_both_kernels():
    value, gradient = np.array([1.0, -1.0, 2.0, -2.0]), np.array([3.0, 4.0, -5.0, -6.0])
    program = program_of(Truths())
    scalars = program.host(Truths(), 1)
    _, moved = evaluate(program, ops, value, gradient, {}, scalars, np.dtype(float))
    kernel.apply(program, value, gradient, {}, scalars, np.dtype(float))
    assert value.tolist() == [1.0 - 5.0, -1.0 - 2.5, 2.0 - 1.0, -2.0]
    assert moved.tolist() == value.tolist()
