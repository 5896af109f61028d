"""How RNN, LSTM and GRU are called, sized and trained."""

import copy

import numpy as np
import pytest

import optshare
from optshare import GRU, LSTM, RNN, Buffer, Chain, Dense, Dropout, ops
from optshare.errors import DataError, HyperparameterError, InPlaceError
from optshare.layers import modes
from tests.unit.closeness import assert_close

pytestmark = [
    pytest.mark.usefixtures("backend"),
    pytest.mark.parametrize("kind", [RNN, LSTM, GRU]),
]
ROUNDING = 1e-15
"""Of numbers within [-1, 1], with the same products in sums of other lengths."""


def drawn(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def stepped(layer, x, state=None):
    outputs = []
    for k in range(x.shape[1]):
        y, state = layer.step(x[:, k], state)
        outputs.append(y)
    return np.stack(outputs, axis=1), state


# -- calling -------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_step_by_step_it_is_the_sequence(kind, layers):
    layer, x = kind(3, 4, layers=layers, dtype=np.float64), drawn(5, 7, 3)
    outputs, state = layer.run(x)
    one_by_one, end = stepped(layer, x)
    assert_close(one_by_one, outputs, rtol=ROUNDING)
    for mine, theirs in zip(end, state, strict=True):
        assert_close(mine, theirs, rtol=ROUNDING)


def test_step_by_step_it_has_the_gradients_of_the_sequence(kind):
    layer, x = kind(3, 4, layers=2, dtype=np.float64), drawn(5, 7, 3)

    def by_steps(x):
        state, total = None, 0.0
        for k in range(7):
            y, state = layer.step(x[:, k], state)
            total = total + (y**2).sum()
        return total

    found = optshare.gradient(by_steps, x, wrt=(0, layer))
    wanted = optshare.gradient(lambda x: (layer(x) ** 2).sum(), x, wrt=(0, layer))
    assert_close(found[0], wanted[0])
    for parameter in optshare.params(layer):
        assert_close(found[parameter], wanted[parameter])


def test_a_state_goes_on_where_the_sequence_was_cut(kind):
    layer, x = kind(3, 4, layers=2, dtype=np.float64), drawn(5, 7, 3)
    whole, end = layer.run(x)
    first, state = layer.run(x[:, :3])
    rest, after = layer.run(x[:, 3:], state)
    assert_close(np.concatenate([first, rest], axis=1), whole, rtol=ROUNDING)
    assert_close(np.stack(after), np.stack(end), rtol=ROUNDING)
    assert_close(layer(x[:, 3:], state), rest, rtol=0)


def test_a_state_is_a_flat_tuple_whose_last_h_is_the_last_output(kind):
    layer, x = kind(4, layers=2, dtype=np.float64), drawn(5, 7, 3)
    outputs, state = layer.run(x)
    assert isinstance(state, tuple)
    assert [each.shape for each in state] == [(5, 4)] * (4 if kind is LSTM else 2)
    assert_close(state[-2 if kind is LSTM else -1], outputs[:, -1], rtol=0)


def test_the_initial_state_is_that_of_no_state(kind):
    layer, x = kind(4, layers=2, bidirectional=True, dtype=np.float64), drawn(5, 7, 3)
    zeros = layer.initial(5)
    assert all(each.shape == (5, 4) and each.dtype == np.float64 for each in zeros)
    assert not np.any(np.stack(zeros))
    assert_close(layer(x, zeros), layer(x), rtol=0)


def test_the_one_output_ends_at_the_end_of_each_direction(kind):
    layer, x = kind(4, bidirectional=True, dtype=np.float64), drawn(5, 7, 3)
    outputs = layer(x)
    layer.return_sequences = False
    forward, backward = outputs[:, -1, :4], outputs[:, 0, 4:]
    assert_close(layer(x), np.concatenate([forward, backward], axis=1), rtol=0)


def test_the_output_of_a_step_is_the_same_without_sequences(kind):
    layer, x = kind(4, return_sequences=False, dtype=np.float64), drawn(5, 7, 3)
    last, _ = stepped(layer, x)
    assert_close(layer(x), last[:, -1], rtol=ROUNDING)


def test_the_second_direction_reads_the_sequence_backwards(kind):
    layer, x = kind(3, 4, bidirectional=True, dtype=np.float64), drawn(5, 7, 3)
    backward = kind(3, 4, dtype=np.float64)
    backward.cells = layer.cells[1:]
    assert_close(layer(x)[..., 4:], backward(x[:, ::-1])[:, ::-1], rtol=ROUNDING)


def test_two_layers_are_one_after_the_other(kind):
    both, x = kind(3, 4, layers=2, dtype=np.float64), drawn(5, 7, 3)
    first, second = kind(3, 4, dtype=np.float64), kind(4, 4, dtype=np.float64)
    first.cells, second.cells = both.cells[:1], both.cells[1:]
    assert_close(both(x), second(first(x)), rtol=ROUNDING)


# -- sizes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_number_of_features_may_be_left_out(kind, bidirectional):
    layer = kind(4, layers=2, bidirectional=bidirectional)
    assert layer.cells[0].input_weight.shape[0] is None
    assert not layer.cells[0].input_weight.built
    layer(drawn(5, 7, 3, dtype=np.float32))
    directions = 1 + bidirectional
    widths = [cell.input_weight.shape[0] for cell in layer.cells]
    assert widths == [3] * directions + [4 * directions] * directions


@pytest.mark.parametrize("way", ["chain", "step", "gradient", "record", "cell"])
def test_every_way_to_call_it_tells_the_size(kind, way):
    layer, x = kind(4, bidirectional=way != "cell"), drawn(5, 7, 3, dtype=np.float32)
    if way == "chain":
        assert Chain(layer, Dense(2))(x).shape == (5, 7, 2)
    elif way == "step":
        optshare.SGD(layer, lr=0.1).step(lambda: (layer(x) ** 2).sum())
    elif way == "gradient":
        optshare.gradient(lambda: (layer(x) ** 2).sum(), wrt=layer)
    elif way == "record":
        with optshare.use("tape"), optshare.record():
            layer(x)
    else:
        layer.step(x[:, 0])
    assert all(p.shape[0] for p in optshare.params(layer))
    assert layer.cells[0].input_weight.shape[0] == 3


def test_one_seed_gives_one_layer_and_another_rng_another(kind):
    def weights(seed):
        layer = kind(3, 4, layers=2, dropout=0.5, rng=np.random.default_rng(seed))
        return [p.value for p in optshare.params(layer)], layer.between.seed

    np.testing.assert_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1)[0][0], weights(2)[0][0])
    assert weights(1)[1] != weights(2)[1]


