import numpy as np
import pytest

import optshare
from optshare import Chain, Dense, Parameter

pytestmark = pytest.mark.usefixtures("backend")


def test_layers_are_called_in_order_and_any_callable_may_stand():
    class Scale:
        def __init__(self):
            self.by = Parameter(3.0)

        def __call__(self, x):
            return x * self.by

    chain = Chain(lambda x: x + 1.0, Scale(), np.negative)
    assert chain(np.array([1.0])).tolist() == [-6.0]
    g = optshare.gradient(lambda x: chain(x).sum(), np.array([1.0]), wrt=(0, chain))
    assert g[0].tolist() == [-3.0]
    assert g[chain[1].by] == -2.0


def test_an_empty_chain_is_the_identity():
    x = np.ones(2)
    assert Chain()(x) is x


def test_chains_nest_and_share_parameters():
    shared = Dense(2, 2)
    chain = Chain(shared, Chain(optshare.tanh, shared), shared)
    assert len(optshare.params(chain)) == 2
    x = np.ones((1, 2), np.float32)
    wanted = shared(np.tanh(shared(x)))
    np.testing.assert_array_equal(chain(x), shared(wanted))


def test_it_has_a_length_and_gives_its_layers():
    first, second = Dense(2, 3), Dense(3, 1)
    chain = Chain(first, optshare.relu, second)
    assert len(chain) == 3
    assert chain[0] is first
    assert chain[-1] is second
    assert [each is wanted for each, wanted in zip(chain, chain.layers, strict=True)] == [True] * 3


def test_a_slice_is_a_chain_of_the_same_layers():
    chain = Chain(Dense(2, 3), optshare.relu, Dense(3, 1))
    head = chain[:2]
    assert isinstance(head, Chain)
    assert head[0] is chain[0]
    x = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(chain(x), chain[2:](head(x)))


def test_repr_shows_the_layers():
    assert (
        repr(Chain(Dense(2, 3, optshare.relu), optshare.tanh)) == "Chain(Dense(2, 3, relu), tanh)"
    )


@pytest.mark.parametrize("wrong", ["relu", [optshare.Flatten()], None])
def test_a_member_that_cannot_be_called_is_refused(wrong):
    with pytest.raises(TypeError, match=r"layer 1 is a .* which cannot be called"):
        optshare.Chain(optshare.Flatten(), wrong)
