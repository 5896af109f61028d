"""Scikit-learn's bundled handwritten digits, in one fixed split."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from optshare.errors import OptshareError


class MissingExtraError(OptshareError, ImportError):
    """The demo needs a package that is not installed."""


def require(module: str) -> Any:
    """A module of the `demo` extra."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"the demo needs {module.split('.')[0]}; pip install 'optshare-ad[demo]'"
        ) from error


class Digits(NamedTuple):
    """1797 images of 8 x 8 pixels from 0 to 1, flattened, with labels from 0 to 9."""

    train_x: Any
    train_y: Any
    test_x: Any
    test_y: Any


def load_digits(test_share: float = 0.2, seed: int = 0) -> Digits:
    """The digits in float64, split into training and test examples.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
    Digits, 1998, as bundled with scikit-learn.
    """
    bunch = require("sklearn.datasets").load_digits()
    images = np.asarray(bunch.data, np.float64) / 16
    labels = np.asarray(bunch.target, np.int64)
    order = np.random.default_rng(seed).permutation(len(images))
    test, train = np.split(order, [round(test_share * len(order))])
    return Digits(images[train], labels[train], images[test], labels[test])