def test_parameters_are_single_precision_and_biases_begin_at_zero(kind):
    layer = kind(3, 4)
    wide = layer.gates * 4
    (cell,) = layer.cells
    assert (cell.input_weight.shape, cell.hidden_weight.shape) == ((3, wide), (4, wide))
    assert {p.dtype for p in optshare.params(layer)} == {np.dtype("float32")}
    assert cell.bias.value.tolist() == [0.0] * wide
    assert layer(drawn(5, 7, 3, dtype=np.float32)).dtype == np.float32


def test_the_initialiser_draws_every_weight_and_no_bias(kind):
    (cell,) = kind(3, 4, init=lambda shape, dtype, rng: np.full(shape, 2, dtype)).cells
    assert np.all(cell.input_weight.value == 2)
    assert np.all(cell.hidden_weight.value == 2)
    assert not np.any(cell.bias.value)


def test_an_input_in_double_precision_keeps_the_weights(kind):
    layer, x = kind(4, bidirectional=True), drawn(5, 7, 3)
    single = layer(x.astype(np.float32))
    kept = [p.value for p in optshare.params(layer)]
    assert_close(layer(x), single, rtol=1e-6)
    assert all(p.value is each for p, each in zip(optshare.params(layer), kept, strict=True))


@pytest.mark.parametrize("bias", [False, True])
def test_single_precision_stays_single(kind, bias):
    layer = kind(3, 4, layers=2, bidirectional=True, bias=bias)
    x = drawn(5, 7, 3, dtype=np.float32)
    found = optshare.gradient(lambda x: (layer(x) ** 2).sum(), x, wrt=(0, layer))
    arrays = [layer(x), *layer.run(x)[1], found[0], *(found[p] for p in optshare.params(layer))]
    assert {each.dtype for each in arrays} == {np.dtype("float32")}


