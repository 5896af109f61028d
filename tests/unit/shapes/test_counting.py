"""The operations that are counted, against counts by hand."""

import numpy as np
import pytest

from optshare.shapes import Shaped, counted, ops

X, Y = Shaped((2, 3, 4), "f4"), Shaped((2, 4, 5), "f4")
V = Shaped((4,), "f4")
IMAGE = Shaped((2, 4, 9, 8), "f4")

COUNTS = {
    # elementwise: 1 for each element of the answer
    "ops.exp(X)": 24,
    "X + V": 24,
    "X + 1": 24,
    "-X": 24,
    "X > 0": 24,
    "ops.add(X[:, :1], X[:1])": 24,
    "ops.where(X > 0, X, 0.0)": 2 * 24,
    "ops.clip(X, 0, 1)": 24,
    "np.exp(X)": 24,
    "np.ones(4) * X": 24,
    "X % 2": 24,
    "np.modf(X)": 2 * 24,
    # reductions and scans: 1 for each element that goes in
    "ops.sum(X, axis=1)": 24,
    "ops.prod(X)": 24,
    "ops.max(X, axis=(0, 1))": 24,
    "X.min()": 24,
    "ops.all(X > 0)": 2 * 24,
    "ops.any(X, axis=0)": 24,
    "ops.argmax(X, axis=0)": 24,
    "ops.argmin(X)": 24,
    "ops.cumulative_sum(X, axis=1)": 24,
    "ops.cumulative_prod(X, axis=1)": 24,
    "ops.mean(X, axis=1)": 24 + 8,
    "ops.var(X, axis=1)": 4 * 24 + 2 * 8,
    "ops.std(X, axis=1)": 4 * 24 + 3 * 8,
    "ops.logsumexp(X, axis=1)": 2 * 24 + 8,
    "ops.diff(X)": 2 * 3 * 3,
    "ops.diff(X, n=2)": 2 * 3 * 3 + 2 * 3 * 2,
    # products: 2 for each multiplication and addition
    "ops.matmul(X, Y)": 2 * (2 * 3 * 5) * 4,
    "X @ Y": 2 * (2 * 3 * 5) * 4,
    "X @ V": 2 * (2 * 3) * 4,
    "V @ Y": 2 * (2 * 5) * 4,
    "V @ V": 2 * 4,
    "ops.tensordot(X, V, 1)": 2 * (2 * 3) * 4,
    "ops.tensordot(V, V, 0)": 16,
    "ops.vecdot(X, V)": 2 * 24,
    "ops.einsum('bij,bjk->bik', X, Y)": 2 * (2 * 3 * 5) * 4,
    "ops.einsum('i,j->ij', V, V)": 16,
    "ops.einsum('i,i->i', V, V)": 4,
    "ops.einsum('ijk->i', X)": 24,
    "ops.einsum('ijk->kji', X)": 0,
    "ops.einsum('ij,jk,kl->il', A, B, C)": 2 * 2 * 50 * 3 + 2 * 2 * 3 * 60,
    "ops.nn.linear(X, Y[0], Y[0, 0])": 2 * (2 * 3 * 5) * 4 + 30,
    # convolutions and pools
    "ops.nn.conv(IMAGE, Shaped((6, 4, 3, 2), 'f4'))": 2 * (2 * 6 * 7 * 7) * (4 * 3 * 2),
    "ops.nn.conv(IMAGE, Shaped((6, 2, 3, 2), 'f4'), groups=2, stride=2)": (
        2 * (2 * 6 * 4 * 4) * (2 * 3 * 2)
    ),
    "ops.nn.conv_transpose(IMAGE, Shaped((4, 6, 3, 2), 'f4'))": 2 * (2 * 4 * 9 * 8) * (6 * 3 * 2),
    "ops.nn.conv_transpose(IMAGE, Shaped((4, 3, 3, 2), 'f4'), groups=2)": (
        2 * (2 * 4 * 9 * 8) * (3 * 3 * 2)
    ),
    "ops.nn.max_pool(IMAGE, 2)": (2 * 4 * 4 * 4) * 4,
    "ops.nn.mean_pool(IMAGE, (3, 2), stride=1)": (2 * 4 * 7 * 7) * 6,
    # activations: 1 for each element, however they are composed
    "ops.nn.relu(X)": 24,
    "ops.nn.gelu(X)": 24,
    "ops.nn.mish(X)": 24,
    "ops.nn.softmax(X)": 3 * 24,
    "ops.nn.log_softmax(X, axis=0)": 3 * 24,
    "ops.nn.cross_entropy(X, np.zeros((2, 3), int))": 3 * 24 + 6,
    # what moves numbers counts nothing
    "ops.nn.embedding(np.array([1, 2]), X[0])": 0,
    "ops.random.bernoulli((1,), 0.5, X)": 0,
    "ops.reshape(X, -1)": 0,
    "ops.permute_dims(X, (2, 0, 1))": 0,
    "ops.concat([X, X])": 0,
    "ops.stack([X, X])": 0,
    "ops.pad(X, 1)": 0,
    "ops.tile(X, (2, 3))": 0,
    "ops.repeat(X, 2, axis=0)": 0,
    "ops.take(X, np.array([1]), axis=1)": 0,
    "ops.astype(X, 'f8')": 0,
    "ops.zeros_like(X)": 0,
    "ops.real(X)": 0,
    "ops.broadcast_to(V, (3, 4))": 0,
    "ops.arange(9)": 0,
    "X[:, 1:].mT": 0,
}


