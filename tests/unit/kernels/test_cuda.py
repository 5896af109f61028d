"""The CUDA kernel: it compiles for a device, and computes what the NumPy kernel does."""

import sys

import numpy as np
import pytest

import optshare
from optshare.kernels import cuda
from optshare.kernels.cuda import CudaKernel, Types, source
from optshare.kernels.program import DESCENT, program_of
from tests.unit.kernels import cuda_compilers
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
    assert_same_state,
    dtype,
    every,
    expected,
    extreme_case,
    neighbourhood,
    tables,
)

OF_HALVES = ("sgd", "adam", "rprop", "a chain")
DESCENTS = {types: source(DESCENT, types) for types in EVERY_TYPE}
SOURCES = {
    (name, types): source(program_of(RULES[name]), types) for name in RULES for types in SAME
}
SOURCES |= {(n, t): source(program_of(RULES[n]), t) for n in OF_HALVES for t in HALVES}


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    """Every source that a test here runs, compiled for the host at once."""
    every = list(dict.fromkeys([*SOURCES.values(), *DESCENTS.values()]))
    return cuda_compilers.on_host(every, tmp_path_factory.mktemp("host"))


@pytest.fixture
def cupy(functions, monkeypatch):
    """A CuPy whose kernels run on the host."""
    cuda._compiled.cache_clear()
    monkeypatch.setitem(sys.modules, "cupy", cuda_compilers.HostCuPy(functions))
    yield sys.modules["cupy"]
    cuda._compiled.cache_clear()


# -- for a device ------------------------------------------------------------------------------

compilers = pytest.mark.parametrize(
    "compiler", [cuda_compilers.by_nvrtc, cuda_compilers.by_nvcc], ids=["NVRTC", "nvcc"]
)


@compilers
def test_some_rules_in_some_dtypes_compile_for_an_h100(compiler, tmp_path):
    some = [SOURCES["adam", SAME[0]], SOURCES["powers", SAME[1]], SOURCES["rprop", HALVES[0]]]
    assert compiler([*some, SOURCES["a chain", HALVES[1]]], tmp_path).startswith(b"\x7fELF")


def test_a_device_rounds_each_operation_by_itself_and_to_the_nearest(tmp_path):
    assembly = cuda_compilers.intermediate([SOURCES["adam", SAME[0]]], tmp_path)
    assert "mul.f32" in assembly or "mul.rn.f32" in assembly
    assert "div.rn.f32" in assembly
    assert "sqrt.rn.f32" in assembly
    assert "fma" not in assembly
    assert "ftz" not in assembly


@pytest.mark.slow
@compilers
@pytest.mark.parametrize("types", [*SAME, *HALVES], ids=" ".join)
def test_every_rule_compiles_for_an_h100(compiler, types, tmp_path):
    every = [source(program_of(rule), types) for rule in RULES.values()]
    assert compiler(every, tmp_path).startswith(b"\x7fELF")


@pytest.mark.slow
@compilers
def test_every_three_dtypes_compile_for_an_h100(compiler, tmp_path):
    program = program_of(optshare.Adam())
    every = [source(program, types) for types in EVERY_TYPE]
    assert compiler(every, tmp_path).startswith(b"\x7fELF")


# -- on the host -------------------------------------------------------------------------------


def pieces(sizes, sets, length):
    """The rows of parameters of some sizes."""
    return np.array(
        [
            (i, first, min(length, size - first), chosen)
            for i, (size, chosen) in enumerate(zip(sizes, sets, strict=True))
            for first in range(0, size, length)
        ],
        np.int64,
    ).reshape(-1, 4)


def run(rule, types, cases, sets, length=1500, settings=SETTINGS):
    """The kernel on a table of cases; gives what the NumPy kernel makes of them."""
    kernel = CudaKernel(program_of(rule), types)
    addresses, constants, pairs = tables(rule, kernel.element, cases, types, settings)
    wanted = expected(rule, cases, sets, types, pairs)
    kernel(addresses, pieces([case.value.size for case in cases], sets, length), constants)
    return wanted


