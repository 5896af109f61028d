"""The same call on numbers and without: both answers must have one shape and one dtype."""

import warnings
from contextlib import contextmanager

import numpy as np

from optshare import registry
from optshare.shapes import Shaped, ops

HOST = registry.load("tape").ops


def bare(x):
    """An array without its numbers."""
    return Shaped(np.shape(x), x.dtype)


def described(answer):
    """Shapes and dtypes of an answer, with the form of what holds them."""
    if isinstance(answer, list | tuple):
        return type(answer)(described(each) for each in answer)
    if not hasattr(answer, "dtype"):
        return answer
    return tuple(answer.shape), str(np.dtype(answer.dtype))


@contextmanager
def silent():
    """What numbers outside of a domain, and means of nothing, warn about is not asked here."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def both(call, *arrays):
    """What the host's call gives, and the one without numbers."""
    with silent():
        wanted = call(HOST, *arrays)
    return described(wanted), described(call(ops, *map(bare, arrays)))


def assert_same(call, *arrays):
    """The call is the same with and without numbers: its shape and dtype, or that it raises."""
    try:
        with silent():
            wanted = described(call(HOST, *arrays))
    except (ValueError, TypeError, IndexError) as error:
        wanted = error
    try:
        found = described(call(ops, *map(bare, arrays)))
    except (ValueError, TypeError, IndexError) as error:
        found = error
    if isinstance(wanted, Exception) or isinstance(found, Exception):
        assert isinstance(wanted, Exception), (wanted, found)
        assert isinstance(found, Exception), (wanted, found)
    else:
        assert found == wanted
