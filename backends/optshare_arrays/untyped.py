"""NumPy's and Python's functions, seen without types.

They are applied to arrays of any library that NumPy dispatches to, and to
tracked values; NumPy's own annotations describe only its own arrays.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy

np: Any = numpy
op: Any = operator