SIZES, SETS, PLACES = (0, 1, 7, 4097, 63), (0, 0, 1, 0, 1), (True, False, True, False, True)


def several(rule, types):
    """Parameters of many sizes, in place and not."""
    return [
        Case(rule, types, size, seed, place)
        for seed, (size, place) in enumerate(zip(SIZES, PLACES, strict=True))
    ]


@pytest.mark.parametrize("types", SAME, ids=lambda types: types.working)
@pytest.mark.parametrize("name", EXACT)
def test_the_kernel_is_the_numpy_kernel_to_the_bit(name, types, cupy):
    cases = several(RULES[name], types)
    for case, found in zip(cases, run(RULES[name], types, cases, SETS), strict=True):
        case.assert_updated(*found)


@pytest.mark.parametrize("types", HALVES, ids=lambda types: types.value)
@pytest.mark.parametrize("name", OF_HALVES)
def test_half_precision_is_rounded_once_as_by_numpy(name, types, cupy):
    cases = several(RULES[name], types)
    for case, (value, state) in zip(cases, run(RULES[name], types, cases, SETS), strict=True):
        assert_same_bits(case.moved, value)
        assert_same_state(case.state, state)


@pytest.mark.parametrize("types", SAME, ids=lambda types: types.working)
def test_powers_are_within_the_roundings_of_two_libraries(types, cupy):
    cases = several(RULES["powers"], types)
    found = run(RULES["powers"], types, cases, SETS)
    for case, i, (value, _) in zip(cases, SETS, found, strict=True):
        assert_near_powers(case, value, SETTINGS[i][1], types.working)


@pytest.mark.parametrize("types", SAME, ids=lambda types: types.working)
@pytest.mark.parametrize("name", OF_EXTREMES)
def test_no_number_and_infinity_go_where_numpy_lets_them_go(name, types, cupy):
    case = extreme_case(RULES[name], types)
    ((value, state),) = run(RULES[name], types, [case], [0], settings=((1, 1.0),))
    # which of 0.0 and -0.0 a maximum is, NumPy leaves to the processor: their signs are not asked
    np.testing.assert_array_equal(case.moved, value)
    np.testing.assert_equal(case.state, state)


@pytest.mark.parametrize("length", [1, 255, 256, 1024, 1025, 10**6])
def test_where_an_array_is_cut_changes_no_number(length, cupy):
    cases = [Case(RULES["adam"], SAME[0], size, size) for size in (1030, 5)]
    for case, (value, state) in zip(
        cases, run(RULES["adam"], SAME[0], cases, (0, 1), length), strict=True
    ):
        assert_same_bits(case.moved, value)
        assert_same_state(case.state, state)


def test_a_part_of_an_array_that_is_in_no_row_is_left_alone(cupy):
    value, gradient = np.zeros(10, np.float32), np.ones(10, np.float32)
    pointers = [[value.ctypes.data, value.ctypes.data, gradient.ctypes.data]]
    kernel = CudaKernel(DESCENT, SAME[0])
    kernel(np.array(pointers), np.array([[0, 2, 3, 0]]), np.array([[-2.0]], np.float32))
    assert value.tolist() == [0, 0, 2, 2, 2, 0, 0, 0, 0, 0]


# -- conversions -------------------------------------------------------------------------------


def converted(numbers, given, wanted, working):
    """Numbers of one dtype in another, by way of the working one: -0 - (-1) * gradient."""
    gradient = numbers.astype(dtype(given))
    value = np.full(gradient.size, -0.0, dtype(wanted))
    pointers = [[value.ctypes.data, value.ctypes.data, gradient.ctypes.data]]
    kernel = CudaKernel(DESCENT, Types(wanted, given, working))
    rows = pieces([gradient.size], [0], 4096)
    kernel(np.array(pointers), rows, np.array([[-1.0]], working))
    return value


