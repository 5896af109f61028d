import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optshare
from optshare import Chain, Conv, DepthwiseConv
from optshare.errors import DataError, UnbuiltError
from tests.unit.layers.agreement import assert_agrees, drawn

pytestmark = pytest.mark.usefixtures("backend")

CASES = {  # spatial sizes, window, in, out, options
    "line": ((9,), (3,), 3, 4, {}),
    "plane": ((6, 5), (3, 2), 3, 4, {}),
    "volume": ((4, 5, 4), (2, 3, 2), 2, 3, {}),
    "stride": ((8, 7), (3, 2), 2, 3, {"stride": (3, 2)}),
    "padding": ((4, 3), (3, 3), 2, 3, {"padding": (2, 1)}),
    "dilation": ((8, 7), (3, 2), 2, 3, {"dilation": (2, 3)}),
    "groups": ((5, 5), (2, 2), 4, 6, {"groups": 2}),
    "everything": (
        (9, 8),
        (3, 2),
        4,
        6,
        {"stride": 2, "padding": 1, "dilation": 2, "groups": 2},
    ),
    "same": ((5, 6), (3, 4), 2, 3, {"padding": "same", "dilation": (2, 1)}),
    "valid": ((5, 6), (3, 4), 2, 3, {"padding": "valid", "stride": 2}),
    "no_bias": ((5, 5), (3, 3), 2, 3, {"bias": False}),
    "one_by_one": ((4, 4), (1, 1), 3, 5, {}),
}


def pair(case):
    """A layer, PyTorch's, and the shape of an input."""
    space, window, inner, outer, options = CASES[case]
    layer = Conv(window, inner, outer, dtype=np.float64, **options)
    kind = getattr(torch.nn, f"Conv{len(window)}d")
    return layer, kind(inner, outer, window, dtype=torch.float64, **options), (inner, *space)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
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
    window, stride, dilation = (
        tuple(data.draw(st.lists(few, min_size=axes, max_size=axes))) for _ in range(3)
    )
    padding = tuple(data.draw(st.lists(st.integers(0, 3), min_size=axes, max_size=axes)))
    space = tuple((n - 1) * d + data.draw(few) for n, d in zip(window, dilation, strict=True))
    inner, outer = groups * data.draw(few), groups * data.draw(few)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    module = getattr(torch.nn, f"Conv{axes}d")(inner, outer, window, dtype=torch.float64, **options)
    layer = Conv(window, inner, outer, dtype=np.float64, **options)
    assert_agrees(layer, module, drawn(data.draw(st.integers(1, 2)), inner, *space))


def test_each_side_may_have_its_own_padding(backend):
    layer = Conv((2, 2), 1, 2, padding=((0, 2), (1, 0)), dtype=np.float64)
    module = torch.nn.Sequential(
        torch.nn.ZeroPad2d((1, 0, 0, 2)), torch.nn.Conv2d(1, 2, 2, dtype=torch.float64)
    )
    with torch.no_grad():
        module[1].weight.copy_(torch.tensor(layer.weight.value))
        module[1].bias.zero_()
    assert_agrees(layer, lambda x: module(x), drawn(2, 1, 4, 4), backend)


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("engine", ["tape", "functional", "torch"])
def test_a_depthwise_convolution_is_torchs_with_as_many_groups_as_channels(
    multiplier, bias, engine
):
    options = {"stride": 2, "padding": (1, 0), "dilation": (1, 2), "bias": bias}
    layer = DepthwiseConv((3, 2), 3, multiplier=multiplier, dtype=np.float64, **options)
    module = torch.nn.Conv2d(3, 3 * multiplier, (3, 2), groups=3, dtype=torch.float64, **options)
    assert layer.weight.shape == (3 * multiplier, 1, 3, 2)
    assert_agrees(layer, module, drawn(2, 3, 6, 7), engine)


