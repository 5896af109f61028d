"""Every function of `ops` and of NumPy's that is ours, on device arrays: the numbers of NumPy's.

The functions are found, not listed: what is added to `ops`, to the kit's scenarios or to the table
of NumPy's functions is run here too, or named by a test that fails.
"""

import numpy as np
import pytest

from optshare.errors import InPlaceError
from optshare.namespace.protocol import NN, Namespace
from optshare.testing.scenarios import ALL, evaluated, inputs, names_used
from optshare_arrays import ops, plain
from optshare_arrays.primitives import BY_NUMPY
from tests.unit.cases.agreement import arguments
from tests.unit.cases.tables import TABLES
from tests.unit.device.stand_in import FUNCTIONS, uploads

HOST_CONSTANTS = {
    "elementwise: nan_to_num beside infinities",
    "pairs: where",
    "pairs: select",
    "arranged: diff with ends",
}
"""The cases that compute with arrays of NumPy's of their own, which CuPy refuses."""
INDEXED_BY_THE_HOST = {"take", "take_along_axis"}
INDEXED_BY_THE_HOST |= {"nn.cross_entropy", "nn.embedding", "nn.gru", "nn.lstm"}
"""The scenarios that index with arrays or numbers of NumPy's, which CuPy copies to the device."""


X = np.array([[0.5, -1.25, 2.0], [0.25, 1.0, -0.75]])
POSITIVE = np.array([[0.5, 1.25, 2.0], [0.25, 1.0, 0.75]])
WHOLE = np.array([[2, 0, 1], [1, 1, 0]])


def derivatives(engine, f, arrays, place):
    """The value of f, its gradients, and the gradients of a number that depends on all of those."""
    xs, values = [place(each) for each in arrays], []

    def drawn(shape, seed):
        return place(np.random.default_rng(seed).uniform(0.5, 1.5, shape))

    def loss(*ys):
        y = f(*ys)
        values.append(plain(y))
        return ops.sum(drawn(y.shape, 11) * y * (1 + y / 4))

    def slope(*ys):
        pairs = enumerate(engine.gradient(loss, *ys))
        terms = [ops.sum(g * drawn(g.shape, [13, i])) for i, g in pairs if g is not None]
        return sum(terms[1:], terms[0])

    first = engine.gradient(loss, *xs)
    second = engine.gradient(slope, *xs) if any(each is not None for each in first) else ()
    return [values[0], *first, *second]


def assert_same_derivatives(library, engine, f, arrays):
    wanted = derivatives(engine, f, arrays, np.array)
    found = derivatives(engine, f, arrays, library.place)
    for ours, theirs in zip(found, wanted, strict=True):
        if theirs is None:
            assert ours is None
        else:
            library.assert_same(ours, theirs)


@pytest.mark.parametrize("name", ALL)
def test_a_scenario_of_the_kit_gives_the_numbers_of_numpy(name, library, engine):
    def f(*xs):
        return evaluated(ALL[name].expression, ops, xs)

    assert_same_derivatives(library, engine, f, inputs(ALL[name]))
    assert name in INDEXED_BY_THE_HOST or not uploads


@pytest.mark.parametrize("table", TABLES)
def test_the_functions_of_numpys_give_the_numbers_of_numpy(table, library, engine):
    failures = {}
    for name, case in TABLES[table].items():
        if f"{table}: {name}" not in HOST_CONSTANTS:
            try:
                _run(library, engine, case)
            except Exception as error:  # whatever a case raises, the others are run
                failures[name] = repr(error)
    assert not failures


def _run(library, engine, case):
    assert_same_derivatives(library, engine, lambda *xs: case.f(np, *xs), arguments(case))


def test_the_cases_that_are_left_out_mix_with_arrays_of_numpys(library, engine):
    for each in HOST_CONSTANTS:
        table, name = each.split(": ")
        with pytest.raises(TypeError):
            _run(library, engine, TABLES[table][name])


