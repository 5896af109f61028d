import threading

import numpy as np
import pytest
import torch

import optshare
from optshare import (
    BatchNorm,
    Chain,
    Dense,
    Dropout,
    automode,
    buffers,
    ops,
    registry,
    testmode,
    trainmode,
)
from optshare.errors import EmptyModelError
from optshare.layers.modes import Modal
from tests.unit.layers.as_torch import drawn, host

ENGINES = ["tape", "functional", "torch", "autograd", "jax"]
DOUBLE = {"dtype": np.float64}


def model_on(engine, *layers):
    model = Chain(
        *(layers or (BatchNorm(3, **DOUBLE), Dropout(0.5, seed=0))), Dense(3, 1, **DOUBLE)
    )
    return optshare.to(model, engine)


def arrays(engine, *shape, seed=0):
    return registry.load(engine).ops.asarray(drawn(*shape, seed=seed))


def statistics(model):
    return [np.array(host(each.stored)) for each in buffers(model)]


def square(model):
    return lambda x: ops.mean(model(x) ** 2)


def stepped(model, x):
    optshare.SGD(model, lr=0.1).step(square(model), x)


def differentiated(model, x):
    optshare.gradient(square(model), x, wrt=(0, model))


def twice_differentiated(model, x):
    optshare.gradient(lambda x: ops.mean(optshare.gradient(square(model), x)[0] ** 2), x)


def recorded(model, x):
    with optshare.record():
        square(model)(x)


def slow_on_jax(run, engine):
    marks = [pytest.mark.slow] if engine == "jax" and run is not stepped else []
    return pytest.param(run, engine, marks=marks)


RUNS = [(run, each) for run in (stepped, differentiated, twice_differentiated) for each in ENGINES]
RUNS += [(recorded, "tape"), (recorded, "torch")]


