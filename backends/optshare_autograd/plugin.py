"""What the autograd adapter tells optshare; imports no autograd."""

from optshare.extend import BackendDescription, Capabilities, hookimpl


@hookimpl
def optshare_backend() -> BackendDescription:
    """Describe the autograd adapter."""
    return BackendDescription(
        name="autograd",
        array_types=(
            "numpy.ndarray",
            "numpy.generic",
            "autograd.numpy.numpy_boxes.ArrayBox",
            "autograd.tracer.Box",
        ),
        load="optshare_autograd.backend:backend",
        priority=-20,
        capabilities=Capabilities(
            vjp=True,
            higher_order=True,
            inplace=True,
            complex=True,
            devices=("cpu",),
            dtypes=("float16", "float32", "float64", "complex64", "complex128"),
        ),
    )
