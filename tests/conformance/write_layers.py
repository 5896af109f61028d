"""Writes the numbers that PyTorch has for every case of level 5, in float64.

`python tests/conformance/write_layers.py` writes them into the kit, which itself never needs
PyTorch. A test computes them anew.
"""

import numpy as np
import safetensors.numpy
import torch

from optshare.parameter import Parameter
from optshare.testing.layer_cases import CASES
from optshare.testing.layer_cases.case import held
from optshare.testing.layer_cases.torch_numbers import FILE
from tests.conformance.torch_layers import COUNTERPARTS

COMMAND = "python tests/conformance/write_layers.py"


def computed(case):
    """What PyTorch has for a case: outputs, gradients, and running statistics afterwards."""
    inputs = [leaf(each, place in case.drawn) for place, each in enumerate(case.arrays())]
    boxes = held(case.layer("functional"))
    weights = {path: leaf(box.value, isinstance(box, Parameter)) for path, box in boxes.items()}
    found = COUNTERPARTS[case.name](weights, *inputs)
    outputs = [found] if isinstance(found, torch.Tensor) else found
    weighed(case, outputs).backward()
    leaves = {**{f"input/{k}": x for k, x in enumerate(inputs)}, **weights}
    return {
        **{f"output/{k}": host(y) for k, y in enumerate(outputs)},
        **{f"gradient/{name}": host(x.grad) for name, x in leaves.items() if x.requires_grad},
        **{f"statistic/{path}": host(x) for path, x in weights.items() if is_statistic(x)},
    }


def leaf(array, differentiated):
    """A tensor of its own memory."""
    return torch.tensor(np.asarray(array), requires_grad=differentiated)


def weighed(case, outputs):
    """The loss: each output times numbers of its own, summed."""
    factors = [case.numbers(f"output/{k}", tuple(y.shape)) for k, y in enumerate(outputs)]
    return sum((y * torch.tensor(each)).sum() for y, each in zip(outputs, factors, strict=True))


def is_statistic(tensor):
    """Whether a tensor holds a running statistic: no weight, and no count."""
    return tensor.is_floating_point() and not tensor.requires_grad


def host(tensor):
    """The numbers, in C order."""
    return np.ascontiguousarray(tensor.detach().numpy()).reshape(tensor.shape)


def main():
    """Write the file."""
    arrays = {
        f"{name}/{what}": array
        for name, case in CASES.items()
        for what, array in computed(case).items()
    }
    FILE.write_bytes(safetensors.numpy.save(arrays))


if __name__ == "__main__":
    main()
