"""What layers over features are in PyTorch."""

import torch
from torch.nn import functional


def dense(w, x, at=""):
    bias = w.get(f"{at}bias")
    return functional.linear(x, w[f"{at}weight"].T, bias)


def bilinear(w, x, y, at=""):
    return functional.bilinear(x, y, w[f"{at}weight"], w.get(f"{at}bias"))


def tied(w, words):
    weight = w["layers.0.weight"]
    return functional.linear(functional.embedding(words, weight), weight, w["layers.1.bias"])


def chain(w, x):
    return dense(w, functional.relu(dense(w, x.flatten(1), "layers.1.")), "layers.2.")


def maxout(w, x, count):
    return torch.stack([dense(w, x, f"layers.{place}.") for place in range(count)]).amax(0)


def sizes(w, x, y):
    left, right = dense(w, x, "layers.left."), dense(w, y, "layers.right.")
    return bilinear(w, left, right, "connection.")


def in_chain(w, x):
    return dense(w, x, "layers.0.")


def both(w, x):
    return torch.cat([dense(w, x, "layers.0."), dense(w, x, "layers.1.").tanh()], -1)


def embedding(w, words):
    return functional.embedding(words, w["weight"])


ACTIVATIONS = {
    "celu": functional.celu,
    "elu": functional.elu,
    "gelu": lambda x: functional.gelu(x, approximate="tanh"),
    "hardsigmoid": lambda x: (
        functional.relu6(x + 3) / 6
    ),  # the derivative of its own has 1/6 in float32
    "hardswish": functional.hardswish,
    "hardtanh": functional.hardtanh,
    "leaky_relu": functional.leaky_relu,
    "log_softmax": lambda x: functional.log_softmax(x, -1),
    "logsigmoid": functional.logsigmoid,
    "mish": functional.mish,
    "relu": functional.relu,
    "relu6": functional.relu6,
    "selu": functional.selu,
    "sigmoid": functional.sigmoid,
    "silu": functional.silu,
    "softmax": lambda x: functional.softmax(x, -1),
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "tanh": functional.tanh,
    "tanhshrink": functional.tanhshrink,
}

COUNTERPARTS = {
    "dense": lambda w, x: dense(w, x).tanh(),
    "dense.more_axes": dense,
    "dense.no_bias": dense,
    "dense.tied": tied,
    "dense.empty": dense,
    "bilinear": lambda w, x, y: bilinear(w, x, y).sigmoid(),
    "bilinear.no_bias": bilinear,
    "bilinear.empty": bilinear,
    "embedding": embedding,
    "embedding.one": embedding,
    "embedding.empty": embedding,
    "chain": chain,
    "dropout.prediction": in_chain,
    "dropout.of_none": in_chain,
    "flatten": lambda w, x: x.flatten(1),
    "flatten.empty": lambda w, x: x.flatten(1),
    "reshape": lambda w, x: x.reshape(len(x), 3, 4),
    "reshape.empty": lambda w, x: x.reshape(len(x), 3, 4),
    "skip": lambda w, x: dense(w, x, "layers.").tanh() + x,
    "skip.joined": lambda w, x: torch.cat([dense(w, x, "layers.").tanh(), x], -1),
    "parallel": both,
    "parallel.sum": lambda w, x: sum(dense(w, x, f"layers.{place}.") for place in range(3)),
    "parallel.inputs": sizes,
    "maxout": lambda w, x: maxout(w, x, 3),
    "maxout.empty": lambda w, x: maxout(w, x, 2),
    **{
        f"activation.{name}": lambda w, x, function=function: function(x)
        for name, function in ACTIVATIONS.items()
    },
}