def test_a_depthwise_convolution_over_a_line_and_a_volume():
    for axes in 1, 3:
        layer = DepthwiseConv((2,) * axes, padding="same", dtype=np.float64)
        x = drawn(2, 3, *(4,) * axes)
        y = layer(x)
        alone = Conv((2,) * axes, 1, 1, padding="same", dtype=np.float64)
        alone.weight.value = layer.weight.value[1:2]
        np.testing.assert_allclose(y[:, 1:2], alone(x[:, 1:2]), rtol=1e-13)


def test_weights_are_out_by_in_in_single_precision_and_the_bias_begins_at_zero():
    layer = Conv((5, 3), 4, 6, groups=2)
    assert (layer.weight.shape, layer.weight.dtype) == ((6, 2, 5, 3), np.float32)
    assert layer.bias.value.tolist() == [0.0] * 6
    y, g = optshare.value_and_gradient(
        lambda x: (layer(x) ** 2).sum(), np.ones((1, 4, 5, 3), np.float32), wrt=layer
    )
    assert {y.dtype, g[layer.weight].dtype, g[layer.bias].dtype} == {np.dtype(np.float32)}


def test_the_bias_belongs_to_the_channels_and_the_activation_comes_last():
    layer = Conv((1, 1), 1, 2, optshare.relu, dtype=np.float64)
    layer.weight.value = np.ones((2, 1, 1, 1))
    layer.bias.value = [0.5, -2.0]
    y = layer(np.array([[[[1.0, 3.0]]]]))
    assert y.tolist() == [[[[1.5, 3.5]], [[0.0, 1.0]]]]


def test_by_default_the_weight_is_uniform_by_how_many_elements_an_output_and_an_input_meet():
    drawn = np.abs(Conv((5, 3), 8, 16, groups=2).weight.value)
    limit = np.sqrt(6 / ((4 + 16) * 15))
    assert 0.99 * limit < drawn.max() <= limit