def test_without_biases_there_are_two_weights(kind):
    layer = kind(3, 4, bias=False)
    assert len(optshare.params(layer)) == 2
    assert layer.cells[0].bias is None


# -- what it refuses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "essence"),
    [
        ((5, 3), r"\(batch, time > 0, 3 features\), not one of shape \(5, 3\)"),
        ((5, 7, 2), r"3 features\), not one of shape \(5, 7, 2\)"),
        ((5, 0, 3), r"time > 0.*\(5, 0, 3\)"),
        ((1, 5, 7, 3), r"\(1, 5, 7, 3\)"),
        ((), r"shape \(\)"),
    ],
)
def test_an_input_of_another_shape_is_refused(kind, shape, essence):
    layer = kind(3, 4)
    with pytest.raises(DataError, match=essence) as caught:
        layer(np.ones(shape, np.float32))
    assert str(caught.value).startswith(f"{kind.__name__}(3, 4) needs an array")


@pytest.mark.parametrize("shape", [(3,), (5, 2), (5, 7, 3)])
def test_a_step_of_another_shape_is_refused(kind, shape):
    with pytest.raises(DataError, match=r"needs an array \(batch, 3 features\)"):
        kind(3, 4).step(np.ones(shape, np.float32))


@pytest.mark.parametrize("x", [np.ones((5, 7, 3), int), [[1.0]], None])
def test_what_is_no_floating_array_is_refused(kind, x):
    with pytest.raises(DataError, match="needs an array of floating numbers"):
        kind(3, 4)(x)


def test_a_refused_input_changes_nothing(kind):
    layer = kind(4, layers=2)
    for bad in (np.ones((5, 7)), np.ones((5, 0, 3)), np.ones((5, 7, 3), int)):
        with pytest.raises(DataError):
            layer(bad)
        with pytest.raises(DataError):
            optshare.SGD(layer, lr=0.1).step(lambda bad=bad: layer(bad).sum())
    assert not layer.cells[0].input_weight.built
    with pytest.raises(DataError):
        Chain(layer, Dense(3, 2))(np.ones((5, 7, 3), np.float32))
    assert not layer.cells[0].input_weight.built


