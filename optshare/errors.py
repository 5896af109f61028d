"""Every exception that optshare raises, in one small tree.

Each is also an instance of the builtin exception that a Python programmer
would expect, so `except ValueError` keeps working:

>>> issubclass(GradientShapeError, OptshareError), issubclass(GradientShapeError, ValueError)
(True, True)
"""

from collections.abc import Iterable
from difflib import get_close_matches


class OptshareError(Exception):
    """The root: catch it to catch everything of ours."""


class BackendError(OptshareError):
    """A backend is unknown, unavailable, ambiguous or not able."""


class UnknownBackendError(BackendError, LookupError):
    """No installed backend has this name."""


class UnavailableBackendError(BackendError, ImportError):
    """The backend is installed but could not be loaded."""


class UnclaimedArrayError(BackendError, TypeError):
    """No backend claims an array of this type."""


class MixedBackendsError(BackendError, TypeError):
    """One call received arrays that no single backend owns."""


class CapabilityError(BackendError, NotImplementedError):
    """The backend does not declare the capability that was asked for."""


class MissingFunctionError(CapabilityError, AttributeError):
    """A backend's `ops` has no such function, and it cannot be composed of others."""


class ParameterError(OptshareError, ValueError):
    """A value does not fit a Parameter or Buffer, or cannot be written now."""


class UnbuiltError(ParameterError):
    """A Parameter has no value yet: its layer has not seen an input."""


class ImplicitUnwrapError(OptshareError, TypeError):
    """A foreign function was given a box or tracked value that it would silently unwrap."""


class InPlaceError(OptshareError, TypeError):
    """An in-place write that would lose the identity or the record of a value."""


class EmptyModelError(OptshareError, ValueError):
    """The model holds no parameters."""


class UnregisteredParameterError(OptshareError, LookupError):
    """The optimizer or the gradients do not hold this parameter."""


class HyperparameterError(OptshareError, ValueError):
    """A hyperparameter is unknown or out of its range."""


class GroupError(OptshareError, ValueError):
    """A group matches no parameter, or a parameter is in two groups."""


class GradientShapeError(OptshareError, ValueError):
    """A gradient does not fit its parameter."""


class GradientError(OptshareError, AssertionError):
    """`gradcheck` found a wrong derivative, or nothing that it could check."""


class DifferentiationError(OptshareError, RuntimeError):
    """Something went wrong while a function was differentiated."""


class NonScalarLossError(DifferentiationError, ValueError):
    """The function to differentiate returned no real number, and no seed was given."""


class NonFiniteLossError(DifferentiationError, FloatingPointError):
    """The loss is NaN or infinite; nothing was updated."""


class NonFiniteGradientError(DifferentiationError, FloatingPointError):
    """A gradient has an element that is NaN or infinite; nothing was updated."""


class UnreachedParametersError(DifferentiationError):
    """A differentiation read none of the parameters it was asked for."""


class StaleRecordError(DifferentiationError):
    """A parameter was updated between a recorded forward pass and its backward pass."""


class FreedRecordError(DifferentiationError):
    """A second backward pass over a record that the first one freed."""


class EscapedValueError(DifferentiationError):
    """A tracked value was used after its differentiation had ended."""


class NoDerivativeError(DifferentiationError, NotImplementedError):
    """A function without a derivative rule was applied to a tracked value."""


class InitializerError(OptshareError, ValueError):
    """An initialiser is unknown, or does not go with the array that it is to fill."""


class LabelError(OptshareError, ValueError):
    """A class label is not an integer between 0 and the number of classes."""


class LocatedError(OptshareError):
    """Something does not fit a layer; raised through a model, it names the layer's path."""

    path = ""
    """Where the layer stands in its model, if a model was called."""

    def __str__(self) -> str:
        message = super().__str__()
        return f"{self.path}: {message}" if self.path else message


class DataError(LocatedError, ValueError):
    """An array does not fit a layer, a function, or the arrays beside it."""


class NoNumbersError(LocatedError, TypeError):
    """Something asked for the numbers of an array that has only a shape and a dtype."""


class CheckpointError(OptshareError, ValueError):
    """A saved state does not fit the optimizer that should load it."""


class WeightsError(OptshareError, ValueError):
    """Weights do not fit the model that should load them, or cannot be saved or read."""


def choices(names: Iterable[str], wrong: str | None = None) -> str:
    """Name the choices, the nearest to a wrong name first.

    >>> choices(["lr", "betas"], "beta")
    'betas (did you mean this?), lr'
    """
    known = sorted(names)
    close = get_close_matches(wrong, known, n=1) if wrong else []
    marked = [f"{name} (did you mean this?)" for name in close]
    return ", ".join(marked + [name for name in known if name not in close]) or "none"
