import re

import numpy as np
import pytest

import optshare
from optshare import MultiHeadAttention, TransformerBlock
from optshare.errors import DataError, UnbuiltError
from optshare.layers.projection import Projection, projection, tell


def test_a_projection_of_known_sizes_is_a_dense():
    assert projection(3, 2) == optshare.Dense(3, 2)
    assert projection(3, None) == projection(None, 2) == Projection()


def test_it_has_no_value_until_it_is_told_its_sizes():
    layer = Projection(activation=optshare.relu, dtype=np.float64)
    with pytest.raises(UnbuiltError, match="has no value yet"):
        layer(np.ones((2, 3)))
    tell(layer, 3, 2)
    assert layer(np.ones((2, 3))).shape == (2, 2)
    assert (layer(-np.ones((2, 3))) >= 0).all()
    before = layer.weight.value
    tell(layer, 3, 2)
    assert layer.weight.value is before


def test_other_sizes_than_told_are_refused():
    layer = Projection()
    tell(layer, 3, 2)
    essence = "Projection() needs an array whose last axis has 3 elements, not one of shape (2, 4)"
    with pytest.raises(DataError, match=re.escape(essence)):
        layer(np.ones((2, 4)))


@pytest.mark.parametrize("layer", [MultiHeadAttention(2), TransformerBlock(2)])
def test_after_the_first_input_another_size_is_refused_and_named(layer):
    layer(np.ones((1, 3, 4), np.float32))
    part = "query: Projection()" if isinstance(layer, MultiHeadAttention) else "attention_norm: "
    with pytest.raises(DataError, match=f"^{re.escape(part)}.*6"):
        layer(np.ones((1, 3, 6), np.float32))
