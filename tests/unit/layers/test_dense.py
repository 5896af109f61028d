import numpy as np
import pytest
import torch

import optshare
from optshare.errors import DataError

pytestmark = pytest.mark.usefixtures("backend")


@pytest.mark.parametrize("shape", [(5, 3), (3,), (2, 5, 3), (0, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_torchs_linear(shape, bias, deviation):
    layer = optshare.Dense(3, 2, bias=bias, dtype=np.float64)
    linear = torch.nn.Linear(3, 2, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(layer.weight.value.T))
        if bias:
            layer.bias.value = [0.5, -0.25]
            linear.bias.copy_(torch.tensor([0.5, -0.25]))
    x = np.random.default_rng(0).normal(size=shape)
    weigh = np.random.default_rng(1).normal(size=(*shape[:-1], 2))
    tensor = torch.tensor(x, requires_grad=True)
    out = linear(tensor)
    (out * torch.tensor(weigh)).sum().backward()

    g = optshare.gradient(lambda x: (layer(x) * weigh).sum(), x, wrt=(0, layer))
    assert deviation(out.detach().numpy(), layer(x)) <= 1e-12
    assert deviation(tensor.grad.numpy(), g[0]) <= 1e-12
    assert deviation(linear.weight.grad.numpy().T, g[layer.weight]) <= 1e-12
    if bias:
        assert deviation(linear.bias.grad.numpy(), g[layer.bias]) <= 1e-12


def test_weights_are_in_by_out_in_single_precision_and_the_bias_begins_at_zero():
    layer = optshare.Dense(3, 2)
    assert (layer.weight.shape, layer.weight.dtype) == ((3, 2), np.float32)
    assert layer.bias.value.tolist() == [0.0, 0.0]
    assert layer(np.ones((1, 3), np.float32)).dtype == np.float32


def test_the_activation_comes_last():
    layer = optshare.Dense(1, 2, optshare.relu)
    layer.weight.value = np.array([[1.0, -1.0]], np.float32)
    assert layer(np.array([[2.0]], np.float32)).tolist() == [[2.0, 0.0]]


def test_any_function_may_be_the_activation():
    layer = optshare.Dense(1, 1, lambda x: x * x + 1.0)
    layer.weight.value = np.array([[3.0]], np.float32)
    assert layer(np.array([[2.0]], np.float32)).tolist() == [[37.0]]


def test_without_a_bias_there_is_one_parameter():
    layer = optshare.Dense(2, 2, bias=False)
    assert layer.bias is None
    assert len(optshare.params(layer)) == 1


@pytest.mark.parametrize("shape", [(5, 4), (4,), ()])
def test_an_input_of_another_size_is_refused_with_the_layer_and_its_shape(shape):
    with pytest.raises(DataError, match=r"Dense\(3, 2\) needs .*last axis.* 3 ") as caught:
        optshare.Dense(3, 2)(np.ones(shape))
    assert str(shape) in str(caught.value)


def test_repr_shows_what_was_asked_for():
    assert repr(optshare.Dense(3, 2)) == "Dense(3, 2)"
    assert repr(optshare.Dense(3, 2, optshare.tanh, bias=False)) == "Dense(3, 2, tanh, bias=False)"


@pytest.mark.parametrize(("given", "essence"), [((0, 3), "in_features"), ((3, -1), "out_features")])
def test_a_size_that_is_not_positive_is_refused(given, essence):
    with pytest.raises(DataError, match=f"{essence} must be a whole number, at least 1"):
        optshare.Dense(*given)


def test_an_activation_that_is_no_function_is_refused():
    with pytest.raises(TypeError, match="must be a function, not 'relu'"):
        optshare.Dense(3, 4, "relu")


def test_layers_are_equal_by_their_structure_and_not_by_their_numbers():
    assert optshare.Dense(3, 2) == optshare.Dense(3, 2)
    assert optshare.Dense(2) == optshare.Dense(2)
    assert optshare.Dense(2) != optshare.Dense(3, 2)
    assert optshare.Dense(3, 2) != optshare.Dense(3, 2, bias=False)
    assert optshare.Dense(3, 2) != optshare.Dense(3, 2, optshare.tanh)
    assert optshare.Dense(2) != optshare.Flatten()


def test_a_size_that_was_left_out_is_not_shown_afterwards():
    layer = optshare.Dense(2, optshare.relu)
    layer(np.ones((1, 3), np.float32))
    assert repr(layer) == "Dense(2, relu)"
    assert layer == optshare.Dense(2, optshare.relu)


@pytest.mark.parametrize(
    ("x", "essence"),
    [
        (np.ones((5, 3), int), "needs an array of floating numbers, not an array of int64"),
        ([[1.0, 2.0, 3.0]], "needs an array of floating numbers, not a list"),
    ],
)
def test_what_is_no_array_of_floating_numbers_is_refused(x, essence):
    with pytest.raises(DataError, match=essence):
        optshare.Dense(3, 2)(x)


def test_a_tie_is_the_transposed_weight_of_another_layer_and_one_parameter():
    layer = optshare.Dense(3, 2, dtype=np.float64)
    back = optshare.Dense(tie=layer)
    x = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(back(layer(x)), layer(x) @ layer.weight.value.T, rtol=1e-15)
    assert len(optshare.params([layer, back])) == 3
    g = optshare.gradient(lambda: back(layer(x)).sum(), wrt=[layer, back])
    w = layer.weight.value
    ones = np.ones((4, 3))
    np.testing.assert_allclose(g[layer.weight], x.T @ ones @ w + ones.T @ (x @ w), rtol=1e-14)


@pytest.mark.parametrize(("sizes", "tie"), [((3,), optshare.Dense(3, 2)), ((), optshare.relu)])
def test_a_tie_to_what_has_no_matrix_or_beside_sizes_is_refused(sizes, tie):
    with pytest.raises(TypeError, match="takes its sizes from the matrix of another layer"):
        optshare.Dense(*sizes, tie=tie)


@pytest.mark.parametrize("sizes", [(), (1, 2, 3)])
def test_the_number_of_sizes_is_one_or_two(sizes):
    with pytest.raises(TypeError, match=r"Dense\(out\) or Dense\(in, out\)"):
        optshare.Dense(*sizes)
