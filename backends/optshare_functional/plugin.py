"""What the functional engine tells optshare; imports nothing of the engine."""

from optshare.extend import BackendDescription, Capabilities, hookimpl


@hookimpl
def optshare_backend() -> BackendDescription:
    """Describe the functional engine."""
    return BackendDescription(
        name="functional",
        array_types=(
            "numpy.ndarray",
            "numpy.generic",
            "cupy.ndarray",
            "optshare_functional.trace.Tracer",
        ),
        load="optshare_functional.backend:backend",
        priority=10,
        capabilities=Capabilities(
            vjp=True,
            higher_order=True,
            inplace=True,
            complex=True,
            devices=("cpu",),
            dtypes=("float16", "float32", "float64", "complex64", "complex128"),
        ),
    )
