import numpy as np
import pytest

import optshare
import optshare.tree
from optshare import Chain, Dense, Parameter
from optshare.errors import DataError

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


def test_members_may_have_names():
    body, head = Dense(2, 3), Dense(3, 1)
    chain = Chain(body=body, head=head)
    assert chain["head"] is head
    assert chain[0] is body
    assert list(chain) == [body, head]
    assert [path for path, _ in optshare.tree.leaves(chain)][:2] == [
        "layers.body.weight",
        "layers.body.bias",
    ]
    assert repr(chain) == "Chain(body=Dense(2, 3), head=Dense(3, 1))"
    x = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(chain(x), head(body(x)))


def test_a_slice_keeps_the_names():
    chain = Chain(a=Dense(2, 3), b=optshare.relu, c=Dense(3, 1))
    assert list(chain[1:].layers) == ["b", "c"]


def test_names_for_some_of_the_members_are_refused():
    with pytest.raises(TypeError, match="give all layers a name, or none"):
        Chain(optshare.relu, head=Dense(3, 1))


def test_chains_are_equal_by_their_structure():
    assert Chain(Dense(3), optshare.relu) == Chain(Dense(3), optshare.relu)
    assert Chain(Dense(3), optshare.relu) != Chain(Dense(3), optshare.tanh)
    assert Chain(a=Dense(3)) == Chain(a=Dense(3))
    assert Chain(a=Dense(3)) != Chain(b=Dense(3))
    assert len({Chain(Dense(3)), Chain(Dense(3))}) == 1


@pytest.mark.parametrize(
    ("inner", "path"),
    [
        (lambda bad: Chain(Dense(2, 3), bad), "layers.1"),
        (lambda bad: Chain(Dense(2, 3), Chain(optshare.tanh, bad)), "layers.1.layers.1"),
        (lambda bad: Chain(first=Dense(2, 3), then=Chain(it=bad)), "layers.then.layers.it"),
    ],
)
def test_an_input_that_does_not_fit_a_member_is_refused_with_its_path(inner, path):
    chain = inner(Dense(7, 2))
    with pytest.raises(DataError) as caught:
        chain(np.ones((5, 2), np.float32))
    needs = "Dense(7, 2) needs an array whose last axis has 7 elements, not one of shape (5, 3)"
    assert str(caught.value) == f"{path}: {needs}"
