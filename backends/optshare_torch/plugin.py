"""What the PyTorch adapter tells optshare; imports no PyTorch."""

from optshare.extend import BackendDescription, Capabilities, hookimpl


@hookimpl
def optshare_backend() -> BackendDescription:
    """Describe the PyTorch adapter."""
    return BackendDescription(
        name="torch",
        array_types=("torch.Tensor",),
        native_types=("torch.nn.modules.module.Module", "torch.nn.parameter.Parameter"),
        load="optshare_torch.backend:backend",
        capabilities=Capabilities(
            vjp=True,
            higher_order=True,
            accumulates_grad=True,
            inplace=True,
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
