"""Before anything is timed, all contestants of a workload must have computed the same numbers."""

import numpy as np

UNIT = 2.0**-24
CONFIDENCE = 4


class DisagreementError(AssertionError):
    """A contestant's loss or gradients are not the reference's."""


def tolerance(roundings):
    """How far two float32 results may lie apart, relative to the largest element.

    n roundings lose more than CONFIDENCE * sqrt(n) * UNIT only with a probability near
    2 exp(-CONFIDENCE**2 / 2), one in 1500; two results, twice that.
    Source: Higham and Mary, A New Approach to Probabilistic Rounding Error Analysis, 2019.
    """
    return 2 * CONFIDENCE * np.sqrt(roundings) * UNIT


def distance(found, wanted):
    """The largest difference, relative to the largest element that is wanted."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    if found.shape != wanted.shape:
        return np.inf
    return np.max(np.abs(found - wanted)) / np.max(np.abs(wanted))


def require_equal(name, found, wanted, roundings):
    """Raise `DisagreementError` unless loss and gradients are the reference's, within rounding."""
    (loss, gradients), (reference, references) = found, wanted
    if len(gradients) != len(references):
        raise DisagreementError(f"{name} gives {len(gradients)} gradients, not {len(references)}")
    apart = {"the loss": distance(loss, reference)}
    for place, (one, other) in enumerate(zip(gradients, references, strict=True)):
        dtype = np.asarray(one).dtype
        if dtype != np.float32:
            raise DisagreementError(f"{name}: gradient {place} is {dtype}, not float32")
        apart[f"gradient {place}"] = distance(one, other)
    allowed = tolerance(roundings)
    for what, far in apart.items():
        if not far <= allowed:
            raise DisagreementError(
                f"{name}: {what} is {far:.1e} off; rounding explains {allowed:.1e}"
            )
