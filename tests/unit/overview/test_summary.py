import numpy as np
import pytest

import optshare
from optshare import (
    Chain,
    Dense,
    Dropout,
    Flatten,
    Parameter,
    flops,
    nparams,
    params,
    relu,
    summary,
)
from optshare.errors import DataError, UnbuiltError


class Net:
    """No base class, a shared layer, a tie, a function used twice."""

    def __init__(self):
        self.encoder = Dense(8, optshare.tanh)
        self.middle = Chain(relu, Dense(8), lambda x: x * 2, relu)
        self.decoder = Dense(tie=self.encoder)

    def __call__(self, x):
        return self.decoder(self.middle(self.encoder(x))) + 1.0


def test_each_layer_is_a_row_in_the_order_of_the_calls():
    rows = summary(Net(), (2, 5)).rows
    assert [(row.path, row.layer, row.output) for row in rows] == [
        ("", "Net", (2, 5)),
        ("encoder", "Dense(8, tanh)", (2, 8)),
        ("middle.layers.0", "relu", (2, 8)),
        ("middle.layers.1", "Dense(8)", (2, 8)),
        ("middle.layers.2", "<lambda>", (2, 8)),
        ("middle.layers.3", "relu", (2, 8)),
        ("decoder", "Dense()", (2, 5)),
    ]


def test_parameters_and_operations_are_those_counted_by_hand():
    found = summary(Net(), (2, 5))
    assert [row.parameters for row in found.rows] == [0, 48, 0, 72, 0, 0, 5]
    dense = [2 * (2 * 5 * 8 + 8) + 16, 2 * (2 * 8 * 8 + 8), 2 * (2 * 8 * 5 + 5)]
    assert [row.flops for row in found.rows] == [10, dense[0], 16, dense[1], 16, 16, dense[2]]
    assert found.parameters == sum(p.size for p in params(optshare.build(Net(), (2, 5)))) == 125
    assert found.flops == sum(row.flops for row in found.rows)
    assert found.memory == 4 * 125


def test_ties_and_frozen_layers_are_marked():
    net = Net()
    optshare.freeze(net.middle)
    found = summary(net, (2, 5))
    marked = {row.path: (row.frozen, row.ties) for row in found.rows}
    assert marked["decoder"] == (False, ("encoder.weight",))
    assert marked["middle.layers.1"] == (True, ())
    assert found.frozen == 72


def test_a_layer_that_is_called_twice_has_two_rows_and_its_parameters_once():
    shared = Dense(3, 3)
    found = summary(Chain(shared, shared), (1, 3))
    assert [row.parameters for row in found.rows] == [12, 0]
    assert [row.flops for row in found.rows] == [21, 21]
    assert found.parameters == 12


def test_printed_it_is_a_table():
    model = Chain(Flatten(), Dense(100, relu), Dropout(0.5), Dense(10, bias=False))
    optshare.freeze(model[1])
    assert str(summary(model, (1, 1, 28, 28))) == (
        "path      layer                  output    parameters    FLOPs\n"
        "----------------------------------------------------------------------\n"
        "layers.0  Flatten()              (1, 784)           0        0\n"
        "layers.1  Dense(100, relu)       (1, 100)      78,500  157,000  frozen\n"
        "layers.2  Dropout(0.5)           (1, 100)           0        0\n"
        "layers.3  Dense(10, bias=False)  (1, 10)        1,000    2,000\n"
        "----------------------------------------------------------------------\n"
        "79,500 parameters, 78,500 of them frozen, 310.5 KiB; 159,000 FLOPs"
    )


def test_the_model_is_unchanged_and_another_profiler_goes_on():
    import sys

    def profiler(*_):
        return None

    model = Chain(Dense(3))
    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        summary(model, (1, 2))
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(before)
    assert not model[0].weight.built


def test_an_input_that_does_not_fit_is_refused_and_the_profiler_is_put_back():
    import sys

    before = sys.getprofile()
    with pytest.raises(DataError, match=r"^layers\.1: "):
        summary(Chain(Dense(3), Dense(4, 5)), (1, 2))
    assert sys.getprofile() is before


def test_nparams_counts_each_number_once():
    shared = Dense(3, 3)
    assert nparams(Chain(shared, shared)) == 12
    assert nparams([Parameter(np.zeros((2, 2))), Parameter(1.0)]) == 5
    assert nparams(Dense(4), (1, 3)) == 16
    with pytest.raises(UnbuiltError):
        nparams(Dense(4))


def test_flops_of_a_plain_function():
    assert flops(lambda x: (x @ x.T).sum(), (4, 3)) == 2 * 4 * 3 * 4 + 16


def test_a_layer_in_half_precision_takes_half_the_memory():
    assert summary(Dense(3, 2, dtype=np.float16), (1, 3), dtype=np.float16).memory == 16
