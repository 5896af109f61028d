"""The fallbacks that arrange, over an engine that has none of these functions, against NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest

from optshare.extend import complete
from optshare.namespace.arranging import ARRANGING, pad_widths

BARE = [
    "astype",
    "broadcast_to",
    "concat",
    "expand_dims",
    "full_like",
    "permute_dims",
    "reshape",
    "sum",
    "take",
    "asarray",
]
ops = complete(SimpleNamespace(**{name: getattr(np, name) for name in BARE}))
X = np.arange(24.0).reshape(2, 3, 4)

CALLS = {
    "moveaxis": lambda n: n.moveaxis(X, 0, -1),
    "moveaxis, several": lambda n: n.moveaxis(X, (0, -1), (-1, 1)),
    "unstack": lambda n: np.array(n.unstack(X, axis=-1)),
    "repeat": lambda n: n.repeat(X, 2, axis=1),
    "repeat 0 times": lambda n: n.repeat(X, 0, axis=-1),
    "repeat flattened": lambda n: n.repeat(X, 3),
    "repeat by counts": lambda n: n.repeat(X, [2, 0, 1], axis=1),
    "repeat by one count": lambda n: n.repeat(X, [2], axis=1),
    "repeat by an array": lambda n: n.repeat(X, np.array([1, 3]), axis=0),
    "repeat by a NumPy integer": lambda n: n.repeat(X, np.int64(2), axis=0),
    "tile": lambda n: n.tile(X, (2, 1, 3)),
    "tile, more axes": lambda n: n.tile(X, (2, 1, 1, 1)),
    "tile, fewer axes": lambda n: n.tile(X, (2,)),
    "tile by a number": lambda n: n.tile(X, 2),
    "tile a number": lambda n: n.tile(np.array(3.0), 2),
    "tile 0 times": lambda n: n.tile(X, (0, 1, 1)),
    "pad": lambda n: n.pad(X, ((1, 0), (0, 2), (3, 1))),
    "pad all axes": lambda n: n.pad(X, 1, constant_values=7.0),
    "pad by a pair": lambda n: n.pad(X, (0, 2)),
    "pad integers": lambda n: n.pad(np.array([1, 2], np.int32), 1, constant_values=5),
    "pad nothing": lambda n: n.pad(np.ones((0, 2)), 1, constant_values=2.0),
    "pad not at all": lambda n: n.pad(X, 0),
    "diff": lambda n: n.diff(X),
    "diff twice": lambda n: n.diff(X * X, n=2, axis=1),
    "diff with ends": lambda n: n.diff(X, axis=0, prepend=X[:1] + 1, append=X[:1]),
    "diff not at all": lambda n: n.diff(X, n=0),
    "cumulative_prod": lambda n: n.cumulative_prod(X / 7, axis=-1),
    "cumulative_prod of a vector": lambda n: n.cumulative_prod(np.arange(1.0, 9.0)),
    "cumulative_prod of zeros": lambda n: n.cumulative_prod(np.array([2.0, 0.0, 3.0, 0.0, 5.0])),
    "cumulative_prod with 1": lambda n: n.cumulative_prod(X, axis=1, include_initial=True),
    "cumulative_prod of nothing": lambda n: n.cumulative_prod(np.ones(0)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_fallback_gives_numpys_value_and_dtype(name):
    found, expected = CALLS[name](ops), CALLS[name](np)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_every_fallback_is_tested():
    assert {name.partition(",")[0].partition(" ")[0] for name in CALLS} == set(ARRANGING)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.pad(X, -1), r"pad_width=-1 has a negative width; take a slice"),
        (lambda: ops.pad(X, 1, "reflect"), r"no mode 'reflect' of pad; choices: constant"),
        (lambda: ops.pad(X, ((1, 2), (3, 4))), r"broadcast"),
        (lambda: ops.cumulative_prod(X), r"cumulative_prod of 3 axes needs axis="),
    ],
)
def test_what_does_not_fit_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_widths_may_be_a_number_a_pair_or_one_pair_for_each_axis():
    assert pad_widths(2, 2) == [(2, 2), (2, 2)]
    assert pad_widths((1, 2), 2) == [(1, 2), (1, 2)]
    assert pad_widths(((1, 2), (3, 4)), 2) == [(1, 2), (3, 4)]
