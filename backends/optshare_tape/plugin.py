"""What the tape tells optshare; imports nothing of the engine."""

from optshare.extend import BackendDescription, Capabilities, hookimpl


@hookimpl
def optshare_backend() -> BackendDescription:
    """Describe the tape."""
    return BackendDescription(
        name="tape",
        array_types=(
            "numpy.ndarray",
            "numpy.generic",
            "cupy.ndarray",
            "optshare_tape.values.Value",
        ),
        load="optshare_tape.backend:backend",
        priority=20,
        capabilities=Capabilities(
            vjp=True,
            higher_order=True,
            accumulates_grad=True,
            inplace=True,
            complex=True,
            devices=("cpu",),
            dtypes=("float16", "float32", "float64", "complex64", "complex128"),
        ),
    )