def test_the_weight_is_drawn_by_init_from_rng():
    def init(shape, dtype, rng):
        return rng.normal(size=shape).astype(dtype)

    one, other = (Conv((2,), 3, 4, init=init, rng=np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.weight.value, other.weight.value)
    wanted = np.random.default_rng(5).normal(size=(4, 3, 2)).astype(np.float32)
    np.testing.assert_array_equal(one.weight.value, wanted)


@pytest.mark.parametrize(
    ("layer", "weight", "bias"),
    [
        (lambda: Conv((3, 2), 4), (4, 6, 3, 2), (4,)),
        (lambda: Conv((3, 2), 4, optshare.tanh, groups=2), (4, 3, 3, 2), (4,)),
        (lambda: DepthwiseConv((3, 2), multiplier=2), (12, 1, 3, 2), (12,)),
        (lambda: DepthwiseConv((3, 2), optshare.tanh, bias=False), (6, 1, 3, 2), None),
    ],
)
def test_channels_left_out_are_taken_from_the_first_input(layer, weight, bias):
    def built(layer):
        return layer.weight.shape, None if layer.bias is None else layer.bias.shape

    x = np.ones((2, 6, 5, 5), np.float32)
    alone, chained, stepped, recorded = layer(), layer(), layer(), layer()
    assert alone(x).shape == Chain(chained)(x).shape
    optshare.SGD(stepped, lr=0.1).step(lambda x: (stepped(x) ** 2).sum(), x)
    optshare.gradient(lambda x: (recorded(x) ** 2).sum(), x, wrt=recorded)
    found = {built(each) for each in (alone, chained, stepped, recorded)}
    assert found == {(weight, bias)}
    with pytest.raises(DataError, match="with 6 channels, not one of shape"):
        alone(np.ones((2, 5, 5, 5), np.float32))


def test_one_seed_draws_the_same_numbers_with_and_without_the_channels():
    optshare.seed(3)
    lazy = Conv((2, 2), 4)
    lazy(np.ones((1, 3, 2, 2), np.float32))
    optshare.seed(3)
    np.testing.assert_array_equal(lazy.weight.value, Conv((2, 2), 3, 4).weight.value)


@pytest.mark.parametrize(
    "layer", [Conv((3, 3), 4), DepthwiseConv((3, 3)), Conv((3, 3), 4, groups=2)]
)
@pytest.mark.parametrize(
    "wrong",
    [
        np.ones((1, 3, 2, 5), np.float32),
        np.ones((1, 3, 5), np.float32),
        np.ones((3, 5, 5), np.float32),
        np.ones((1, 0, 5, 5), np.float32),
        np.ones((1, 2, 5, 5), np.int64),
        [[1.0]],
        None,
    ],
    ids=["too small", "a line", "no batch", "no channels", "integers", "a list", "nothing"],
)
def test_an_input_that_does_not_fit_leaves_a_layer_without_channels(layer, wrong):
    with pytest.raises(DataError) as caught:
        layer(wrong)
    assert str(caught.value).startswith(f"{layer!r}")
    assert not layer.weight.built
    with pytest.raises(UnbuiltError):
        _ = layer.weight.value


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 2, 8, 8), "(batch, channels, height, width) with 3 channels"),
        ((3, 8, 8), "with 3 channels, not one of shape (3, 8, 8)"),
        ((), "of shape ()"),
        ((1, 3, 4, 8), "a window of size (5, 5) with dilation=(1, 1) does not fit"),
        ((1, 3, 4, 8), "whose spatial size is (4, 8)"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_with_its_shape(shape, said):
    with pytest.raises(DataError) as caught:
        Conv((5, 5), 3, 4)(np.ones(shape, np.float32))
    assert str(caught.value).startswith("Conv((5, 5), 3, 4)")
    assert said in str(caught.value)


@pytest.mark.parametrize("layer", [Conv((1,), 2, 3), DepthwiseConv((1,), 2)], ids=repr)
def test_integers_are_refused(layer):
    with pytest.raises(DataError, match="floating numbers, not an array of int64"):
        layer(np.ones((1, 2, 3), np.int64))


def test_a_single_precision_layer_takes_double_precision_as_dense_does():
    layer, dense = Conv((1,), 2, 3), optshare.Dense(2, 3)
    dense.weight.value = layer.weight.value[:, :, 0].T
    x = drawn(4, 2)
    np.testing.assert_allclose(layer(x[:, :, None])[:, :, 0], dense(x), rtol=1e-13, strict=True)


def test_in_a_chain_the_error_has_the_path_of_the_layer():
    model = Chain(Conv((3, 3), 1, 2), Conv((3, 3), 2, 2))
    with pytest.raises(DataError, match=r"^layers\.1: Conv\(\(3, 3\), 2, 2\): conv: a window"):
        model(np.ones((1, 1, 4, 4), np.float32))


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda: Conv(5, 5, 1, 20), TypeError, "window must be a tuple .* such as (5, 5), not 5"),
        (lambda: Conv((), 1, 2), TypeError, "not ()"),
        (lambda: Conv((1, 1, 1, 1), 1, 2), TypeError, "1 to 3 spatial axes"),
        (lambda: Conv((0, 1), 1, 2), DataError, "window=(0, 1) must be a whole number, at least 1"),
        (lambda: Conv((3, 3)), TypeError, "Conv(window, in, out), not 0 sizes"),
        (lambda: Conv((3, 3), 1, 2, 3), TypeError, "not 3 sizes"),
        (lambda: Conv((3, 3), 0, 2), DataError, "Conv: in_channels must be a whole number"),
        (lambda: Conv((3, 3), -1), DataError, "Conv: out_channels must be a whole number"),
        (lambda: Conv((3, 3), 2, 2.0), DataError, "out_channels must be .* not 2.0"),
        (lambda: Conv((3, 3), 2, "relu"), TypeError, "must be a function, not 'relu'"),
        (lambda: Conv((3, 3), 2, stride=0), DataError, "Conv: stride=0 must be"),
        (lambda: Conv((3, 3), 2, stride=(1, 1, 1)), DataError, "or 2 of them"),
        (lambda: Conv((3, 3), 2, dilation=-1), DataError, "Conv: dilation=-1 must be"),
        (lambda: Conv((3, 3), 2, padding=-1), DataError, "Conv: padding=-1 must be"),
        (lambda: Conv((3, 3), 2, padding="full"), DataError, "must be 'same', 'valid' or in num"),
        (lambda: Conv((3, 3), 2, padding="same", stride=2), DataError, "'same' needs stride=1"),
        (lambda: Conv((3, 3), 2, groups=0), DataError, "Conv: groups must be a whole number"),
        (lambda: Conv((3, 3), 3, 4, groups=2), DataError, "must divide the 3 input channels"),
        (lambda: Conv((3, 3), 3, groups=2), DataError, "must divide the 3 output channels"),
        (lambda: DepthwiseConv(3), TypeError, "DepthwiseConv: the window must be a tuple"),
        (lambda: DepthwiseConv((3,), 0), DataError, "DepthwiseConv: channels must be"),
        (lambda: DepthwiseConv((3,), 2, 4), TypeError, "how many come out by multiplier="),
        (lambda: DepthwiseConv((3,), multiplier=0), DataError, "multiplier must be a whole"),
        (lambda: DepthwiseConv((3,), stride=0), DataError, "DepthwiseConv: stride=0"),
    ],
)
def test_what_no_convolution_can_have_is_refused_when_it_is_made(make, kind, said):
    with pytest.raises(kind) as caught:
        make()
    assert all(each in str(caught.value) for each in said.split(" .* "))


