"""What optshare reads before it loads MyGrad; nothing here imports it."""

from optshare.extend import BackendDescription, Capabilities, hookimpl


@hookimpl
def optshare_backend():
    """Describe the backend: MyGrad computes on the host, and forgets a graph once it was used."""
    return BackendDescription(
        name="mygrad",
        array_types=("mygrad.tensor_base.Tensor", "numpy.ndarray", "numpy.generic"),
        load="optshare_mygrad.backend:backend",
        capabilities=Capabilities(vjp=True, devices=("cpu",), dtypes=("float32", "float64")),
    )
