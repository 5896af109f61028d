"""The host kernel computes what the NumPy kernel does, in every dtype, in place and not."""

from itertools import cycle

import numpy as np
import pytest

from optshare.kernels import host
from optshare.kernels.program import DESCENT, program_of
from optshare.kernels.table import PIECE, rows_of
from tests.unit.kernels.kernel_cases import (
    EVERY_TYPE,
    EXACT,
    HALVES,
    OF_EXTREMES,
    RULES,
    SAME,
    SETTINGS,
    WORKING,
    Case,
    assert_near_powers,
    assert_same_bits,
    dtype,
    every,
    expected,
    extreme_case,
    neighbourhood,
    tables,
)

pytest.importorskip("numba")

SIZES = (0, 1, 7, PIECE + 3, 63)
SETS = (0, 0, 1, 0, 1)
SOME = [*SAME, *HALVES]
ONCE = [each for each in EVERY_TYPE if (each.value, each.working) != ("bfloat16", "float64")]
"""All but those where ml_dtypes rounds twice, by way of single precision."""
PLACES = (True, False)
TURNS = list(zip(EXACT[::3], cycle(SOME), cycle([True] * 4 + [False] * 4), strict=False))
"""Some rules, each in one dtype in one place, so that all of these have their turn."""


def kernel_of(rule, types, in_place=True):
    return host.kernel(program_of(rule), host.Types(*types, fresh=not in_place), "tested")


def run(rule, types, cases, sets=SETS, in_place=True, settings=SETTINGS):
    """The kernel on a table of cases; gives what the NumPy kernel makes of them."""
    kernel = kernel_of(rule, types, in_place)
    addresses, constants, pairs = tables(rule, kernel.element, cases, types, settings)
    wanted = expected(rule, cases, sets, types, pairs)
    rows = rows_of([case.value.size for case in cases], sets)
    half = len(rows) // 2
    kernel.run(addresses, rows, half, len(rows), constants)  # in any order, by any thread
    kernel.run(addresses, rows, 0, half, constants)
    return wanted


def several(rule, types, in_place):
    return [Case(rule, types, size, seed, in_place) for seed, size in enumerate(SIZES)]


def assert_same_as_numpy(name, types, in_place):
    cases = several(RULES[name], types, in_place)
    for case, found in zip(cases, run(RULES[name], types, cases, in_place=in_place), strict=True):
        case.assert_updated(*found)


@pytest.mark.parametrize(("name", "types", "in_place"), TURNS)
def test_the_host_kernel_is_the_numpy_kernel_to_the_bit(name, types, in_place):
    assert_same_as_numpy(name, types, in_place)


@pytest.mark.slow
@pytest.mark.parametrize("types", SOME, ids=" ".join)
@pytest.mark.parametrize("name", EXACT)
def test_every_rule_is_the_numpy_kernel_in_every_dtype(name, types):
    assert_same_as_numpy(name, types, in_place=EXACT.index(name) % 2 == SOME.index(types) % 2)


@pytest.mark.slow
@pytest.mark.parametrize("in_place", PLACES)
@pytest.mark.parametrize("types", ONCE, ids=" ".join)
def test_every_three_dtypes_give_the_bits_of_the_numpy_kernel(types, in_place):
    assert_same_as_numpy("adam", types, in_place)


@pytest.mark.parametrize("types", SAME, ids=lambda types: types.working)
def test_powers_are_within_the_roundings_of_two_libraries(types):
    cases = several(RULES["powers"], types, in_place=True)
    found = run(RULES["powers"], types, cases)
    for case, i, (value, _) in zip(cases, SETS, found, strict=True):
        assert_near_powers(case, value, SETTINGS[i][1], types.working)


@pytest.mark.parametrize("types", SAME, ids=lambda types: types.working)
@pytest.mark.parametrize("name", OF_EXTREMES)
def test_no_number_and_infinity_go_where_numpy_lets_them_go(name, types):
    case = extreme_case(RULES[name], types)
    ((value, state),) = run(RULES[name], types, [case], [0], settings=((1, 1.0),))
    # which of 0.0 and -0.0 a maximum is, NumPy leaves to the processor: their signs are not asked
    np.testing.assert_array_equal(case.moved, value)
    np.testing.assert_equal(case.state, state)


def test_an_element_that_is_in_no_row_is_left_alone():
    value, gradient = np.zeros(10, np.float32), np.ones(10, np.float32)
    addresses = np.array([[value.ctypes.data, value.ctypes.data, gradient.ctypes.data]])
    kernel = host.kernel(DESCENT, host.Types(*SAME[0]), "tested")
    kernel.run(addresses, np.array([[0, 2, 3, 0]]), 0, 1, np.array([[-2.0]], np.float32))
    assert value.tolist() == [0, 0, 2, 2, 2, 0, 0, 0, 0, 0]


def test_arrays_that_begin_at_an_odd_address_are_updated():
    memory = np.zeros(4 * 9 + 1, np.uint8)
    value, gradient = memory[1:].view(np.float32), np.arange(9, dtype=np.float32)
    assert value.ctypes.data % 4
    addresses = np.array([[value.ctypes.data, value.ctypes.data, gradient.ctypes.data]])
    kernel = host.kernel(DESCENT, host.Types(*SAME[0]), "tested")
    kernel.run(addresses, rows_of([9], [0]), 0, 1, np.array([[-1.0]], np.float32))
    assert value.tolist() == gradient.tolist()


# -- conversions -------------------------------------------------------------------------------


def converted(numbers, given, wanted, working):
    """Numbers of one dtype in another, by way of the working one: -0 - (-1) * gradient."""
    gradient = numbers.astype(dtype(given))
    value = np.full(gradient.size, -0.0, dtype(wanted))
    addresses = np.array([[value.ctypes.data, value.ctypes.data, gradient.ctypes.data]])
    kernel = host.kernel(DESCENT, host.Types(wanted, given, working), "tested")
    rows = rows_of([gradient.size], [0])
    kernel.run(addresses, rows, 0, len(rows), np.array([[-1.0]], working))
    return value


@pytest.mark.parametrize("working", WORKING)
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_every_half_is_read_as_the_number_that_it_is(half, working):
    with np.errstate(invalid="ignore"):
        numbers = every(half).astype(working)
    assert_same_bits(converted(every(half), half, working, working), numbers)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_every_half_and_what_is_between_is_rounded_to_the_nearest_even(half):
    numbers = neighbourhood(half, np.float32)
    with np.errstate(all="ignore"):
        rounded = numbers.astype(dtype(half))
    assert_same_bits(converted(numbers, "float32", half, "float32"), rounded)


def test_a_double_is_rounded_to_float16_once():
    numbers = neighbourhood("float16", np.float64)
    with np.errstate(all="ignore"):
        rounded = numbers.astype(np.float16)
        assert (numbers.astype(np.float32).astype(np.float16) != rounded).any()
    assert_same_bits(converted(numbers, "float64", "float16", "float64"), rounded)


def test_a_double_is_rounded_to_bfloat16_once():
    middle = 1 + 2.0**-8  # between 1, which is even, and 1 + 2**-7
    numbers = np.array([middle, middle + 2.0**-40, middle - 2.0**-40, -middle - 2.0**-40, 1e300])
    found = converted(numbers, "float64", "bfloat16", "float64").astype(float)
    assert found.tolist() == [1.0, 1 + 2.0**-7, 1.0, -1 - 2.0**-7, np.inf]
