"""What the JAX adapter tells optshare; imports no JAX."""

from optshare.extend import BackendDescription, Capabilities, hookimpl


@hookimpl
def optshare_backend() -> BackendDescription:
    """Describe the JAX adapter."""
    return BackendDescription(
        name="jax",
        array_types=(
            "jaxlib._jax.ArrayImpl",
            "jax._src.core.Tracer",
            "jax._src.random.prng.PRNGKeyArray",
            "numpy.ndarray",
            "numpy.generic",
        ),
        native_types=(
            "flax.nnx.pytreelib.Pytree",
            "flax.nnx.variablelib.Variable",
            "flax.nnx.statelib.State",
            "equinox._module._module.Module",
        ),
        load="optshare_jax.backend:backend",
        priority=-10,
        capabilities=Capabilities(
            vjp=True,
            higher_order=True,
            jit=True,
            complex=True,
            devices=("cpu",),
            dtypes=(
                "bfloat16",
                "float16",
                "float32",
                "float64",
                "complex64",
                "complex128",
            ),
        ),
    )
