"""JAX behind optshare's door: shared layers and compiled steps on `jax.Array`.

`optshare_jax.jit(model)` compiles a prediction that reads the current weights.
"""

from typing import TYPE_CHECKING

from optshare.extend import lazy_exports

if TYPE_CHECKING:
    from optshare_jax.compiling import CapturedArrayWarning, RecompilationWarning
    from optshare_jax.prediction import jit

__all__ = ["CapturedArrayWarning", "RecompilationWarning", "jit"]
__getattr__ = lazy_exports(__name__, compiling=tuple(__all__[:2]), prediction=("jit",))
