"""NumPy's and Python's functions, seen without types: they are applied to arrays of any library."""

from __future__ import annotations

import operator
from typing import Any

import numpy

np: Any = numpy
op: Any = operator
