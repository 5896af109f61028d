"""Level 2: complex arrays: the convention of their gradients, and what is refused undeclared."""

# Lambdas that a check differentiates are not annotated, as those of users are not.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.errors import OptshareError
from optshare.testing.check import check, require, require_close
from optshare.testing.gradients import DTYPE, KINKS
from optshare.testing.subject import Subject

CONVENTION = "Of a real loss and an array a + ib, the gradient is dL/da + i dL/db."
UNDECLARED = "Without `complex`, a complex array that is differentiated raises."
NEEDS = ("complex",)

Z = np.array([0.5 - 1.0j, -2.0 + 0.25j, 3.0j])
W = np.array([1.5 + 0.5j, -1.0j, 0.25 - 2.0j])
X = np.array([0.5, -1.5, 2.0])


@check("complex.modulus", 2, CONVENTION, needs=NEEDS, dtype="complex128")
def _modulus(subject: Subject) -> None:
    value, g = subject.gradients(lambda z: subject.ops.sum(subject.ops.abs(z) ** 2), Z)
    require_close(value, np.sum(np.abs(Z) ** 2), "the value")
    require_close(g, 2 * Z, "the gradient of sum(abs(z)**2)")


@check("complex.holomorphic", 2, CONVENTION, needs=NEEDS, dtype="complex128")
def _holomorphic(subject: Subject) -> None:
    ops = subject.ops
    weights = subject.array(W)
    _, g = subject.gradients(lambda z: ops.sum(ops.real(z * z * z * weights)), Z)
    require_close(g, np.conj(3 * Z * Z * W), "of the real part of z**3 * w")
    _, g = subject.gradients(lambda z: ops.sum(ops.imag(z * z) + ops.real(ops.conj(z))), Z)
    require_close(g, 1j * np.conj(2 * Z) + 1, "of the imaginary part of z * z")


@check("complex.real_parameter", 2, CONVENTION, needs=NEEDS, dtype="complex128")
def _real_parameter(subject: Subject) -> None:
    data = subject.array(Z)
    _, g = subject.gradients(lambda x: subject.ops.sum(subject.ops.abs(x * data) ** 2), X)
    require(np.asarray(g).dtype.kind == "f", "the gradient of a real parameter is complex", got=g)
    require_close(g, 2 * X * np.abs(Z) ** 2, "the gradient of a real parameter")


@check("complex.kink", 2, KINKS, needs=NEEDS, dtype="complex128")
def _kink(subject: Subject) -> None:
    _, g = subject.gradients(lambda z: subject.ops.sum(subject.ops.abs(z)), np.array([0j, 3 + 4j]))
    require_close(g, np.array([0.0, 0.6 + 0.8j]), "the gradient of abs at 0")


@check("complex.vjp", 2, CONVENTION, needs=("vjp", *NEEDS), dtype="complex128")
def _vjp(subject: Subject) -> None:
    backend: Any = subject.backend
    _, pullback = backend.vjp(lambda z, x: z * z * x, subject.array(Z), subject.array(X))
    g, h = map(subject.host, pullback(subject.array(W)))
    require_close(g, W * np.conj(2 * Z * X), "the cotangent of a complex array")
    require_close(h, np.real(W * np.conj(Z * Z)), "the cotangent of a real array")


@check("complex.second", 2, CONVENTION, needs=("higher_order", *NEEDS), dtype="complex128")
def _second(subject: Subject) -> None:
    key, ops, weights = subject.parameter(Z), subject.ops, subject.array(W)

    def slope() -> Any:
        _, (g,) = subject.backend.gradient(lambda: ops.sum(ops.real(key.value**3)), [key])
        return ops.sum(ops.real(g * weights))

    _, (g,) = subject.backend.gradient(slope, [key])
    require_close(subject.host(g), W * np.conj(6 * Z), "the gradient of a gradient")


@check("complex.dtype", 2, DTYPE, needs=NEEDS, dtype="complex64")
def _dtype(subject: Subject) -> None:
    key, ops = subject.parameter(Z, "complex64"), subject.ops
    fn = lambda: ops.sum(ops.abs(2.5 * key.value * 1j) ** 2)  # noqa: E731 # as users write it
    value, (g,) = subject.backend.gradient(fn, [key])
    for name, array, wanted in (("value", value, "float32"), ("gradient", g, "complex64")):
        found = str(getattr(array, "dtype", type(array)))
        require(wanted in found, f"the {name} has another dtype", got=found, wanted=wanted)
    require_close(subject.host(g), 12.5 * Z, "the gradient", rtol=1e-6)


@check("complex.refused", 2, UNDECLARED)
def _refused(subject: Subject) -> None:
    if subject.capabilities.complex:
        return
    ops = subject.ops
    try:
        key = subject.parameter(Z)
        _, (g,) = subject.backend.gradient(lambda: ops.sum(ops.abs(key.value) ** 2), [key])
    except (OptshareError, TypeError, ValueError):
        return
    require_close(subject.host(g), 2 * Z, "it is wrong in silence")