WITH_CONSTANTS = {
    "where": lambda place, x: np.where(place(WHOLE > 0), x, 0.0) * x,
    "select": lambda place, x: np.select([place(WHOLE > 0), place(WHOLE > 1)], [x, x * x], 2.0),
    "diff": lambda place, x: np.diff(x, prepend=0.5, append=place(POSITIVE)) ** 2,
    "nan_to_num": lambda place, x: np.nan_to_num(x + place(np.array([np.nan, 0.0, 1.0]))) * x,
    "linspace": lambda place, x: np.linspace(0.5, x * x, 4),
    "stack": lambda place, x: ops.stack([x[0, 0] ** 2, 1.0, 2.0]),
    "pad": lambda place, x: np.pad(x * x, 1, mode="reflect"),
    "roll": lambda place, x: ops.roll(x * x, place(np.array([1, 2])), (0, 1)),
    "einsum": lambda place, x: np.einsum("ij,,ij->i", x, 2.0, x),
    "list": lambda place, x: x[[0, 1, 1], [2, 0, 0]] ** 2,
    "mask": lambda place, x: x[place(POSITIVE > 1)] ** 2,
    "take": lambda place, x: ops.take(x, place(np.array([0, 0, 2])), axis=1) ** 2,
    "new axis of a number": lambda place, x: (x[0, 0] ** 2)[None],
    "labels": lambda place, x: ops.nn.cross_entropy(x, place(np.array([2, 0]))),
    "labels on the host": lambda place, x: ops.nn.cross_entropy(x, np.array([2, 0])),
    "complex numbers": lambda place, x: ops.abs(ops.exp(x * 1j) + x[[0, 0], ::-1]) ** 2,
    "scores by columns": lambda place, x: ops.nn.cross_entropy(x.T, place(np.array([1, 0, 1]))),
}


@pytest.mark.parametrize("name", WITH_CONSTANTS)
def test_constants_on_the_device_give_the_numbers_of_numpy(name, library, engine):
    wanted = derivatives(engine, lambda x: WITH_CONSTANTS[name](np.array, x), [X], np.array)
    found = derivatives(
        engine, lambda x: WITH_CONSTANTS[name](library.place, x), [X], library.place
    )
    for ours, theirs in zip(found, wanted, strict=True):
        library.assert_same(ours, theirs)


OTHER = {
    "all": lambda n, x: n.all(x > -2, axis=1),
    "any": lambda n, x: n.any(x > 1, axis=1),
    "arange": lambda n, x: x * n.asarray(n.arange(3), device=x.device),
    "argmax": lambda n, x: n.argmax(x, axis=1),
    "argmin": lambda n, x: n.argmin(x, axis=1),
    "argsort": lambda n, x: n.argsort(x, axis=1, descending=True),
    "asarray": lambda n, x: n.asarray(x, dtype=np.float32),
    "bitwise_and": lambda n, x: n.bitwise_and(x > 0, x < 1),
    "bitwise_invert": lambda n, x: n.bitwise_invert(x > 0),
    "bitwise_left_shift": lambda n, x: n.bitwise_left_shift(n.astype(n.abs(x), np.int64), 1),
    "bitwise_or": lambda n, x: n.bitwise_or(x > 0, x < 1),
    "bitwise_right_shift": lambda n, x: n.bitwise_right_shift(n.astype(n.abs(x), np.int64), 1),
    "bitwise_xor": lambda n, x: n.bitwise_xor(x > 0, x < 1),
    "conj": lambda n, x: n.conj(n.asarray(x, dtype=np.complex128) * 1j),
    "copysign": lambda n, x: n.copysign(x, x - 1),
    "count_nonzero": lambda n, x: n.count_nonzero(x > 0, axis=1),
    "cross_entropy": lambda n, x: n.nn.cross_entropy(x, n.asarray(n.argmin(x, axis=1))),
    "floor_divide": lambda n, x: n.floor_divide(x, 0.5),
    "full_like": lambda n, x: n.full_like(x, 2.5),
    "imag": lambda n, x: n.imag(n.asarray(x, dtype=np.complex128) * 1j),
    "is_concrete": lambda n, x: x if n.is_concrete(x) else None,
    "nonzero": lambda n, x: n.nonzero(x > 0)[1],
    "ones_like": lambda n, x: n.ones_like(x),
    "real": lambda n, x: n.real(n.asarray(x, dtype=np.complex128) * (1 + 1j)),
    "remainder": lambda n, x: n.remainder(x, 0.75),
    "round": lambda n, x: n.round(x * 10),
    "searchsorted": lambda n, x: n.searchsorted(n.sort(x[0]), x[1]),
    "sort": lambda n, x: n.sort(x, axis=1, descending=True),
    "stop_gradient": lambda n, x: n.stop_gradient(x),
    "tril": lambda n, x: n.tril(x),
    "triu": lambda n, x: n.triu(x, k=1),
    "zeros_like": lambda n, x: n.zeros_like(x),
    "bernoulli": lambda n, x: n.random.bernoulli((1, 2), 0.5, x),
}
"""The functions of `ops` that no scenario calls."""
ONE = ("ceil", "floor", "isfinite", "isinf", "isnan", "logical_not", "sign", "signbit", "trunc")
TWO = ("equal", "greater", "greater_equal", "less", "less_equal", "not_equal", "nextafter")
TWO += ("logical_and", "logical_or", "logical_xor")
OTHER |= {name: lambda n, x, name=name: getattr(n, name)(x) for name in ONE}
OTHER |= {name: lambda n, x, name=name: getattr(n, name)(x, x[::-1]) for name in TWO}


