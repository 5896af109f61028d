import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare import Chain, Conv, ConvTranspose, Dense, DepthwiseConv
from optshare.errors import DataError, UnbuiltError
from tests.unit.layers.agreement import assert_agrees, drawn

pytestmark = pytest.mark.usefixtures("backend")

CASES = {  # spatial sizes, window, in, out, options
    "line": ((5,), (3,), 3, 4, {}),
    "plane": ((4, 3), (3, 2), 3, 4, {}),
    "volume": ((2, 3, 2), (2, 3, 2), 2, 3, {"stride": 2}),
    "padding": ((4, 4), (3, 3), 2, 3, {"padding": (2, 1)}),
    "output_padding": ((3, 3), (2, 2), 2, 3, {"stride": 3, "output_padding": (2, 1)}),
    "groups": ((3, 3), (2, 2), 4, 6, {"groups": 2}),
    "everything": (
        (4, 3),
        (3, 2),
        4,
        6,
        {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 2, "groups": 2},
    ),
    "no_bias": ((3, 3), (2, 2), 2, 3, {"bias": False}),
}


def pair(case):
    """A layer, PyTorch's, and the shape of an input."""
    space, window, inner, outer, options = CASES[case]
    layer = ConvTranspose(window, inner, outer, dtype=np.float64, **options)
    kind = getattr(torch.nn, f"ConvTranspose{len(window)}d")
    return layer, kind(inner, outer, window, dtype=torch.float64, **options), (inner, *space)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_values_and_gradients_are_torchs(case, batch, backend):
    layer, module, shape = pair(case)
    assert_agrees(layer, module, drawn(batch, *shape), backend)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_sizes_agree_with_torch(data):
    few = st.integers(1, 3)
    axes, groups = data.draw(few), data.draw(few)
    window, stride, dilation, space = (
        tuple(data.draw(st.lists(few, min_size=axes, max_size=axes))) for _ in range(4)
    )
    steps = zip(stride, dilation, strict=True)
    more = tuple(data.draw(st.integers(0, max(step) - 1)) for step in steps)
    inner, outer = groups * data.draw(few), groups * data.draw(few)
    options = {"stride": stride, "output_padding": more, "dilation": dilation, "groups": groups}
    module = getattr(torch.nn, f"ConvTranspose{axes}d")(
        inner, outer, window, dtype=torch.float64, **options
    )
    layer = ConvTranspose(window, inner, outer, dtype=np.float64, **options)
    assert_agrees(layer, module, drawn(2, inner, *space))


@pytest.mark.parametrize("groups", [1, 2])
def test_tied_to_a_convolution_it_is_its_transpose(groups):
    options = {"stride": 2, "padding": 1, "dilation": (1, 2)}
    conv = Conv((3, 2), 4, 6, groups=groups, bias=False, dtype=np.float64, **options)
    back = ConvTranspose(tie=conv, bias=False, **options, output_padding=(0, 1))
    x = drawn(2, 4, 7, 6)
    y = conv(x)
    other = drawn(*y.shape, seed=1)
    assert back(other).shape == x.shape
    np.testing.assert_allclose((y * other).sum(), (x * back(other)).sum(), rtol=1e-12)


def test_a_tied_weight_is_one_parameter_whose_gradients_add_up():
    conv = Conv((2,), 1, 2, dtype=np.float64)
    model = Chain(conv, ConvTranspose(tie=conv))
    assert len(optshare.params(model)) == 3
    assert model[1].bias.shape == (1,)
    assert model[1].bias.dtype == np.float64
    optshare.gradcheck(lambda x: model(x), drawn(2, 1, 4))


def test_a_convolution_may_be_tied_to_another_with_an_activation_of_its_own():
    conv = Conv((2,), 3, 4, groups=1)
    wider = Conv(tie=conv, dilation=2, activation=optshare.relu)
    x = drawn(2, 3, 5).astype(np.float32)
    apart = Conv((2,), 3, 4, dilation=2)
    apart.weight.value = conv.weight.value
    np.testing.assert_array_equal(wider(x), np.maximum(apart(x), 0))