@pytest.mark.parametrize("working", WORKING)
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_every_half_is_read_as_the_number_that_it_is(half, working, cupy):
    with np.errstate(invalid="ignore"):
        expected = every(half).astype(working)
    assert_same_bits(converted(every(half), half, working, working), expected)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_every_half_and_what_is_between_is_rounded_to_the_nearest_even(half, cupy):
    numbers = neighbourhood(half, np.float32)
    with np.errstate(all="ignore"):
        expected = numbers.astype(dtype(half))
    assert_same_bits(converted(numbers, "float32", half, "float32"), expected)


def test_a_double_is_rounded_to_float16_once(cupy):
    numbers = neighbourhood("float16", np.float64)
    with np.errstate(all="ignore"):
        expected = numbers.astype(np.float16)
        assert (numbers.astype(np.float32).astype(np.float16) != expected).any()
    assert_same_bits(converted(numbers, "float64", "float16", "float64"), expected)


def test_a_double_is_rounded_to_bfloat16_once(cupy):
    middle = 1 + 2.0**-8  # between 1, which is even, and 1 + 2**-7
    numbers = np.array([middle, middle + 2.0**-40, middle - 2.0**-40, -middle - 2.0**-40, 1e300])
    found = converted(numbers, "float64", "bfloat16", "float64").astype(float)
    assert found.tolist() == [1.0, 1 + 2.0**-7, 1.0, -1 - 2.0**-7, np.inf]


@pytest.mark.parametrize("types", EVERY_TYPE, ids=" ".join)
def test_every_three_dtypes_descend(types, cupy):
    numbers = np.array([0.0, -0.5, 3.0, 1e-3])
    found = converted(numbers, types.gradient, types.value, types.working)
    expected = numbers.astype(dtype(types.gradient)).astype(types.working)
    np.testing.assert_array_equal(found, expected.astype(dtype(types.value)))


# -- launches ----------------------------------------------------------------------------------


def table_of(value):
    place = value.ctypes.data
    return np.array([[place] * 3]), np.array([[0, 0, value.size, 0]])


def test_a_table_is_uploaded_again_only_where_it_has_changed(cupy):
    one, other = np.ones(3, np.float32), np.ones(3, np.float32)
    kernel, constants = CudaKernel(DESCENT, SAME[0]), np.array([[0.5]], np.float32)
    pointers, rows = table_of(one)
    kernel(pointers, rows, constants)
    assert len(cupy.uploads) == 3
    kernel(pointers.copy(), rows, constants)
    assert len(cupy.uploads) == 4  # the constants
    pointers[:] = other.ctypes.data
    kernel(pointers, rows, constants)
    assert len(cupy.uploads) == 6  # and the pointers
    assert (one.tolist(), other.tolist()) == ([0.25] * 3, [0.5] * 3)


def test_another_stream_does_not_rely_on_what_was_uploaded_on_the_first(cupy):
    kernel, constants = CudaKernel(DESCENT, SAME[0]), np.array([[0.5]], np.float32)
    given = table_of(np.ones(3, np.float32))
    kernel(*given, constants)
    cupy.stream = 5
    kernel(*given, constants)
    assert len(cupy.uploads) == 6


def test_a_table_without_rows_launches_nothing_and_needs_no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    CudaKernel(DESCENT, SAME[0])(np.zeros((0, 3), int), np.zeros((0, 4), int), np.zeros((0, 1)))


@pytest.mark.parametrize(
    ("types", "message"),
    [
        (("complex64", "float32", "float32"), "no value dtype 'complex64'; choices: float16"),
        (("float32", "int8", "float32"), "no gradient dtype 'int8'"),
        (
            ("float16", "float16", "float16"),
            "no working dtype 'float16'; choices: float32, float64",
        ),
    ],
)
def test_a_dtype_that_the_kernel_has_not_is_named_with_those_it_has(types, message):
    with pytest.raises(ValueError, match=message):
        CudaKernel(DESCENT, Types(*types))
