"""The shapes of each set of parameters. Quick ones say that all runs, and nothing about speed."""

import numpy as np

BLOCKS = 3, 4, 6, 3
EXPANSION = 4


def one_array(quick):
    """One array of ten million elements."""
    return [(10_000 if quick else 10_000_000,)]


def resnet_50(quick):
    """ResNet-50's 161 shapes, 25,557,032 elements: He et al., https://arxiv.org/abs/1512.03385."""
    return list(resnet(4, 10) if quick else resnet(64, 1000))


def thousand_arrays(quick):
    """A thousand arrays of 64 to 1024 elements."""
    sizes = np.random.default_rng(0).integers(64, 1025, 30 if quick else 1000)
    return [(int(each),) for each in sizes]


def resnet(width, classes):
    """A stem, four stages of bottlenecks, and the layer over the classes."""
    yield from convolution(3, width, 7)
    inputs = width
    for stage, blocks in enumerate(BLOCKS):
        inner = width * 2**stage
        outputs = EXPANSION * inner
        for block in range(blocks):
            yield from bottleneck(inputs, inner, outputs, shortcut=block == 0)
            inputs = outputs
    yield from ((classes, inputs), (classes,))


def bottleneck(inputs, inner, outputs, *, shortcut):
    """1x1, 3x3 and 1x1, and a 1x1 convolution beside them where the number of channels changes."""
    yield from convolution(inputs, inner, 1)
    yield from convolution(inner, inner, 3)
    yield from convolution(inner, outputs, 1)
    if shortcut:
        yield from convolution(inputs, outputs, 1)


def convolution(inputs, outputs, size):
    """A convolution without a bias, and the scale and shift of its batch normalisation."""
    yield from ((outputs, inputs, size, size), (outputs,), (outputs,))
