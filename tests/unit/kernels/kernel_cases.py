"""What compiled kernels are compared on: every element-wise rule, many sizes, every dtype."""

import itertools
from typing import NamedTuple

import ml_dtypes
import numpy as np

import optshare
from optshare.kernels import numpy as numpy_kernel
from optshare.kernels.program import program_of
from tests.unit.kernels.test_numpy_kernel import RULES as ALONE
from tests.unit.kernels.test_numpy_kernel import numbers, start


def chain(*pieces):
    return optshare.OptimizerChain(*pieces)


CHAINS = {
    "a chain": chain(optshare.ClipValue(0.5), optshare.WeightDecay(0.1), optshare.Adam(lr=0.1)),
    "a chain that averages": chain(optshare.SGD(lr=0.1, momentum=0.9), optshare.EMA(0.9)),
    "a chain of two rules": chain(optshare.RMSProp(lr=0.5), optshare.Lion(lr=0.1)),
}
RULES = ALONE | CHAINS
EXACT = sorted(set(RULES) - {"powers"})
DTYPES = ("float16", "bfloat16", "float32", "float64")
WORKING = ("float32", "float64")
NUMPY = {"bfloat16": np.dtype(ml_dtypes.bfloat16)}


class Types(NamedTuple):
    """The names of dtypes."""

    value: str
    gradient: str
    working: str


EVERY_TYPE = [Types(*each) for each in itertools.product(DTYPES, DTYPES, WORKING)]
SAME = [Types(each, each, each) for each in WORKING]
HALVES = [Types("float16", "float16", "float32"), Types("bfloat16", "bfloat16", "float32")]


def dtype(name):
    return NUMPY.get(name, np.dtype(name))


def assert_same_bits(found, expected):
    """Equal numbers of equal sign, zeros too; one NaN is as good as another."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    with np.errstate(invalid="ignore"):
        found, expected = found.astype(float), expected.astype(float)
    np.testing.assert_array_equal(found, expected)
    signed = ~np.isnan(found)
    np.testing.assert_array_equal(np.signbit(found)[signed], np.signbit(expected)[signed])


def assert_same_state(found, expected):
    for name, each in expected.items():
        assert_same_bits(found[name], each)


class Case:
    """A parameter of some size, with its gradient and state, and where its new value goes."""

    def __init__(self, rule, types, size, seed, in_place=True):
        value, state, _ = start(rule, (size,), dtype(types.working), seed)
        self.value = value.astype(dtype(types.value))
        gradient = np.random.default_rng(seed + 100).normal(size=size).round(1)
        self.gradient = gradient.astype(dtype(types.gradient))
        self.state = state
        self.moved = self.value if in_place else np.full_like(self.value, 7)
        self.before = self.value.copy()

    def addresses(self):
        arrays = [self.value, self.moved, self.gradient, *self.state.values()]
        return [each.ctypes.data for each in arrays]

    def expected(self, program, scalars, scale, working):
        """What the NumPy kernel makes of the value and the state."""
        value, state = self.value.copy(), {name: each.copy() for name, each in self.state.items()}
        with np.errstate(all="ignore"):
            gradient = self.gradient.astype(working) * working.type(scale)
            numpy_kernel.apply(program, value, gradient, state, scalars, working)
        return value, state

    def assert_updated(self, value, state):
        """Assert the bits, and that the old value stays where the new one goes elsewhere."""
        assert_same_bits(self.moved, value)
        assert_same_state(self.state, state)
        if self.moved is not self.value:
            assert_same_bits(self.value, self.before)


SETTINGS = ((1, 1.0), (5, 0.5))
"""A step count and a scale of the gradient for each set of constants."""


def tables(rule, element, cases, types, settings=SETTINGS):
    """The addresses and the constants for some cases, and the scalars of each set."""
    program, working = program_of(rule), dtype(types.working)
    scalars = [program.host(rule, t, numbers(rule)) for t, _ in settings]
    pairs = list(zip(scalars, (scale for _, scale in settings), strict=True))
    constants = np.stack([element.numbers(*each, working) for each in pairs])
    columns = 3 + len(element.states)
    addresses = np.array([case.addresses() for case in cases], np.int64).reshape(-1, columns)
    return addresses, constants, pairs


def expected(rule, cases, sets, types, pairs):
    """What the NumPy kernel makes of each case."""
    program, working = program_of(rule), dtype(types.working)
    return [case.expected(program, *pairs[i], working) for case, i in zip(cases, sets, strict=True)]


def assert_near_powers(case, value, scale, working):
    """Assert that the rule of powers is as near as the roundings of two libraries allow."""
    old, g = case.before.astype(float), case.gradient.astype(float) * scale
    terms = np.abs(old) + 0.1 * np.sqrt(np.abs(g)) + g**2 + 2.0**g
    # each of two libraries may miss a power by 4 units, and there are 4 roundings after it
    bound = 2 * (4 + 4) * np.finfo(working).eps * terms
    assert (np.abs(case.moved - value.astype(float)) <= bound).all()


EXTREMES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-45, 3e38, -3e38])
OF_EXTREMES = ("clip", "rprop", "lion", "amsgrad", "every comparison", "where keeps the state")


def extreme_case(rule, types):
    """A case of every extreme with every other one."""
    case = Case(rule, types, EXTREMES.size**2, 0)
    with np.errstate(under="ignore", over="ignore"):
        case.gradient[:] = np.tile(EXTREMES, EXTREMES.size)
        for each in (case.value, *case.state.values()):
            each[:] = np.repeat(EXTREMES, EXTREMES.size)
    return case


def every(half):
    """Every number in half precision."""
    return np.arange(2**16, dtype=np.uint16).view(dtype(half))


def neighbourhood(half, working):
    """Every half, the middles between them, and the nearest numbers of another dtype to both."""
    with np.errstate(all="ignore"):
        halves = np.unique(every(half).astype(working))
        halves = halves[np.isfinite(halves)]
        middles = (halves[1:] * 0.5 + halves[:-1] * 0.5).astype(working)
        top = halves[-1:] + (halves[-1:] - halves[-2:-1]) * np.array([0.5, 1, 100], working)
        found = np.concatenate([halves, middles, top, -top, [np.inf, -np.inf, np.nan]])
        found = found.astype(working)
        return np.concatenate([np.nextafter(found, -np.inf), found, np.nextafter(found, np.inf)])
