import numpy as np
import pytest

import optshare
import optshare_tape
from optshare import Parameter, gradient, value_and_gradient
from optshare.errors import CapabilityError, UnreachedParametersError, UnregisteredParameterError
from optshare_arrays import Scope
from optshare_arrays.nodes import PLAN


@pytest.fixture
def pulled(monkeypatch):
    """The names of the primitives whose derivative was asked for, one for each argument."""
    log = []

    def spied(plain):
        def record(self, primitive, *args):
            value = plain(self, primitive, *args)
            plan = value.node[PLAN]

            def pull(places, g, answer, inputs, kwargs):
                log.extend((primitive.name, place) for place in places)
                return [vjp(g, answer, *inputs, **kwargs) for vjp in plan.vjps]

            value.node[PLAN] = plan.pulled_by(pull)
            return value

        return record

    for name in ("record", "record_one", "record_pair"):
        monkeypatch.setattr(Scope, name, spied(getattr(Scope, name)))
    return log


@pytest.mark.usefixtures("backend")
class TestGradient:
    def test_without_wrt_it_is_a_tuple_parallel_to_the_arguments(self):
        x, y = gradient(lambda x, y: (x * y).sum(), [1, 2, 3], [4, 5, 6])
        assert x.tolist() == [4.0, 5.0, 6.0]
        assert y.tolist() == [1.0, 2.0, 3.0]

    def test_the_value_comes_first(self):
        value, (g,) = value_and_gradient(lambda x: x**3, 2.0)
        assert value == 8.0
        assert g == 12.0

    def test_the_value_is_plain(self):
        value, _ = value_and_gradient(lambda x: (x * x).sum(), np.ones(2, np.float32))
        assert isinstance(value, np.float32)

    def test_the_function_is_called_once(self):
        calls = []
        gradient(lambda x: calls.append(1) or x * x, 3.0)
        assert calls == [1]

    def test_an_argument_without_a_path_has_no_gradient(self):
        x, y = gradient(lambda x, y: x * x, 3.0, 4.0)
        assert x == 6.0
        assert y is None

    def test_a_constant_function_of_an_argument_has_no_gradient(self):
        value, (g,) = value_and_gradient(lambda x: 7.0, 3.0)
        assert value == 7.0
        assert g is None

    def test_a_parameter_used_at_many_places_has_the_sum_of_its_gradients(self):
        p = Parameter([1.0, 2.0])
        layers = [lambda x: x * p, lambda x: x + p, lambda x: x * p.value]

        def loss():
            x = np.ones(2)
            for layer in layers:
                x = layer(x)
            return x.sum()

        assert gradient(loss, wrt=p)[p].tolist() == [4.0, 8.0]

    def test_a_loss_that_is_a_parameter_itself_has_gradient_one(self):
        p = Parameter(3.0)
        value, g = value_and_gradient(lambda: p.value, wrt=p)
        assert value == 3.0
        assert g[p] == 1.0

    def test_reading_none_of_the_parameters_is_an_error(self):
        p = Parameter([1.0])
        with pytest.raises(UnreachedParametersError, match="read none of the 1 parameters"):
            gradient(lambda: np.float64(1.0), wrt=p)

    def test_gradients_of_empty_arrays_are_empty(self):
        p = Parameter(np.zeros((0, 3)))
        assert gradient(lambda: p.value.sum(), wrt=p)[p].shape == (0, 3)


@pytest.mark.usefixtures("backend")
class TestFreezing:
    @staticmethod
    def chain():
        return optshare.Chain(
            optshare.Dense(3, 4, optshare.tanh), optshare.Dense(4, 4, optshare.tanh)
        )

    def test_frozen_layers_before_the_others_are_pruned_from_the_backward_pass(self, pulled):
        model, x = self.chain(), np.ones((2, 3), np.float32)
        gradient(lambda: model(x).sum(), wrt=model)
        whole = pulled.copy()
        pulled.clear()
        optshare.freeze(model[0])
        gradient(lambda: model(x).sum(), wrt=model)
        names = [name for name, _ in pulled]
        assert names.count("tanh") == 1
        assert [place for name, place in pulled if name == "linear"] == [1, 2]
        assert len(pulled) < len(whole)

    def test_frozen_layers_after_the_others_have_no_gradient_of_their_weights(self, pulled):
        model, x = self.chain(), np.ones((2, 3), np.float32)
        optshare.freeze(model[1])
        g = gradient(lambda: model(x).sum(), wrt=model)
        assert sorted(place for name, place in pulled if name == "linear") == [0, 1, 2]
        assert [each is None for each in g] == [False, False, True, True]

    def test_a_step_over_a_frozen_model_differentiates_nothing(self, pulled):
        model, x = self.chain(), np.ones((2, 3), np.float32)
        opt = optshare.Adam(model)
        optshare.freeze(model)
        loss = opt.step(lambda x: model(x).sum(), x)
        assert loss == model(x).sum()
        assert pulled == []

    def test_thawed_layers_have_gradients_again(self):
        model, x = self.chain(), np.ones((2, 3), np.float32)
        before = list(gradient(lambda: model(x).sum(), wrt=model))
        optshare.freeze(model)
        optshare.thaw(model)
        after = list(gradient(lambda: model(x).sum(), wrt=model))
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)


def test_record_prunes_frozen_parameters(pulled):
    p, q = Parameter([1.0]), Parameter([2.0])
    optshare.freeze([p])
    with optshare.record():
        y = (p.value * 3.0 * q).sum()
    optshare_tape.back(y)
    assert p.grad is None
    assert q.grad.tolist() == [3.0]
    assert [name for name, _ in pulled].count("multiply") == 1


def test_record_needs_an_engine_that_accumulates_gradients():
    with optshare.use("functional"), pytest.raises(CapabilityError, match="accumulates_grad"):
        optshare.record()


def test_both_engines_give_the_same_gradients(deviation):
    model = optshare.Chain(
        optshare.Dense(5, 8, optshare.gelu, dtype=np.float64),
        optshare.Dense(8, 3, dtype=np.float64),
    )
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 5)), rng.integers(0, 3, 7)
    found = {}
    for name in ("tape", "functional"):
        with optshare.use(name):
            found[name] = list(gradient(lambda: optshare.nll(model(x), y), wrt=model))
    for one, other in zip(found["tape"], found["functional"], strict=True):
        assert deviation(one, other) <= 1e-15


def test_equal_numbers_at_two_positions_are_two_arguments(backend):
    g = optshare.gradient(lambda a, b: a * a * b, 2.0, 2.0, wrt=(0, 1))
    assert (float(g[0]), float(g[1]), len(g)) == (8.0, 4.0, 2)


def test_a_position_is_never_taken_for_an_argument_of_that_value(backend):
    g = optshare.gradient(lambda a, b: a * b, 1, 5, wrt=(0, 1))
    assert (float(g[0]), float(g[1])) == (5.0, 1.0)


def test_positions_and_models_may_stand_in_a_list(backend):
    p = optshare.Parameter([3.0])
    g = optshare.gradient(lambda x: (x * p).sum(), np.array([2.0]), wrt=[0, p])
    assert (g[0].tolist(), g[p].tolist()) == ([3.0], [2.0])


def test_a_truth_is_no_position():
    with pytest.raises(UnregisteredParameterError, match="wrt names True"):
        optshare.gradient(lambda x: x, 1.0, wrt=True)
