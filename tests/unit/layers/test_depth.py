import operator

import pytest

from optshare import (
    BatchNorm,
    Chain,
    Dense,
    Flatten,
    Maxout,
    Parallel,
    SkipConnection,
    depth,
    relu,
)

LAYER = Dense(3)


@pytest.mark.parametrize(
    ("model", "layers"),
    [
        (LAYER, 1),
        (relu, 1),
        (Chain(), 0),
        (Chain(Flatten(), LAYER, relu), 3),
        (Chain(LAYER, Chain(LAYER, BatchNorm())), 3),
        (Chain(a=LAYER, b=LAYER), 2),
        (SkipConnection(Chain(LAYER, LAYER)), 2),
        (Parallel(operator.add, LAYER, Chain(LAYER, LAYER, LAYER)), 3),
        (Parallel(operator.add, a=Chain(LAYER, LAYER), b=LAYER), 2),
        (Maxout(Chain(LAYER, LAYER), LAYER), 2),
        (Chain(LAYER, SkipConnection(Parallel(operator.add, LAYER, Chain(LAYER, relu)))), 3),
    ],
)
def test_depth_counts_layers_one_after_the_other(model, layers):
    assert depth(model) == layers
