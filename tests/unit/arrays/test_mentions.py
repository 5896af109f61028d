"""Which arguments the code of a VJP mentions; what it does not mention is not kept for it."""

from functools import partial

import numpy as np
import pytest

from optshare_arrays.mentions import mentions


def into_a_local(g, y, x, w):
    t = g
    return x * t


def in_a_loop(g, y, x, w):
    for each in w:
        g = each
    return g


def in_a_comprehension(g, y, x, w):
    return [x for _ in range(2)]


def in_a_closure(g, y, x, w):
    def inner():
        return w

    return inner()


def augmented(g, y, x, w):
    g += y
    return g


def starred(g, y, *rest):
    return rest[0]


def keywords_only(g, y, *rest, size):
    return size


CASES = {
    "a lambda": (lambda g, y, x, w: g - g * (y * y), "gy"),
    "into a local": (into_a_local, "gx"),
    "in a loop": (in_a_loop, "gw"),
    "in a comprehension": (in_a_comprehension, "x"),
    "in a closure": (in_a_closure, "w"),
    "augmented": (augmented, "gy"),
    "starred": (starred, "xw"),
    "none but a keyword": (keywords_only, ""),
    "nothing known of NumPy's": (np.multiply, "gyxw"),
    "nothing known of a partial function": (partial(augmented, 1), "gyxw"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_function_mentions_is_found_in_its_code(name):
    function, wanted = CASES[name]
    found = {each for place, each in enumerate("gyxw") if mentions(function, place)}
    assert found == set(wanted)
