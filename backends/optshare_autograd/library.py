"""Autograd and NumPy as the other modules name them; not annotated, so `Any`, once for all."""

# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from typing import Any

import autograd.core as _core
import autograd.numpy as _numpy
import autograd.numpy.numpy_boxes as _boxes
import autograd.numpy.numpy_vjps as _vjps
import autograd.tracer as _tracer
import numpy

np: Any = numpy
anp: Any = _numpy
core: Any = _core
tracer: Any = _tracer
boxes: Any = _boxes
vjps: Any = _vjps

is_box: Any = tracer.isbox
plain: Any = tracer.getval
"""The array under a value, however many differentiations track it."""
