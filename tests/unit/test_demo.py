"""The demo: accuracy, agreement of the engines, and an independent reference in PyTorch."""

import numpy as np
import pytest

import optshare
from optshare.demo import EPOCHS, Run, deviation, draw, load_digits, table, train
from optshare.demo.training import build
from optshare_arrays import Scope

ENGINES = ["tape", "functional"]


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def runs(digits):
    return {name: train(name, digits) for name in ENGINES}


def torch_parameters(digits, epochs):
    """The demo's model and data, trained by PyTorch alone; weights in our layout."""
    import torch

    first, second = torch.nn.Linear(64, 128), torch.nn.Linear(128, 10)
    model = torch.nn.Sequential(first, torch.nn.ReLU(), second).double()
    start = [torch.tensor(np.array(p.value)) for p in optshare.params(build())]
    with torch.no_grad():
        for layer, weight, bias in ((first, *start[:2]), (second, *start[2:])):
            layer.weight.copy_(weight.T)
            layer.bias.copy_(bias)
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    x, y = torch.tensor(digits.train_x), torch.tensor(digits.train_y)
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        for part in torch.split(torch.tensor(rng.permutation(len(x))), 32):
            opt.zero_grad()
            torch.nn.functional.cross_entropy(model(x[part]), y[part]).backward()
            opt.step()
    return [
        array.detach().numpy()
        for array in (first.weight.T, first.bias, second.weight.T, second.bias)
    ]


def farthest(one, other, lr):
    """max|a - b| / max(max|a|, lr) of each parameter, written out again."""
    return [
        np.max(np.abs(a - b)) / max(np.max(np.abs(a)), lr) for a, b in zip(one, other, strict=True)
    ]


# -- the data and the model -----------------------------------------------------------------


def test_the_digits_are_split_once_and_scaled(digits):
    assert digits.train_x.shape == (1438, 64)
    assert digits.test_x.shape == (359, 64)
    assert digits.train_x.dtype == np.float64
    assert (digits.train_x.min(), digits.train_x.max()) == (0.0, 1.0)
    assert set(digits.train_y) == set(digits.test_y) == set(range(10))
    for one, other in zip(digits, load_digits(), strict=True):
        assert (one == other).all()


def test_no_example_is_in_both_parts(digits):
    from sklearn.datasets import load_digits as bundled

    everything = np.concatenate([digits.train_x, digits.test_x]) * 16
    order = np.lexsort(everything.T)
    original = bundled().data
    assert (everything[order] == original[np.lexsort(original.T)]).all()


def test_the_model_is_the_same_each_time_it_is_built():
    one, other = optshare.params(build()), optshare.params(build())
    assert [p.shape for p in one] == [(64, 128), (128,), (128, 10), (10,)]
    assert all((a.value == b.value).all() for a, b in zip(one, other, strict=True))
    assert {str(p.dtype) for p in one} == {"float64"}


# -- training -------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_20_epochs_reach_the_accuracy(runs, engine):
    assert EPOCHS == 20
    assert len(runs[engine].losses) == 20
    assert runs[engine].accuracy >= 0.96
    assert runs[engine].losses[-1] < runs[engine].losses[0] / 10


@pytest.mark.parametrize("engine", ENGINES)
def test_parameters_after_5_epochs_are_the_tapes(runs, engine):
    assert max(farthest(runs["tape"].compared, runs[engine].compared, 3e-3)) <= 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_parameters_after_5_epochs_are_those_of_pytorch(runs, digits, engine):
    reference = torch_parameters(digits, 5)
    assert max(farthest(reference, runs[engine].compared, 3e-3)) <= 1e-12


def test_each_engine_differentiates_for_itself(digits, monkeypatch):
    made = []
    leaf = Scope.leaf

    def noted(self, *args):
        made.append(self.kind.__name__)
        return leaf(self, *args)

    monkeypatch.setattr(Scope, "leaf", noted)
    train("tape", digits, 1)
    assert set(made) == {"Value"}
    made.clear()
    train("functional", digits, 1)
    assert set(made) == {"Tracer"}


def test_training_ticks_after_each_epoch_and_leaves_the_default_alone(digits):
    ticks = []
    run = train("functional", digits, 2, lambda: ticks.append(1))
    assert len(ticks) == 2
    assert len(run.losses) == 2
    assert optshare.namespace_of(np.ones(1)) is not None
    from optshare import registry

    assert registry.owner(np.ones(1)).name == "tape"


def test_fewer_than_5_epochs_are_compared_at_their_end(digits):
    run = train("tape", digits, 1)
    assert [each.shape for each in run.compared] == [(64, 128), (128,), (128, 10), (10,)]
    assert run.seconds > 0


def test_what_is_compared_does_not_move_with_further_training(runs, digits):
    early = train("tape", digits, 5)
    for one, other in zip(early.compared, runs["tape"].compared, strict=True):
        assert (one == other).all()


# -- the report -----------------------------------------------------------------------------


def test_deviation_is_the_worst_parameter_relative_to_its_largest_element_or_lr():
    one = [np.array([2.0, -4.0]), np.array([1e-6])]
    other = [np.array([2.0, -4.4]), np.array([2e-6])]
    assert deviation(one, other, lr=1e-3) == pytest.approx(0.1)
    assert deviation(one[1:], other[1:], lr=1e-3) == pytest.approx(1e-3)
    assert deviation(one, one) == 0.0


def test_deviation_of_what_is_not_a_number_is_not_small():
    one, other = [np.array([1.0]), np.array([1.0])], [np.array([np.nan]), np.array([1.0])]
    assert not deviation(one, other) <= 1e-12
    assert not deviation(one[::-1], other[::-1]) <= 1e-12


def made(name, losses, value):
    return Run(name, losses, accuracy=0.975, seconds=1.234, compared=[np.array([value])])


def test_the_table_has_a_row_for_each_run():
    runs = [made("one", [2.0, 1.0], 1.0), made("other", [2.0, 0.5], 1.5)]
    assert table(runs).splitlines() == [
        "engine    loss 1    loss 2  accuracy  seconds  deviation",
        "------  --------  --------  --------  -------  ---------",
        "   one  2.000000  1.000000    0.9750     1.23    0.0e+00",
        " other  2.000000  0.500000    0.9750     1.23    5.0e-01",
    ]


@pytest.mark.parametrize(
    ("count", "shown"),
    [(1, [1]), (3, [1, 2, 3]), (7, [1, 2, 5, 7]), (20, [1, 2, 5, 10, 15, 20])],
)
def test_the_table_shows_the_first_some_and_the_last_epochs(count, shown):
    losses = [1 / epoch for epoch in range(1, count + 1)]
    head, _, row = table([made("one", losses, 1.0)]).splitlines()
    assert [int(each) for each in head.split() if each.isdigit()] == shown
    assert row.split()[1:-3] == [f"{1 / epoch:.6f}" for epoch in shown]


def test_the_picture_is_a_png(runs, tmp_path):
    path = tmp_path / "curves.png"
    draw(list(runs.values()), str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    from matplotlib import image, pyplot

    pixels = image.imread(path)
    assert pixels.shape[0] > 300
    assert pixels.shape[1] > 500
    assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 10
    assert pyplot.get_fignums() == []


def test_the_picture_names_each_engine_with_its_accuracy(runs, tmp_path):
    path = tmp_path / "curves.svg"
    draw(list(runs.values()), str(path))
    text = path.read_text()
    for name, run in runs.items():
        assert f"{name} ({run.accuracy:.1%} on the test digits)" in text
    assert "training loss" in text
    assert "epoch" in text