@pytest.mark.parametrize(("run", "engine"), [slow_on_jax(*each) for each in RUNS])
def test_running_statistics_and_masks_never_change_in_test_mode(run, engine):
    model, x = model_on(engine), arrays(engine, 5, 3)
    before = statistics(model)
    with optshare.use(engine):
        with testmode(model):
            run(model, x)
        np.testing.assert_equal(statistics(model), before)
        run(model, x)
    assert all((a != b).any() for a, b in zip(before, statistics(model), strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_follows_the_mode_of_now_whatever_it_was_compiled_for(engine):
    model, x = model_on(engine), arrays(engine, 5, 3)
    opt, loss = optshare.SGD(model, lr=0.0), square(model)
    predicted = float(loss(x))
    with optshare.use(engine):

        def changes():
            before = statistics(model)
            found = float(opt.step(loss, x))
            now = statistics(model)
            return any((a != b).any() for a, b in zip(before, now, strict=True)), found

        assert changes()[0]
        settled = float(loss(x))
        assert settled != predicted
        testmode(model)
        for _ in range(2):
            changed, found = changes()
            assert not changed
            np.testing.assert_allclose(found, settled, rtol=1e-12)
        automode(model)
        assert changes()[0]
        with testmode(model[0]):
            before = statistics(model[0])
            assert changes()[0]  # the dropout's count
            np.testing.assert_equal(statistics(model[0]), before)
        assert changes()[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_two_models_in_different_modes_share_one_forward_pass(engine):
    student = model_on(engine, BatchNorm(3, **DOUBLE))
    teacher = model_on(engine, BatchNorm(3, **DOUBLE))
    x = arrays(engine, 5, 3)
    testmode(teacher)
    before, predicted = statistics(teacher), host(teacher(x))

    def loss(x):
        return ops.mean((student(x) - ops.stop_gradient(teacher(x))) ** 2)

    with optshare.use(engine):
        opt = optshare.SGD(student, lr=0.0)
        losses = [float(opt.step(loss, x)) for _ in range(2)]
    np.testing.assert_equal(statistics(teacher), before)
    np.testing.assert_allclose(host(teacher(x)), predicted, rtol=1e-12)
    assert statistics(student)[0].any()
    normal = (drawn(5, 3) - drawn(5, 3).mean(0)) / np.sqrt(drawn(5, 3).var(0) + 1e-5)
    wanted = np.mean((normal @ host(student[-1].weight.value) - predicted) ** 2)
    np.testing.assert_allclose(losses, [wanted, wanted], rtol=1e-12)


def test_a_compiled_step_is_made_once_for_each_mode():
    model, x = model_on("jax", Dropout(0.5, seed=0)), arrays("jax", 5, 3)
    calls = []

    def loss(x):
        calls.append(model[0].training)
        return ops.mean(model(x) ** 2)

    opt = optshare.SGD(model, lr=0.0)
    for _ in range(3):
        opt.step(loss, x)
        with testmode(model):
            opt.step(loss, x)
    made = len(calls)
    assert set(calls) == {None, False}
    for _ in range(3):
        opt.step(loss, x)
        with testmode(model):
            opt.step(loss, x)
    assert len(calls) == made


def inside_functional_call(model, x):
    return ops.mean(optshare.functional_call(model, {}, x) ** 2)


def inside_an_inner_gradient(model, x):
    g = optshare.gradient(lambda x: ops.mean(model(x) ** 2), x)[0]
    return ops.sum(g**2) + ops.mean(model[-1](x) ** 2)


@pytest.mark.parametrize("inner", [inside_functional_call, inside_an_inner_gradient])
def test_a_compiled_step_knows_a_mode_that_is_asked_for_further_inside(inner):
    model, x = model_on("jax", BatchNorm(3, **DOUBLE)), arrays("jax", 5, 3)
    opt, other = optshare.SGD(model, lr=0.0), optshare.SGD(model, lr=0.0)

    def loss(x):
        return inner(model, x)

    trained = [float(opt.step(loss, x)) for _ in range(2)][-1]
    with testmode(model):
        predicted, wanted = float(opt.step(loss, x)), float(other.step(loss, x))
    assert predicted == wanted
    assert abs(predicted - trained) > 0.01 * trained


def test_a_compiled_prediction_follows_the_mode():
    import optshare_jax

    model, x = model_on("jax", Dropout(0.5, seed=0)), arrays("jax", 50, 3)
    predict = optshare_jax.jit(model)
    first = host(predict(x))
    with trainmode(model):
        assert np.any(host(predict(x)) != first)
    np.testing.assert_array_equal(host(predict(x)), first)


def test_a_mode_counts_inside_what_jax_compiles_within_a_loss():
    import jax

    layer, x = Dropout(0.5, seed=0), arrays("jax", 50)
    inner = jax.jit(lambda x: layer(x))

    def gradient():
        return host(optshare.gradient(lambda x: ops.sum(inner(x)), x)[0])

    with testmode(layer):
        assert gradient().tolist() == [1.0] * 50
    layer.training = None
    with pytest.raises(optshare.OptshareError, match=r"written inside jax\.jit"):
        gradient()


def test_the_mode_of_one_layer_is_set_alone_and_the_last_word_counts(backend):
    model = Chain(Dropout(0.5, seed=0), Dropout(0.5, seed=1))
    trainmode(model)
    testmode(model[1])
    x = np.ones(100)
    assert set(model(x).tolist()) == {0.0, 2.0}
    testmode(model)
    assert model(x) is x


def test_a_with_ends_in_the_modes_of_before_also_after_an_exception():
    model = Chain(Dropout(0.5), Dropout(0.5), Dropout(0.5))
    testmode(model[0])
    trainmode(model[1])
    with trainmode(model), testmode(model[1]):
        assert [each.training for each in model] == [True, False, True]
    with pytest.raises(ZeroDivisionError), trainmode(model):
        1 / 0  # noqa: B018 # it raises
    assert [each.training for each in model] == [False, True, None]


def test_trainmode_acts_where_nothing_is_recorded():
    layer = BatchNorm(2, momentum=1.0, **DOUBLE)
    with trainmode(layer):
        y = layer(np.array([[0.0, 1.0], [4.0, 1.0]]))
    np.testing.assert_allclose(y, [[-1.0, 0.0], [1.0, 0.0]], rtol=1e-5)
    assert layer.mean.value.tolist() == [2.0, 1.0]
    assert layer.var.value.tolist() == [8.0, 0.0]


def test_modes_reach_layers_in_lists_functions_and_objects():
    inside = [Dropout(0.5), Dropout(0.5), Dropout(0.5)]

    class Own:
        def __init__(self):
            self.parts = {"a": inside[1]}

    own = Own()
    testmode([inside[0], own, lambda x: inside[2](x)])
    assert [each.training for each in inside] == [False] * 3


def test_a_layer_of_ones_own_has_a_mode_by_inheriting_one():
    class Noise(Modal):
        def __call__(self, x):
            return x + 1 if self.acts else x

    model = Chain(Noise())
    assert model(1) == 1
    assert optshare.gradient(lambda x: model(x) * x, np.array(2.0))[0] == 5.0
    with testmode(model):
        assert optshare.gradient(lambda x: model(x) * x, np.array(2.0))[0] == 4.0


def test_a_copy_keeps_the_mode_and_equality_does_not_ask_for_it():
    import copy

    layer = Dropout(0.5)
    testmode(layer)
    twin = copy.deepcopy(layer)
    automode(layer)
    assert (twin.training, layer.training) == (False, None)
    assert twin == layer


def test_a_mode_is_seen_by_other_threads():
    layer, seen = Dropout(0.5), []
    with testmode(layer):
        thread = threading.Thread(target=lambda: seen.append(layer.training))
        thread.start()
        thread.join()
    assert seen == [False]


def test_a_model_without_modes_may_be_set_and_what_is_no_model_may_not():
    testmode(Chain(Dense(2, 2)))
    testmode([Dense(2, 2), optshare.relu])
    testmode(lambda x: x)
    with pytest.raises(EmptyModelError, match="a list has no layers whose mode could be set"):
        testmode([np.ones(2)])


def test_a_frameworks_own_model_sets_its_mode_itself():
    module = torch.nn.Dropout(0.5)
    with pytest.raises(EmptyModelError, match=r"Dropout is a model of a framework's own.*eval"):
        testmode(module)
    assert module.training


def test_pytest_collects_a_module_that_imports_testmode(tmp_path):
    import subprocess
    import sys

    (tmp_path / "test_user.py").write_text(
        "from optshare import testmode\n\ndef test_own():\n    assert testmode\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in found.stdout
    assert found.returncode == 0
