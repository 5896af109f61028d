"""A layer and a module of PyTorch's over several batches: outputs, gradients, statistics."""

import numpy as np
import torch

import optshare
from optshare import registry
from tests.unit.closeness import assert_close

STATISTICS = {"mean": "running_mean", "var": "running_var"}


def drawn(*shape, seed=0):
    """Normal numbers in float64, of mean 2 and standard deviation 3."""
    return np.random.default_rng(seed).normal(2, 3, shape)


def assert_trains_as(layer, module, *batches, engine="tape"):
    """Equal in training on some batches, and then in prediction on the last."""
    module = module.double()
    names = copied(layer, module, batches[0])
    if optshare.params(layer):
        optshare.to(layer, engine)
    with optshare.use(engine):
        for batch in batches:
            assert_step(layer, module, names, batch, engine)
        with optshare.testmode(layer):
            assert_step(layer, module.eval(), names, batches[-1], engine)


def assert_step(layer, module, names, batch, engine):
    """One differentiation: the output is the gradient for what weighs it."""
    tensor = torch.tensor(batch, requires_grad=True)
    expected = module(tensor)
    weigh = drawn(*expected.shape, seed=9)
    module.zero_grad()
    (expected * torch.tensor(weigh)).sum().backward()

    given = map(registry.load(engine).ops.asarray, (batch, weigh))
    wrt = (0, 1, layer) if names else (0, 1)
    g = optshare.gradient(lambda x, w: (layer(x) * w).sum(), *given, wrt=wrt)
    assert_close(host(g[1]), host(expected))
    assert_close(host(g[0]), host(tensor.grad))
    for name in names:
        assert_close(host(g[getattr(layer, name)]), host(getattr(module, name).grad))
    assert_same_statistics(layer, module)


def assert_same_statistics(layer, module):
    """The Buffers are those of the module, if it has some."""
    for ours, theirs in STATISTICS.items():
        tensor = getattr(module, theirs, None)
        if tensor is not None:
            assert_close(host(getattr(layer, ours).value), host(tensor))


def copied(layer, module, batch):
    """The names of the module's parameters, which both have drawn values of now."""
    with optshare.testmode(layer):
        layer(batch)  # which tells the sizes
    names = [name for name, _ in module.named_parameters()]
    with torch.no_grad():
        for seed, name in enumerate(names):
            mine = getattr(layer, name)
            mine.value = drawn(*mine.shape, seed=seed)
            getattr(module, name).copy_(torch.tensor(mine.value))
    return names


def host(array):
    """The numbers of an array of any engine."""
    return np.asarray(array.detach() if isinstance(array, torch.Tensor) else array)