@pytest.mark.parametrize("name", OTHER)
def test_a_function_that_no_scenario_calls_gives_the_numbers_of_numpy(name, library):
    library.assert_same(OTHER[name](ops, library.place(X)), OTHER[name](ops, X))


def test_every_function_of_ops_is_run_here():
    import optshare_arrays.namespace as own

    mine = [each for each in own.__all__ if each not in ("ops", "nn", "random")]
    wanted = {*Namespace.__annotations__, *NN.__annotations__, *mine} - {"nn", "random"}
    run = {each.removeprefix("nn.") for row in ALL.values() for each in names_used(row)}
    assert wanted - run - set(OTHER) == set()


class Named:
    """NumPy, noting which of its functions are taken from it."""

    def __init__(self, module=np, seen=None):
        self.module, self.seen = module, set() if seen is None else seen

    def __getattr__(self, name):
        found = getattr(self.module, name)
        if name in ("linalg", "fft"):
            return Named(found, self.seen)
        if callable(found):
            self.seen.add(found)
        return found


def taken():
    """NumPy's functions that the cases call."""
    seen = Named()
    for cases in TABLES.values():
        for case in cases.values():
            case.f(seen, *arguments(case))
    return seen.seen


ALONE = [each for each in BY_NUMPY if each not in taken()]
TRIALS = ((X,), (X[0],), (POSITIVE, POSITIVE), (WHOLE,), (WHOLE, WHOLE), (X, 1), (X[0], X[1]))
TRIALS += ((X, (0, 1)), (X, np.float32))


def trial(function):
    """Arguments that a function of NumPy's takes, and what it gives; `None` if it writes."""
    for arguments_ in TRIALS:
        try:
            return arguments_, function(*arguments_)
        except (TypeError, ValueError, IndexError):
            continue
    raise AssertionError(f"no trial fits numpy.{function.__name__}; add a case for it")


def path(function):
    return f"{function.__module__}.{function.__name__}".partition(".")[2]


@pytest.mark.parametrize("function", ALONE, ids=path)
def test_a_function_of_numpys_without_a_case_gives_the_numbers_of_numpy(function, library):
    try:
        BY_NUMPY[function](X)
    except InPlaceError:
        return  # it writes, and is refused on every library
    except Exception:  # it wants other arguments
        pass
    if path(function) not in FUNCTIONS:
        pytest.skip(f"CuPy has no {path(function)}")
    given, expected = trial(function)
    placed = [library.place(x) if isinstance(x, np.ndarray) else x for x in given]
    found = BY_NUMPY[function](*placed)
    if isinstance(expected, bool | np.dtype | int | tuple) and not hasattr(found, "get"):
        pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else ()
        for ours, theirs in pairs:
            if isinstance(theirs, np.ndarray):
                library.assert_same(ours, theirs)
        assert isinstance(expected, tuple) or found == expected
    elif function not in (np.empty_like,):
        library.assert_same(found, expected)
