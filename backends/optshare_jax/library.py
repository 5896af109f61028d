"""JAX as the other modules name it; half annotated, so here it is `Any`, once for all."""

from __future__ import annotations

from typing import Any

import jax as _jax
import jax.extend.core as _core
import jax.numpy as _numpy
from jax import dlpack as _dlpack
from jax.interpreters import partial_eval as _partial_eval

jax: Any = _jax
jnp: Any = _numpy
jax_core: Any = _core
dlpack: Any = _dlpack
partial_eval: Any = _partial_eval