@pytest.mark.parametrize("call", COUNTS)
def test_a_call_counts_what_is_counted_by_hand(call):
    a, b, c = Shaped((2, 50), "f4"), Shaped((50, 3), "f4"), Shaped((3, 60), "f4")
    with counted() as count:
        eval(call, {**globals(), "A": a, "B": b, "C": c})
    assert count.flops == COUNTS[call]
    assert type(count.flops) is int


B, T, F, H = 2, 7, 3, 5


def test_an_lstm_counts_its_steps():
    x, h = Shaped((B, T, F), "f4"), Shaped((B, H), "f4")
    weights = Shaped((F, 4 * H), "f4"), Shaped((H, 4 * H), "f4"), Shaped((4 * H,), "f4")
    with counted() as count:
        ops.nn.lstm(x, h, h, *weights)
    before = 2 * B * T * 4 * H * F + B * T * 4 * H  # x W + b
    product = 2 * B * 4 * H * H + B * 4 * H  # + h U
    gates = 3 + 1 + 1 + 1 + 1 + 1 + 1  # three sigmoids; f c, tanh g, i tanh g, +, tanh c, o tanh c
    assert count.flops == before + T * (product + gates * B * H)


def test_a_gru_counts_its_steps():
    x, h = Shaped((B, T, F), "f4"), Shaped((B, H), "f4")
    weights = Shaped((F, 3 * H), "f4"), Shaped((H, 3 * H), "f4"), Shaped((3 * H,), "f4")
    with counted() as count:
        ops.nn.gru(x, h, *weights, weights[-1])
    before = 2 * B * T * 3 * H * F + B * T * 3 * H  # x W + b
    product = 2 * B * 3 * H * H + B * 3 * H  # h U + d
    gates = 2 * (1 + 1) + 3 + 3  # +, sigmoid of two; r (), +, tanh; h - n, z (), +
    assert count.flops == before + T * (product + gates * B * H)


def test_a_scan_calls_its_step_once_and_counts_all():
    calls = []

    def step(carry, x):
        calls.append(x)
        return carry * x, carry + x

    with counted() as count:
        ops.scan(step, Shaped((3,), "f4"), Shaped((1000, 3), "f4"))
    assert len(calls) == 1
    assert count.flops == 1000 * 6


def test_a_scan_whose_carry_changes_its_shape_counts_each_step_as_it_is():
    calls = []

    def step(carry, x):
        calls.append(carry)
        return carry + x, x

    with counted() as count:
        carry, _ = ops.scan(step, Shaped((1,), "f4"), Shaped((10, 4, 3), "f8"))
    assert [each.shape for each in calls] == [(1,), (4, 3)]
    assert (carry.shape, carry.dtype) == ((4, 3), np.float64)
    assert count.flops == 10 * 12


def test_the_inner_count_adds_to_the_outer_one():
    with counted() as outer:
        ops.exp(X)
        with counted() as inner:
            ops.exp(V)
        assert (outer.flops, inner.flops) == (28, 4)
        ops.exp(V)
    ops.exp(X)
    assert (outer.flops, inner.flops) == (32, 4)
    assert repr(inner) == "Count(flops=4)"


def test_an_exception_ends_the_count():
    with counted() as outer:
        with pytest.raises(ValueError, match="do not broadcast"), counted() as inner:
            ops.exp(V) + Shaped((3,), "f4")
        ops.exp(V)
    assert (outer.flops, inner.flops) == (8, 4)


def test_a_count_is_of_one_thread():
    from threading import Thread

    with counted() as count:
        thread = Thread(target=lambda: ops.exp(X))
        thread.start()
        thread.join()
    assert count.flops == 0


def test_what_is_counted_by_another_rule_is_not_counted_twice_after_an_exception():
    with counted() as count:
        with pytest.raises(ValueError, match="axis 7"):
            ops.nn.softmax(X, axis=7)
        ops.nn.relu(V)
    assert count.flops == 4


def test_counts_have_no_limit():
    big = Shaped((10**9, 10**9), "i1")
    with counted() as count:
        ops.matmul(big, big)
    assert count.flops == 2 * 10**27
