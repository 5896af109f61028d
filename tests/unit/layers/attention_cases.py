"""Engines to compute on, and PyTorch's layers with the weights of ours."""

import contextlib

import numpy as np
import torch

import optshare
from optshare import registry

ENGINES = ["tape", "functional", "torch", "autograd", "jax"]
HOSTED = ENGINES[:-1]
"""Those that compile nothing."""


@contextlib.contextmanager
def on(engine, *arrays):
    """The arrays on an engine, which is preferred inside."""
    with optshare.use(engine):
        yield [registry.load(engine).ops.asarray(each) for each in arrays]


def drawn(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def host(x):
    return x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)


def tensors(*arrays):
    return [torch.tensor(each, requires_grad=each.dtype.kind == "f") for each in arrays]


def perturb(layer):
    """No Parameter at what it begins with: biases of 0 would hide what they do."""
    for place, each in enumerate(optshare.params(layer)):
        each.value = each.value + 0.3 * drawn(*each.shape, seed=place).astype(each.dtype)


def multihead_like(layer):
    """PyTorch's attention with our weights, and which of its tensors hold them."""
    features, heads = layer.out.weight.shape[0], layer.given()[-1]
    kdim, vdim = layer.key.weight.shape[0], layer.value.weight.shape[0]
    theirs = torch.nn.MultiheadAttention(
        features,
        heads,
        bias=layer.bias,
        kdim=kdim,
        vdim=vdim,
        batch_first=True,
        dtype=torch.float64,
    )
    pairs = attention_pairs(layer, theirs)
    copy_to(pairs)
    return theirs, pairs


def attention_pairs(ours, theirs):
    """Triples: our Parameter, their tensor, and where in it the former's transpose stands."""
    features, parts = ours.out.weight.shape[0], (ours.query, ours.key, ours.value)
    apart = theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight
    pairs = []
    for place, (part, alone) in enumerate(zip(parts, apart, strict=True)):
        rows = slice(place * features, (place + 1) * features)
        packed = theirs.in_proj_weight is not None
        pairs.append((part.weight, *((theirs.in_proj_weight, rows) if packed else (alone, ...))))
        if part.bias is not None:
            pairs.append((part.bias, theirs.in_proj_bias, rows))
    return pairs + dense_pairs(ours.out, theirs.out_proj)


def dense_pairs(ours, theirs):
    bias = [] if ours.bias is None else [(ours.bias, theirs.bias, ...)]
    return [(ours.weight, theirs.weight, ...), *bias]


def copy_to(pairs):
    with torch.no_grad():
        for ours, theirs, place in pairs:
            theirs[place] = torch.tensor(ours.value.T)


def encoder_like(block, activation):
    """PyTorch's encoder layer with our weights, and the pairs."""
    features, hidden = block.expand.weight.shape
    theirs = torch.nn.TransformerEncoderLayer(
        features,
        block.given()[-1],
        hidden,
        dropout=0.0,
        activation=activation,
        batch_first=True,
        norm_first=block.norm_first,
        dtype=torch.float64,
    )
    pairs = [
        *attention_pairs(block.attention, theirs.self_attn),
        *dense_pairs(block.expand, theirs.linear1),
        *dense_pairs(block.contract, theirs.linear2),
        *dense_pairs(block.attention_norm, theirs.norm1),
        *dense_pairs(block.feedforward_norm, theirs.norm2),
    ]
    copy_to(pairs)
    assert len(pairs) == len(optshare.params(block))
    return theirs, pairs


def assert_equal_to_theirs(deviation, found, pairs, gradients):
    """Outputs, and the gradients of every Parameter, equal to 1e-12 of the largest element."""
    ours, theirs = found
    assert deviation(theirs.detach().numpy(), host(ours)) <= 1e-12
    assert len(pairs) == len({id(each) for each, _, _ in pairs}) > 0
    largest = max(np.abs(host(gradients[each])).max() for each, _, _ in pairs)
    for each, tensor, place in pairs:
        wanted = tensor.grad[place].numpy().T
        # a key's bias moves all scores of a query alike: its gradient is 0, but for rounding
        assert deviation(wanted, host(gradients[each]), lr=largest) <= 1e-12
