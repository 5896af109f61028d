"""Which of HIPS autograd's primitives the engines have, and what is said of the others."""

import autograd.core
import autograd.numpy  # fills autograd's list
import autograd.numpy.fft
import autograd.numpy.linalg  # likewise
import autograd.tracer
import numpy as np
import pytest

from optshare.errors import InPlaceError, NoDerivativeError
from optshare_arrays.primitives import BY_NUMPY

X = np.array([[2.0, 0.5], [0.3, 1.0]])

MISSING = {
    **dict.fromkeys(("fft", "fft2", "fftn", "ifft", "ifft2", "ifftn"), "fft"),
    **dict.fromkeys(("rfft", "rfft2", "rfftn", "irfft", "irfft2", "irfftn"), "fft"),
    "fftshift": "np.roll",
    "ifftshift": "np.roll",
    **dict.fromkeys(("cholesky", "det", "eig", "eigh", "inv"), "factorizations"),
    **dict.fromkeys(("pinv", "slogdet", "solve", "svd"), "factorizations"),
    "full": "NumPy does not ask the number's type: np.broadcast_to",
}
"""Autograd's primitives that have no derivative here, with the reason or what to use."""

INTERNAL = {
    "__getitem__",
    "_array_from_scalar_or_array",
    "_astype",
    "_make_dict",
    "_primitive_mean",
    "_primitive_std",
    "_primitive_var",
    "array_from_args",
    "concatenate_args",
    "container_take",
    "container_untake",
    "covector",
    "dot_adjoint_0",
    "dot_adjoint_1",
    "inner_prod",
    "make_diagonal",
    "make_sequence",
    "mut_add",
    "scalar_mul",
    "sequence_extend_left",
    "sequence_extend_right",
    "sparse_add",
    "tensordot_adjoint_0",
    "tensordot_adjoint_1",
    "truncate_pad",
    "untake",
}
"""What autograd has for itself only: no function of NumPy's."""


def primitives():
    names = {each.__name__ for each in autograd.core.primitive_vjps}
    return sorted(names - INTERNAL)


def numpys(name):
    for home in (np, np.linalg, np.fft):
        if hasattr(home, name):
            return getattr(home, name)
    raise AssertionError(f"NumPy has no {name}; autograd has it for itself")


@pytest.mark.parametrize("name", primitives())
def test_a_primitive_of_autograd_is_ours_or_listed_as_missing(name):
    assert (numpys(name) in BY_NUMPY) is (name not in MISSING)


def test_nothing_is_listed_as_missing_that_autograd_lacks():
    assert set(MISSING) <= set(primitives())
    assert len(primitives()) > 100


def test_what_autograd_knows_to_be_constant_is_constant_here():
    untraced = autograd.tracer.notrace_primitives[autograd.core.VJPNode]
    names = {getattr(each, "__name__", "") for each in untraced}
    assert len(names) > 40
    unasked = {"isscalar"}  # NumPy does not ask the argument's type
    lacking = {each for each in names & set(dir(np)) if getattr(np, each) not in BY_NUMPY}
    assert lacking <= unasked


CALLS = {
    "fft": np.fft.fft,
    "irfft2": np.fft.irfft2,
    "fftshift": np.fft.fftshift,
    "cholesky": np.linalg.cholesky,
    "det": np.linalg.det,
    "eigh": np.linalg.eigh,
    "inv": np.linalg.inv,
    "pinv": np.linalg.pinv,
    "slogdet": np.linalg.slogdet,
    "solve": lambda x: np.linalg.solve(x, X),
    "svd": np.linalg.svd,
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_missing_raises_by_its_name_and_says_what_to_use(name, engine):
    with pytest.raises(NoDerivativeError, match=rf"{name} has no derivative here; compose it"):
        engine.grad(lambda x: np.sum(CALLS[name](x)))(X)


REFUSED = {
    "copyto": lambda x, array: np.copyto(array, x),
    "copyto into it": lambda x, array: np.copyto(x, array),
    "fill_diagonal": lambda x, array: np.fill_diagonal(x, 0.0),
    "place": lambda x, array: np.place(x, X > 1, [0.0]),
    "put": lambda x, array: np.put(x, [0], [0.0]),
    "put_along_axis": lambda x, array: np.put_along_axis(x, np.zeros((2, 1), int), 0.0, 1),
    "putmask": lambda x, array: np.putmask(x, X > 1, 0.0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_function_that_writes_in_place_raises_and_says_what_to_use(name, engine):
    array = np.zeros((2, 2))
    with pytest.raises(InPlaceError, match=rf"numpy\.{name.split()[0]} writes .* use numpy\.where"):
        engine.grad(lambda x: (REFUSED[name](x, array), np.sum(x))[1])(X)
    np.testing.assert_array_equal(array, 0.0)


WRITES = {
    "an element": lambda x: x.__setitem__((0, 0), 1.0),
    "a slice": lambda x: x.__setitem__(slice(None), 1.0),
    "out= a tracked value": lambda x: np.add(x, 1.0, out=x),
    "at": lambda x: np.add.at(x, [0], 1.0),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_into_a_tracked_value_raises(name, engine):
    with pytest.raises(InPlaceError):
        engine.grad(lambda x: (WRITES[name](x), np.sum(x))[1])(X)
