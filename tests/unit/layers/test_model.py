import numpy as np
import pytest

import optshare
from optshare import Model, Parameter
from optshare.errors import InPlaceError


class Line(Model):
    def __init__(self):
        self.w, self.b = Parameter([[2.0]]), Parameter([1.0])

    def predict(self, x):
        return x @ self.w + self.b

    def loss(self, x, y):
        return optshare.mse(self(x), y)


def test_a_call_without_arguments_iterates_over_the_parameters():
    line = Line()
    found = list(line())
    assert found[0] is line.w
    assert found[1] is line.b
    assert len(found) == 2


def test_a_call_with_one_predicts_and_with_two_gives_the_loss():
    line, x = Line(), np.array([[3.0]])
    assert line(x).tolist() == [[7.0]]
    assert line(x, np.array([[5.0]])) == 4.0


def test_a_model_is_its_own_loss_function(backend):
    line, x, y = Line(), np.array([[1.0]]), np.array([[0.0]])
    opt = optshare.SGD(line, lr=0.125)
    assert opt.step(line, x, y) == 9.0
    assert (line.w.value.tolist(), line.b.value.tolist()) == ([[1.25]], [0.25])


def test_more_arguments_are_refused():
    with pytest.raises(TypeError, match=r"Line is called with \(\), \(x\) or \(x, y\), not 3"):
        Line()(1, 2, 3)


def test_a_subclass_without_a_method_says_which_is_missing():
    with pytest.raises(NotImplementedError, match=r"Model defines no predict\(x\)"):
        Model()(np.ones(1))
    with pytest.raises(NotImplementedError, match=r"Model defines no loss\(x, y\)"):
        Model()(np.ones(1), np.ones(1))


def test_a_models_parameter_is_not_replaced_by_an_array():
    line = Line()
    with pytest.raises(InPlaceError, match=r"\.value"):
        line.w = np.zeros((1, 1))
    assert isinstance(line.w, Parameter)