def test_tied_to_a_layer_without_channels_it_takes_them_with_it():
    conv = Conv((2, 2), 4, groups=2)
    back = ConvTranspose(tie=conv)
    model, x = Chain(conv, back), np.ones((1, 6, 3, 3), np.float32)
    assert model(x).shape == x.shape
    assert back.bias.shape == (6,)
    trained = Chain(first := Conv((2, 2), 4), ConvTranspose(tie=first))
    optshare.SGD(trained, lr=0.1).step(lambda x: (trained(x) ** 2).sum(), x)
    assert trained[1].bias.shape == (6,)


def test_a_tied_layer_called_first_says_what_is_missing():
    conv = Conv((2, 2), 4)
    back = ConvTranspose(tie=conv)
    x = np.ones((1, 4, 3, 3), np.float32)
    with pytest.raises(UnbuiltError, match="no value yet"):
        back(x)
    conv(np.ones((1, 3, 2, 2), np.float32))
    assert back(x).shape == (1, 3, 4, 4)


def test_channels_left_out_are_taken_from_the_first_input():
    layer = ConvTranspose((3, 2), 4, optshare.tanh, groups=2)
    assert layer.bias.shape == (4,)
    layer(np.ones((2, 6, 5, 5), np.float32))
    assert layer.weight.shape == (6, 2, 3, 2)
    assert layer.weight.dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 3, 2, 2), "groups=2 must be a whole number that divides the 3 input"),
        ((1, 2, 1, 2), "the answer would have the size (0, 1)"),
        ((2, 2, 2), "of shape (2, 2, 2)"),
    ],
)
def test_an_input_that_does_not_fit_leaves_the_layer_as_it_is(shape, said):
    layer = ConvTranspose((2, 2), 4, padding=1, groups=2)
    with pytest.raises(DataError) as caught:
        layer(np.ones(shape, np.float32))
    assert said in str(caught.value)
    assert "ConvTranspose((2, 2), 4, padding=1, groups=2)" in str(caught.value)
    assert not layer.weight.built


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda c: ConvTranspose(3, 2), TypeError, "the window must be a tuple"),
        (lambda c: ConvTranspose((3,)), TypeError, "ConvTranspose(window, in, out), not 0 sizes"),
        (lambda c: ConvTranspose((3,), 2, stride=0), DataError, "ConvTranspose: stride=0"),
        (lambda c: ConvTranspose((3,), 2, padding="same"), DataError, "padding='same' must be"),
        (lambda c: ConvTranspose((3,), 2, output_padding=-1), DataError, "output_padding=-1"),
        (
            lambda c: ConvTranspose((3,), 2, stride=2, output_padding=2),
            DataError,
            "output_padding=2 must be less than stride=2 or dilation=1",
        ),
        (lambda c: ConvTranspose((3,), 3, 2, groups=2), DataError, "divide the 3 input channels"),
        (lambda c: ConvTranspose((3,), 2, 3, groups=2), DataError, "divide the 3 output channels"),
        (lambda c: ConvTranspose((3,), tie=c), TypeError, "takes window, sizes and groups from"),
        (lambda c: ConvTranspose(None, 3, tie=c), TypeError, "sizes (3,)"),
        (lambda c: ConvTranspose(tie=Dense(2, 3)), TypeError, "got Dense(2, 3)"),
        (lambda c: ConvTranspose(tie=DepthwiseConv((2,))), TypeError, "got DepthwiseConv((2,))"),
        (lambda c: ConvTranspose(tie=c, groups=2), DataError, "groups=2 does not fit tie=Conv((2"),
    ],
)
def test_what_it_cannot_be_is_refused_when_it_is_made(make, kind, said):
    with pytest.raises(kind) as caught:
        make(Conv((2,), 3, 4))
    assert said in str(caught.value)


def test_repr_and_equality():
    layer = ConvTranspose((3,), 2, optshare.relu, stride=2, output_padding=1)
    assert repr(layer) == "ConvTranspose((3,), 2, relu, stride=2, output_padding=1)"
    assert layer == ConvTranspose((3,), 2, optshare.relu, stride=2, output_padding=1)
    assert layer != ConvTranspose((3,), 2, optshare.relu, stride=2)
    assert repr(ConvTranspose(tie=layer, stride=2)) == "ConvTranspose(stride=2)"


def test_the_derivatives_of_both_orders_are_right():
    layer = ConvTranspose((3, 2), 2, 4, optshare.tanh, stride=2, output_padding=1, groups=2)
    optshare.gradcheck(lambda x: layer(x), drawn(2, 2, 3, 2))