def test_channels_that_groups_do_not_divide_are_refused_at_the_first_input():
    layer = Conv((3, 3), 4, groups=2)
    with pytest.raises(DataError, match="x has 3 channels, but weight takes 1 in each of 2 groups"):
        layer(np.ones((1, 3, 4, 4), np.float32))
    assert not layer.weight.built


def test_layers_are_equal_if_they_were_made_alike():
    assert Conv((5, 5), 20) == Conv((5, 5), 20)
    assert Conv([5, 5], 20) == Conv((5, 5), 20)
    assert Conv((5, 5), 20) != Conv((5, 5), 1, 20)
    assert Conv((5, 5), 20) != Conv((5, 5), 20, stride=2)
    assert Conv((5, 5), 20) != Conv((5, 5), 20, optshare.relu)
    assert DepthwiseConv((3,)) != DepthwiseConv((3,), multiplier=2)


def test_repr_shows_what_was_asked_for():
    assert repr(Conv((5, 5), 1, 20, optshare.relu)) == "Conv((5, 5), 1, 20, relu)"
    layer = Conv((3,), 4, stride=2, padding=1, dilation=3, groups=2, bias=False)
    assert repr(layer) == "Conv((3,), 4, stride=2, padding=1, dilation=3, groups=2, bias=False)"
    assert repr(Conv((3, 3), 4, padding="same")) == "Conv((3, 3), 4, padding='same')"
    assert repr(DepthwiseConv((3,), multiplier=2)) == "DepthwiseConv((3,), multiplier=2)"


def test_a_copy_has_parameters_of_its_own():
    layer = Conv((2, 2), 1, 2)
    twin = copy.deepcopy(layer)
    assert twin == layer
    twin.weight.value = np.zeros((2, 1, 2, 2), np.float32)
    x = np.ones((1, 1, 2, 2), np.float32)
    assert not twin(x).any()
    assert layer(x).any()


def test_a_frozen_weight_is_left_out_of_a_step():
    layer = Conv((2, 2), 1, 2)
    before = layer.weight.value.copy()
    optshare.freeze(layer.weight)
    opt = optshare.SGD(layer, lr=0.1)
    opt.step(lambda x: layer(x).sum(), np.ones((1, 1, 2, 2), np.float32))
    np.testing.assert_array_equal(layer.weight.value, before)
    assert layer.bias.value.tolist() == pytest.approx([-0.1, -0.1])


@pytest.mark.parametrize(
    "layer",
    [
        Conv((3, 2), 2, 4, optshare.tanh, stride=2, padding=((1, 0), (0, 1)), groups=2),
        DepthwiseConv((2, 2), 2, optshare.tanh, multiplier=2),
    ],
    ids=["conv", "depthwise"],
)
def test_the_derivatives_of_both_orders_are_right(layer):
    optshare.gradcheck(lambda x: layer(x), drawn(2, 2, 5, 4))
