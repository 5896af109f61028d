import numpy as np
import pytest

import optshare
from optshare import Gradients, Parameter
from optshare.binding import Binding
from optshare.errors import EmptyModelError, UnregisteredParameterError


@pytest.fixture
def tied():
    p, q = Parameter([1.0]), Parameter([2.0])
    return Binding({"enc": p, "mid": [q], "dec": p}), p, q


def paired(binding, gradients):
    return [
        (binding.path(key), None if g is None else g.tolist())
        for key, g in binding.paired(gradients)
    ]


def test_a_binding_knows_each_parameter_once_with_its_first_path(tied):
    binding, p, q = tied
    assert [key is wanted for key, wanted in zip(binding.keys, [p, q], strict=True)] == [True, True]
    assert (binding.path(p), binding.path(q)) == ("enc", "mid.0")
    assert not binding.tree.slots


def test_a_list_is_parallel_to_the_parameters(tied):
    binding, _, _ = tied
    assert paired(binding, [np.array([1.0]), None]) == [("enc", [1.0]), ("mid.0", None)]


def test_a_tree_is_laid_over_the_paths_and_ties_are_summed(tied):
    binding, _, _ = tied
    tree = {"dec": np.array([1.0]), "enc": np.array([10.0]), "mid": [np.array([3.0])]}
    assert sorted(paired(binding, tree)) == [("enc", [11.0]), ("mid.0", [3.0])]


def test_gradients_are_laid_over_by_identity(tied):
    binding, p, q = tied
    g = Gradients([q, p], [np.array([1.0]), np.array([2.0])])
    assert paired(binding, g) == [("mid.0", [1.0]), ("enc", [2.0])]


def test_summing_the_gradients_of_a_tie_does_not_write_into_them(tied):
    binding, _, _ = tied
    tree = {"dec": np.array([1.0]), "enc": np.array([10.0]), "mid": [None]}
    binding.paired(tree)
    assert (tree["dec"].tolist(), tree["enc"].tolist()) == ([1.0], [10.0])


def test_a_part_of_the_model_finds_its_keys_once(tied):
    binding, p, q = tied
    found = binding.keys_of([p, [q], p])
    assert [key is wanted for key, wanted in zip(found, [p, q], strict=True)] == [True, True]
    with pytest.raises(EmptyModelError, match="holds no parameters"):
        binding.keys_of([])


def test_an_unknown_path_names_the_known_ones(tied):
    binding, _, _ = tied
    with pytest.raises(UnregisteredParameterError, match=r"at 'head'.*enc, mid\.0"):
        binding.paired({"head": np.ones(1)})


def test_a_stranger_is_refused_with_the_paths_that_are_held(tied):
    binding, _, _ = tied
    with pytest.raises(UnregisteredParameterError, match=r"it holds enc, mid\.0"):
        binding.key(Parameter([1.0]))


def test_the_arrays_of_a_plain_tree_are_known_by_themselves():
    w = [np.zeros(1), {"b": np.zeros(2)}]
    binding = Binding(w)
    assert list(binding.tree.slots) == ["0", "1.b"]
    assert binding.key(w[1]["b"]).stored is w[1]["b"]
    assert binding.path(binding.key(w[1]["b"])) == "1.b"
    with pytest.raises(UnregisteredParameterError):
        binding.key(np.zeros(1))


@pytest.mark.parametrize(
    "nothing", [[], {}, (), object(), lambda x: x, optshare.relu, 3, "abc", None]
)
def test_a_model_without_parameters_is_refused(nothing):
    with pytest.raises(EmptyModelError, match=f"{type(nothing).__name__} holds no parameters"):
        Binding(nothing)
