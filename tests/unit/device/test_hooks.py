"""Hooks on arrays of a device: they are called with one of its arrays, and may replace it."""

import numpy as np

import optshare_tape


def test_a_hook_sees_and_replaces_a_gradient_on_the_device(library):
    x = optshare_tape.Variable(library.place(np.array([1.0, 2.0])))
    seen = []
    x.register_hook(lambda g: seen.append(type(g)))
    y = x * x
    y.register_hook(lambda g: 10 * g)
    optshare_tape.back(y.sum())
    assert seen == [library.cupy.ndarray]
    library.assert_same(x.grad, [20.0, 40.0])
