"""What the caller puts in the place of an array of their own tree."""

import numpy as np
import pytest

from optshare.binding import Binding
from optshare.errors import ParameterError
from optshare.plain import PlainTree
from optshare.tree import keyed


def test_a_replaced_array_is_followed_with_its_key():
    w = [np.zeros(1), np.zeros(2)]
    binding = Binding(w)
    key = binding.key(w[0])
    w[0] = np.ones(1)
    binding.tree.follow()
    assert binding.key(w[0]) is key
    assert key.stored is w[0]


def test_following_is_all_or_nothing():
    w = [np.zeros(1), np.zeros(2)]
    binding = Binding(w)
    first = w[0]
    w[0], w[1] = np.ones(1), np.zeros(3)
    with pytest.raises(ParameterError, match="shape"):
        binding.tree.follow()
    assert binding.keys[0].stored is first


def test_a_tree_has_another_form_when_what_is_no_array_is_another_object():
    model = {"w": np.zeros(1), "act": np.tanh}
    tree = PlainTree(model, keyed(model))
    form = tree.form
    model["w"] = np.ones(1)
    tree.follow()
    assert tree.form is form
    model["act"] = np.sin
    tree.follow()
    assert tree.form is not form


def test_a_number_among_the_arrays_is_refused_with_its_path():
    model = {"layer": [np.zeros(1), 0.5]}
    with pytest.raises(ParameterError, match=r"the float 0\.5 at 'layer\.1'"):
        PlainTree(model, keyed(model))
