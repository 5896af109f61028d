import numpy as np
import pytest

import optshare
from optshare import Activation, Chain
from optshare.errors import HyperparameterError
from optshare.layers import activations

pytestmark = pytest.mark.usefixtures("backend")


@pytest.mark.parametrize(
    "layer", [Activation("relu"), Activation(optshare.relu), Chain(Activation("relu"))], ids=repr
)
def test_values_and_gradients_are_those_of_the_function(layer):
    x = np.array([-1.0, 2.0])
    assert layer(x).tolist() == [0.0, 2.0]
    assert optshare.gradient(lambda x: layer(x).sum(), x)[0].tolist() == [0.0, 1.0]


def test_a_name_and_a_function_give_equal_layers():
    assert Activation("relu") == Activation(optshare.relu) != Activation("tanh")
    assert repr(Activation("relu")) == repr(Activation(optshare.relu)) == "Activation(relu)"


def test_every_activation_has_its_name():
    names = [name for name in optshare.layers.__all__ if hasattr(activations, name)]
    assert len(names) >= 20
    for name in names:
        assert Activation(name).function is getattr(optshare, name)


def test_any_function_will_do():
    assert Activation(lambda x: x + 1)(2) == 3


@pytest.mark.parametrize("name", ["rellu", "namespace_of", "Any", "annotations", ""])
def test_another_name_is_refused_with_the_choices(name):
    with pytest.raises(HyperparameterError, match=f"no activation '{name}'; choices: .*tanh"):
        Activation(name)


def test_what_is_neither_is_refused():
    with pytest.raises(TypeError, match="takes a function or a name, not 3"):
        Activation(3)
