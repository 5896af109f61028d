"""Layers against modules of PyTorch: outputs, and gradients for the input and each Parameter."""

import numpy as np
import torch

import optshare
from optshare import registry
from tests.unit.closeness import assert_close


def drawn(*shape, seed=0):
    """Normal numbers in float64."""
    return np.random.default_rng(seed).normal(size=shape)


def assert_agrees(layer, module, x, engine="tape"):
    """A layer and a module of PyTorch's that gets its weights, or a function, do the same."""
    asarray = registry.load(engine).ops.asarray
    parameters = copied(layer, module)
    tensor = torch.tensor(x, requires_grad=True)
    expected = module(tensor)
    weigh = drawn(*expected.shape, seed=1)
    (expected * torch.tensor(weigh)).sum().backward()

    if parameters:
        optshare.to(layer, engine)
    given, factor = asarray(x), asarray(weigh)
    wrt = (0, layer) if parameters else (0,)
    with optshare.use(engine):
        assert_close(host(layer(given)), expected.detach().numpy())
        g = optshare.gradient(lambda x: (layer(x) * factor).sum(), given, wrt=wrt)
    assert_close(host(g[0]), tensor.grad.numpy())
    for name, theirs in parameters.items():
        assert_close(host(g[getattr(layer, name)]), theirs.grad.numpy())


def copied(layer, module):
    """The parameters of a module, which now has the values of the layer's, by name."""
    found = dict(module.named_parameters()) if isinstance(module, torch.nn.Module) else {}
    with torch.no_grad():
        for name, each in found.items():
            mine = getattr(layer, name)
            mine.value = drawn(*mine.shape, seed=2)
            each.copy_(torch.tensor(mine.value))
    return found


def host(array):
    """The numbers of an array of any engine."""
    return np.asarray(array.detach() if isinstance(array, torch.Tensor) else array)