@pytest.mark.parametrize(
    ("wrong", "essence"),
    [
        (lambda state: state[:-1], r"not of shapes \["),
        (lambda state: (*state, state[0]), r"not of shapes \["),
        (lambda state: tuple(each[:2] for each in state), r"\(5, 4\).*not of shapes \[\(2, 4\)"),
        (lambda state: (state, state), r"not of shapes \[\(\), \(\)\]"),
        (lambda state: state[0], "not one ndarray"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_with_both_shapes(kind, wrong, essence):
    layer, x = kind(3, 4, layers=2), np.ones((5, 7, 3), np.float32)
    state = wrong(layer.initial(5))
    with pytest.raises(DataError, match=rf"{kind.__name__}\(3, 4, layers=2\) needs a state.*"):
        layer(x, state)
    with pytest.raises(DataError, match=essence):
        layer.step(x[:, 0], state)


def test_two_directions_have_no_step(kind):
    with pytest.raises(TypeError, match=r"bidirectional=True\) has no step"):
        kind(3, 4, bidirectional=True).step(np.ones((5, 3), np.float32))


@pytest.mark.parametrize("batch", [-1, 2.0, np.ones((5, 3))])
def test_an_initial_state_needs_the_number_of_sequences(kind, batch):
    with pytest.raises(DataError, match="initial takes the number of sequences"):
        kind(3, 4).initial(batch)


@pytest.mark.parametrize(
    ("sizes", "options", "essence"),
    [
        ((0,), {}, "hidden must be a whole number, at least 1, not 0"),
        ((3, -1), {}, "hidden must be a whole number, at least 1, not -1"),
        ((2.5, 3), {}, "features must be a whole number, at least 1, not 2.5"),
        ((3,), {"layers": 0}, "layers must be a whole number, at least 1, not 0"),
    ],
)
def test_sizes_are_whole_and_positive(kind, sizes, options, essence):
    with pytest.raises(DataError, match=f"{kind.__name__}: {essence}"):
        kind(*sizes, **options)


@pytest.mark.parametrize("sizes", [(), (1, 2, 3)])
def test_there_are_one_or_two_sizes(kind, sizes):
    with pytest.raises(TypeError, match=rf"{kind.__name__}\(features, hidden\)"):
        kind(*sizes)


@pytest.mark.parametrize("dropout", [-0.1, 1, "half", None])
def test_dropout_is_a_probability_below_one(kind, dropout):
    with pytest.raises(HyperparameterError, match="must be in"):
        kind(3, layers=2, dropout=dropout)


def test_the_error_in_a_chain_says_where(kind):
    with pytest.raises(DataError, match=rf"layers\.1: {kind.__name__}\(3, 4\) needs"):
        Chain(Dense(2), kind(3, 4))(np.ones((5, 7, 3), np.float32))


def test_a_weight_is_not_replaced_by_an_array(kind):
    with pytest.raises(InPlaceError, match=r"Cell\.bias is a Parameter"):
        kind(3, 4).cells[0].bias = np.zeros(4)


# -- dropout between the layers ------------------------------------------------------------


def test_dropout_acts_between_layers_while_an_engine_records(kind):
    both, x = kind(3, 4, layers=2, dropout=0.5, dtype=np.float64), drawn(5, 7, 3)
    first, second = kind(3, 4, dtype=np.float64), kind(4, 4, dtype=np.float64)
    first.cells, second.cells = both.cells[:1], both.cells[1:]
    thinned = Chain(first, Dropout(0.5, seed=both.between.seed), second)
    for _ in range(2):
        found = optshare.gradient(lambda x: (both(x) ** 2).sum(), x)
        wanted = optshare.gradient(lambda x: (thinned(x) ** 2).sum(), x)
        assert_close(found[0], wanted[0])
    assert both.between.calls.value == 2
    plain = optshare.gradient(lambda x: (second(first(x)) ** 2).sum(), x)[0]
    assert np.abs(found[0] - plain).max() > 0.01
    assert_close(both(x), second(first(x)), rtol=ROUNDING)


def test_in_test_mode_dropout_rests(kind):
    layer, x = kind(3, 4, layers=3, dropout=0.5), drawn(5, 7, 3, dtype=np.float32)
    with modes.testmode(layer):
        optshare.gradient(lambda x: layer(x).sum(), x)
    assert layer.between.calls.value == 0


def test_each_gap_between_layers_has_a_mask_of_its_own(kind):
    layer, x = kind(3, 4, layers=3, dropout=0.5), drawn(5, 7, 3, dtype=np.float32)
    optshare.gradient(lambda x: layer(x).sum(), x)
    assert layer.between.calls.value == 2


def test_one_layer_has_no_dropout(kind):
    assert kind(3, 4, dropout=0.5).between is None
    assert kind(3, 4, layers=2).between is None


# -- training ------------------------------------------------------------------------------


def task(batch=64, time=6):
    """Sequences of signs; the label is whether the first and the last agree."""
    x = np.sign(drawn(batch, time, 1, seed=3, dtype=np.float32))
    return x, (x[:, 0, 0] == x[:, -1, 0]).astype(int)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_one_word_exchanges_it_for_another(kind, bidirectional):
    optshare.seed(1)
    layer = kind(12, bidirectional=bidirectional, return_sequences=False)
    model = Chain(layer, Dense(2))
    x, labels = task()
    opt = optshare.Adam(model, lr=0.03)
    for _ in range(120):
        opt.step(lambda x, y: optshare.nll(model(x), y), x, labels)
    assert optshare.accuracy(model(x), labels) == 1.0


def test_frozen_weights_stay_while_the_others_train(kind):
    layer, x = kind(3, 4, layers=2), drawn(5, 7, 3, dtype=np.float32)
    optshare.freeze(layer.cells[0])
    before = copy.deepcopy(layer)
    optshare.SGD(layer, lr=0.1).step(lambda: (layer(x) ** 2).sum())
    frozen, trained = zip(before.cells, layer.cells, strict=True)
    np.testing.assert_array_equal(frozen[0].input_weight.value, frozen[1].input_weight.value)
    assert np.any(trained[0].input_weight.value != trained[1].input_weight.value)


def test_a_stopped_state_carries_numbers_but_no_gradient(kind):
    layer, x = kind(3, 4, layers=2, dtype=np.float64), drawn(5, 8, 3)

    def truncated(x):
        state, total = None, 0.0
        for k in (0, 4):
            outputs, state = layer.run(x[:, k : k + 4], state)
            state = tuple(map(ops.stop_gradient, state))
            total = total + (outputs**2).sum()
        return total

    between = layer.run(x[:, :4])[1]
    found = optshare.gradient(truncated, x, wrt=(0, layer))
    first = optshare.gradient(lambda x: (layer(x) ** 2).sum(), x[:, :4], wrt=(0, layer))
    rest = optshare.gradient(lambda x: (layer(x, between) ** 2).sum(), x[:, 4:], wrt=(0, layer))
    assert_close(found[0], np.concatenate([first[0], rest[0]], axis=1))
    for parameter in optshare.params(layer):
        assert_close(found[parameter], first[parameter] + rest[parameter])
    full = optshare.gradient(lambda x: (layer(x) ** 2).sum(), x)[0]
    assert np.abs(full - found[0]).max() > 1e-3


def test_buffers_carry_a_state_from_one_step_of_the_optimizer_to_the_next(kind):
    layer, x = kind(3, 4, layers=2, dtype=np.float64), drawn(5, 8, 3)
    carried = [Buffer(each) for each in layer.initial(5)]
    other = copy.deepcopy(layer)

    def loss(x):
        outputs, state = layer.run(x, tuple(each.value for each in carried))
        for buffer, array in zip(carried, state, strict=True):
            buffer.value = array
        return (outputs**2).sum()

    opt, twin = optshare.SGD(layer, lr=0.01), optshare.SGD(other, lr=0.01)
    state = other.initial(5)
    for k in (0, 4):
        piece = x[:, k : k + 4]
        opt.step(loss, piece)
        before, (_, state) = state, other.run(piece, state)
        twin.step(lambda x, before=before: (other(x, before) ** 2).sum(), piece)
        assert_close(np.stack([each.value for each in carried]), np.stack(state))
    for mine, theirs in zip(optshare.params(layer), optshare.params(other), strict=True):
        assert_close(mine.value, theirs.value)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradients_hold_to_the_second_order(kind, bidirectional):
    layer = kind(2, 2, layers=2, bidirectional=bidirectional, dtype=np.float64)
    optshare.gradcheck(lambda x: (layer(x) ** 2).sum(), drawn(2, 3, 2), order=2)


# -- as a thing ----------------------------------------------------------------------------


def test_repr_shows_what_was_asked_for(kind):
    name = kind.__name__
    assert repr(kind(4)) == f"{name}(4)"
    layer = kind(3, 4, layers=2, bidirectional=True, bias=False, dropout=0.5)
    shown = f"{name}(3, 4, layers=2, bidirectional=True, bias=False, dropout=0.5)"
    assert repr(layer) == shown
    assert repr(kind(4, return_sequences=False)) == f"{name}(4, return_sequences=False)"


def test_layers_are_equal_by_their_options(kind):
    assert kind(3, 4, layers=2) == kind(3, 4, layers=2)
    assert kind(3, 4) != kind(4)
    assert kind(4) != kind(4, bidirectional=True)
    assert kind(4, bias=False) != kind(4)
    assert kind(4) != (GRU if kind is LSTM else LSTM)(4)


def test_a_copy_has_weights_of_its_own(kind):
    layer, x = kind(3, 4, layers=2, dropout=0.5), drawn(5, 7, 3, dtype=np.float32)
    other = copy.deepcopy(layer)
    np.testing.assert_array_equal(other(x), layer(x))
    optshare.SGD(other, lr=0.1).step(lambda: (other(x) ** 2).sum())
    assert np.any(other(x) != layer(x))


def test_weights_are_found_by_the_paths_of_their_cells(kind):
    paths = [path for path, _ in optshare.tree.keyed(kind(3, 4, layers=2, bias=False))]
    assert paths == [f"cells.{k}.{name}_weight" for k in (0, 1) for name in ("input", "hidden")]
