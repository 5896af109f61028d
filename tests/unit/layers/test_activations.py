import numpy as np
import pytest
import torch
from torch.nn import functional

import optshare
from optshare.errors import UnclaimedArrayError

pytestmark = pytest.mark.usefixtures("backend")

X = np.array([[-30.0, -2.0, -0.5, -1e-3], [1e-3, 0.5, 2.0, 30.0]])

PAIRS = {
    "relu": (optshare.relu, functional.relu),
    "leaky_relu": (optshare.leaky_relu, functional.leaky_relu),
    "leaky_relu of 0.2": (
        lambda x: optshare.leaky_relu(x, 0.2),
        lambda x: functional.leaky_relu(x, 0.2),
    ),
    "elu": (optshare.elu, functional.elu),
    "elu of 0.5": (lambda x: optshare.elu(x, 0.5), lambda x: functional.elu(x, 0.5)),
    "selu": (optshare.selu, functional.selu),
    "gelu": (optshare.gelu, lambda x: functional.gelu(x, approximate="tanh")),
    "celu": (optshare.celu, functional.celu),
    "celu of 0.5": (lambda x: optshare.celu(x, 0.5), lambda x: functional.celu(x, 0.5)),
    "hardsigmoid": (  # the derivative of PyTorch's own has 1/6 in single precision
        optshare.hardsigmoid,
        lambda x: functional.relu6(x + 3) / 6,
    ),
    "hardswish": (optshare.hardswish, functional.hardswish),
    "hardtanh": (optshare.hardtanh, functional.hardtanh),
    "logsigmoid": (optshare.logsigmoid, functional.logsigmoid),
    "mish": (optshare.mish, functional.mish),
    "relu6": (optshare.relu6, functional.relu6),
    "softsign": (optshare.softsign, functional.softsign),
    "tanhshrink": (optshare.tanhshrink, functional.tanhshrink),
    "silu": (optshare.silu, functional.silu),
    "sigmoid": (optshare.sigmoid, torch.sigmoid),
    "softplus": (optshare.softplus, lambda x: functional.softplus(x, threshold=1e9)),
    "tanh": (optshare.tanh, torch.tanh),
    "softmax": (optshare.softmax, lambda x: torch.softmax(x, -1)),
    "softmax along 0": (lambda x: optshare.softmax(x, axis=0), lambda x: torch.softmax(x, 0)),
    "log_softmax": (optshare.log_softmax, lambda x: torch.log_softmax(x, -1)),
    "log_softmax along 0": (
        lambda x: optshare.log_softmax(x, axis=0),
        lambda x: torch.log_softmax(x, 0),
    ),
}
every_pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)


@every_pair
def test_values_and_gradients_are_torchs(ours, theirs, deviation):
    weigh = np.arange(1.0, 9.0).reshape(2, 4)
    tensor = torch.tensor(X, requires_grad=True)
    out = theirs(tensor)
    (out * torch.tensor(weigh)).sum().backward()
    (g,) = optshare.gradient(lambda x: (ours(x) * weigh).sum(), X)
    assert deviation(out.detach().numpy(), ours(X)) <= 1e-12
    assert deviation(tensor.grad.numpy(), g) <= 1e-12


@every_pair
def test_single_precision_stays_single_precision(ours, theirs):
    assert ours(X.astype(np.float32)).dtype == np.float32


@every_pair
def test_extreme_inputs_overflow_nowhere(ours, theirs):
    x = np.array([[-1e4, -1e3, 0.0, 1e3], [1e4, 1.0, -1.0, 0.0]])
    (g,) = optshare.gradient(lambda x: ours(x).sum(), x)
    assert np.all(np.isfinite(ours(x)))
    assert np.all(np.isfinite(g))


def test_the_derivative_of_relu_at_its_kink_is_zero():
    (g,) = optshare.gradient(lambda x: optshare.relu(x).sum(), np.zeros(3))
    assert g.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("activation", [optshare.relu, optshare.sigmoid, optshare.softmax])
def test_an_activation_of_a_box_names_its_value(activation):
    with pytest.raises(optshare.errors.ImplicitUnwrapError, match=r"p\.value"):
        activation(optshare.Parameter([1.0]))


@pytest.mark.parametrize("wrong", [[1.0, 2.0], None, "x"])
def test_what_is_no_array_is_named(wrong):
    with pytest.raises(UnclaimedArrayError, match=f"No backend owns {type(wrong).__name__}"):
        optshare.relu(wrong)


def test_a_variable_is_taken_as_it_is():
    import optshare_tape

    v = optshare_tape.Variable([-1.0, 2.0])
    optshare_tape.back(optshare.relu(v).sum())
    assert v.grad.tolist() == [0.0, 1.0]
