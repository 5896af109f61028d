import dataclasses
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

import optshare
import optshare_functional
import optshare_tape
from optshare import Buffer, Parameter, gradcheck, ops, registry, use
from optshare.errors import CapabilityError, GradientError, HyperparameterError, ParameterError
from optshare.holdings import held_by
from optshare_functional import custom_vjp
from optshare_tape import Variable

SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ["jax"]]
ENGINES = ["tape", "functional", "torch", "autograd", *SLOW]


@dataclasses.dataclass
class Pair:
    """Two values of one function."""

    square: object
    multiple: object


SHARED = Parameter(np.array([0.5, -1.5], np.float32))
"""A Parameter that functions below reach as a global."""


def array(name, values, dtype=None):
    return registry.load(name).ops.asarray(np.array(values, dtype))


def parameter(name, values, dtype=np.float64):
    return Parameter(array(name, values, dtype))


def refused(f, *args, order=2, error=GradientError):
    with pytest.raises(error) as caught:
        gradcheck(f, *args, order=order)
    return str(caught.value)


def cubed(cotangent):
    """x**3, with a cotangent written by hand."""
    return custom_vjp(lambda x: x * x * x, lambda x: (x * x * x, x), cotangent)


class Scaled:
    """Reads its Parameters when it is called, and by a method."""

    def __init__(self, scale, shift):
        self.scale, self.shift = scale, shift

    def __call__(self, x):
        return x * self.scale.value + self.shift.value

    def squared(self, x):
        return self(x) ** 2


class RunningMean:
    """Subtracts the mean of the batch, and keeps a running one."""

    def __init__(self, mean):
        self.mean = mean

    def __call__(self, x):
        here = optshare.namespace_of(x).mean(x, axis=0)
        self.mean.value = 0.9 * self.mean.value + 0.1 * here
        return (x - here) * (1 + self.mean.value**2)


class TestOnEveryEngine:
    @pytest.mark.parametrize("name", ENGINES)
    def test_a_smooth_function_passes_to_the_second_order(self, name):
        weight = parameter(name, [[0.3, -0.5], [1.0, 0.2]])
        x = array(name, [[1.0, 2.0], [-0.5, 0.7]])
        with use(name):
            assert gradcheck(lambda x: ops.tanh(x @ weight.value), x) is None

    @pytest.mark.parametrize("name", ENGINES)
    def test_a_constant_factor_where_there_is_a_path_is_found(self, name):
        x = array(name, [1.0, 2.0])
        with use(name):
            message = refused(lambda x: ops.stop_gradient(x) * x, x)
        assert "first derivative for argument 0 is wrong" in message
        assert name in message

    @pytest.mark.parametrize("name", ENGINES)
    def test_float32_is_read_as_float64_and_kept_as_it_is(self, name):
        weight = parameter(name, [0.1, 0.2], np.float32)
        mean = Buffer(array(name, [0.0, 0.5], np.float32))
        norm, x = RunningMean(mean), array(name, [[1.0, 2.0], [3.0, -1.0]], np.float32)
        stored = [weight.stored, mean.stored]
        with use(name):
            gradcheck(lambda x: norm(x) * weight.value, x, order=1)
        assert stored[0] is weight.stored
        assert stored[1] is mean.stored
        np.testing.assert_array_equal(np.asarray(weight.stored), np.array([0.1, 0.2], np.float32))
        np.testing.assert_array_equal(np.asarray(mean.stored), np.array([0.0, 0.5], np.float32))
        np.testing.assert_array_equal(np.asarray(x), np.array([[1, 2], [3, -1]], np.float32))

    @pytest.mark.parametrize("name", ENGINES)
    def test_a_model_with_dropout_and_integer_labels_passes(self, name):
        model = optshare.Chain(optshare.Dense(3, 4, optshare.tanh), optshare.Dropout(0.5))
        optshare.to(model, name)
        labels = array(name, [0, 3])
        x = array(name, np.ones((2, 3)))
        with use(name):
            gradcheck(lambda x, y: optshare.nll(model(x), y), x, labels, order=1)
        assert model.layers[1].calls.stored == 0


def torch_square(backward):
    import torch

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(context, z):
            context.save_for_backward(z)
            return z * z

        @staticmethod
        def backward(context, g):
            return backward(context.saved_tensors[0], g)

    return Square.apply


@pytest.fixture
def declare(monkeypatch):
    """Lets a backend declare something else."""

    def set_to(**capabilities):
        real = registry.capabilities
        monkeypatch.setattr(
            registry, "capabilities", lambda name: dataclasses.replace(real(name), **capabilities)
        )

    return set_to


class TestWrongDerivatives:
    def test_a_wrong_first_derivative_is_found(self):
        f = cubed(lambda x, g: (g * 2 * x * x,))
        message = refused(lambda x: f(x), np.array([1.0, 2.0]))
        assert message.startswith("the first derivative for argument 0 is wrong: tape gives ")

    def test_a_wrong_second_derivative_is_found_with_order_2_only(self):
        f = cubed(lambda x, g: (g * 3 * ops.stop_gradient(x) * x,))
        gradcheck(lambda x: f(x), np.array([1.0, 2.0]), order=1)
        message = refused(lambda x: f(x), np.array([1.0, 2.0]))
        assert message.startswith("the second derivative for argument 0 is wrong")

    def test_a_wrong_third_derivative_is_found_with_order_3_only(self):
        def backward(x, g):
            return (g * 2 * ops.stop_gradient(x),)

        squared = custom_vjp(lambda x: x * x, lambda x: (x * x, x), backward)
        right, wrong = (cubed(lambda x, g, f=f: (g * 3 * f(x),)) for f in (np.square, squared))
        gradcheck(lambda x: right(x), 1.5, order=3)
        gradcheck(lambda x: wrong(x), 1.5, order=2)
        message = refused(lambda x: wrong(x), 1.5, order=3)
        assert message.startswith("the third derivative for argument 0 is wrong")

    def test_one_wrong_element_of_a_hundred_is_found(self):
        off = np.ones(100)
        off[7] += 1e-6
        f = custom_vjp(np.sin, lambda x: (np.sin(x), x), lambda x, g: (g * np.cos(x) * off,))
        assert "is wrong" in refused(lambda x: f(x), np.linspace(-1, 1, 100), order=1)

    def test_one_wrong_output_is_found_among_several(self):
        f = cubed(lambda x, g: (g * 2 * x * x,))
        assert "is wrong" in refused(lambda x: {"right": [x * x, 3], "wrong": (f(x),)}, 2.0)
        gradcheck(lambda x: {"right": [x * x, 3], "also": (x**3,)}, 2.0)

    def test_the_numbers_and_the_direction_are_in_the_message(self):
        message = refused(lambda x: x + ops.stop_gradient(x), 10.0)
        words = message.replace(",", "").split()
        after = [words.index(each) + 1 for each in ("gives", "differences")]
        claimed, numeric = (float(words[place]) for place in after)
        assert numeric == pytest.approx(2 * claimed, rel=1e-5)
        assert "tolerance" in message
        assert "along [" in message

    def test_an_absent_gradient_of_what_matters_is_found(self):
        message = refused(lambda x, y: x * ops.stop_gradient(y), 2.0, 3.0)
        assert "for argument 1 is wrong: tape gives no gradient (None)" in message

    def test_an_absent_gradient_of_what_does_not_matter_passes(self):
        gradcheck(lambda x, y: x * x, 2.0, 3.0)

    def test_a_nan_in_the_gradient_is_found(self):
        f = cubed(lambda x, g: (g * np.nan,))
        assert "first derivative for argument 0 is nan by tape" in refused(lambda x: f(x), 2.0)

    def test_the_same_call_says_the_same(self):
        first, second = (refused(lambda x: ops.stop_gradient(x) * x, 2.0) for _ in range(2))
        assert first == second

    def test_it_is_an_assertion_error(self):
        with pytest.raises(AssertionError):
            gradcheck(lambda x: ops.stop_gradient(x) * x, 2.0)


class TestWhatIsChecked:
    @pytest.fixture
    def scaled(self):
        return Scaled(Parameter([2.0, 3.0]), Parameter([0.5, 0.1]))

    @pytest.fixture
    def wrong(self, scaled):
        """One whose shift is read as a constant."""
        shift = scaled.shift

        class Constant:
            value = property(lambda self: ops.stop_gradient(shift.value))

        scaled.shift, scaled.kept = Constant(), {"shift": [shift]}
        return scaled

    def test_parameters_of_a_callable_object(self, scaled, wrong):
        assert "for kept.shift.0 is wrong" in refused(wrong, np.ones(2))

    def test_parameters_of_a_bound_method(self, wrong):
        assert "for self.kept.shift.0 is wrong" in refused(wrong.squared, np.ones(2))

    def test_parameters_of_a_closure(self, wrong):
        assert "for wrong.kept.shift.0 is wrong" in refused(lambda x: wrong(x), np.ones(2))

    def test_parameters_of_a_partial_function(self, wrong):
        bound = partial(lambda model, x: model(x), wrong)
        assert "kept.shift.0 is wrong" in refused(bound, np.ones(2))

    def test_parameters_of_a_right_object_pass(self):
        scaled = Scaled(Parameter([2.0, 3.0]), Parameter([0.5, 0.1]))
        for f in (scaled, scaled.squared, lambda x: scaled(x), partial(scaled)):
            gradcheck(f, np.ones(2))

    def test_globals(self):
        gradcheck(lambda x: x * SHARED.value, np.ones(2))
        assert "for SHARED is wrong" in refused(uses_a_global, np.ones(2))

    def test_globals_of_what_it_calls(self):
        message = refused(lambda x: through_another(x), np.ones(2))
        assert "for a Parameter of shape (2,) that f reads is wrong" in message

    def test_a_global_of_the_name_of_an_attribute_is_not_held(self):
        assert held_by(lambda x: x.SHARED) == []
        assert held_by(lambda x: x * SHARED) == [("SHARED", SHARED)]

    def test_values_in_a_dataclass(self):
        gradcheck(lambda x: Pair(x * x, 3 * x), np.ones(2))
        message = refused(lambda x: Pair(x * x, ops.stop_gradient(x) * x), np.ones(2))
        assert "is wrong" in message

    def test_without_arguments(self):
        gradcheck(lambda: (SHARED.value**2).sum())

    def test_a_parameter_or_a_model_as_an_argument(self):
        gradcheck(lambda p, x: p.value**2 * x, Parameter([2.0, 3.0]), 2.0)
        dense = optshare.Dense(2, 3)
        message = refused(lambda m, x: ops.stop_gradient(m.weight.value) * x, dense, 2.0)
        assert "for argument 0.weight is wrong" in message

    def test_lists_and_dicts(self):
        tree = {"w": [np.ones(2, np.float32), 3.0], "n": 2, "name": "x"}
        gradcheck(lambda tree: tree["w"][0] ** 2 * tree["w"][1] ** tree["n"], tree)
        message = refused(lambda tree: tree["w"][0] * ops.stop_gradient(tree["w"][1]), tree)
        assert "for argument 0.w.1 is wrong" in message

    def test_a_variable_of_the_tape(self):
        v = Variable([1.0, 2.0])
        gradcheck(lambda: v * v)
        assert v.grad is None

    def test_integers_are_constants(self):
        kinds = []
        labels = np.array([1, 0])

        def f(x, i, n):
            kinds.append((type(i), i.dtype, n))
            return x[i] ** n

        gradcheck(f, np.ones(2), labels, 2)
        assert set(kinds) == {(np.ndarray, labels.dtype, 2)}

    def test_frozen_parameters_are_constants(self):
        frozen = Parameter([2.0, 3.0])
        optshare.freeze([frozen])
        gradcheck(lambda x: x * ops.stop_gradient(frozen.value), np.ones(2))

    def test_a_derivative_inside_the_function(self):
        gradcheck(lambda x: optshare.gradient(lambda y: (y**3).sum(), x)[0] * x, np.ones(2))

    def test_an_engines_own_derivatives(self):
        gradcheck(lambda x: optshare_functional.hvp(lambda y: (y**3).sum(), x, x), np.ones(2))
        gradcheck(lambda x: optshare_tape.checkpoint(lambda y: y**3 * SHARED.value, x), np.ones(2))


def uses_a_global(x):
    return x * ops.stop_gradient(SHARED.value)


def through_another(x):
    return uses_a_global(x)


class TestVacuous:
    def test_no_arguments_and_no_parameters(self):
        assert "nothing to check" in refused(lambda: np.ones(2).sum())

    def test_integers_only(self):
        assert "give floats, such as 3.0" in refused(lambda n: n * 1.5, 3)

    def test_frozen_parameters_only(self):
        frozen = Parameter([2.0])
        optshare.freeze([frozen])
        assert "frozen" in refused(lambda: frozen.value * 2)

    def test_a_constant_function(self):
        assert "every derivative of f is zero here" in refused(lambda x: np.ones(2), 3.0)

    def test_a_function_of_something_else(self):
        assert "every derivative of f is zero here" in refused(lambda x: 2.0, np.ones(3))

    def test_a_stationary_point(self):
        assert "check at another point" in refused(lambda x: x * x, np.zeros(2))

    def test_no_elements(self):
        assert "every derivative of f is zero here" in refused(lambda x: x * x, np.zeros(0))

    def test_a_derivative_below_the_rounding_of_the_value(self):
        assert "every derivative of f is zero here" in refused(lambda x: x + 1e12, 1.0)

    @pytest.mark.parametrize("value", [None, 3, "x", []])
    def test_nothing_floating_is_returned(self, value):
        assert "without floating numbers" in refused(lambda x: value, 3.0)

    @pytest.mark.parametrize("order", [0, -1, 1.0, True, None])
    def test_no_order(self, order):
        assert "order must be 1, 2" in refused(np.sin, 1.0, order=order, error=HyperparameterError)

    def test_linear_functions_have_a_second_derivative_that_is_zero(self):
        gradcheck(lambda x: 3 * x, 2.0)


class TestNotComparable:
    def test_a_kink(self):
        message = refused(optshare.relu, np.array([0.0, 1.0]))
        assert "not comparable (at a kink" in message

    def test_a_point_beside_a_kink_passes(self):
        gradcheck(optshare.relu, np.array([1e-6, 1.0]))

    @pytest.mark.parametrize("x", [0.0, np.nan, np.inf])
    def test_a_value_that_is_not_finite(self, x):
        assert "here; check at another point" in refused(lambda x: np.log(x), x)

    def test_a_pole_near(self):
        assert "not comparable" in refused(lambda x: np.log(x), 1e-9)

    def test_float32_inside(self):
        message = refused(lambda x: x.astype(np.float32).astype(np.float64) ** 2, 1.2)
        assert "not comparable (at a kink or a pole, or near one? float32" in message

    def test_float32_returned(self):
        assert "f returned float32" in refused(lambda x: x.astype(np.float32), np.ones(2))

    def test_cancellation(self):
        assert "not comparable" in refused(lambda x: (x + 1e8) - 1e8, np.array([0.3, 0.7]))


class TestOtherCalls:
    def test_random_numbers(self):
        rng = np.random.default_rng(0)
        message = refused(lambda x: x * rng.normal(), 2.0)
        assert "another value in a second call" in message
        assert "Buffer" in message

    def test_a_shape_that_changes(self):
        shapes = iter(range(2, 100))
        message = refused(lambda x: x * np.ones(next(shapes)), 2.0)
        assert "other shapes from call to call ((2,), then (3,))" in message

    def test_a_parameter_read_in_a_later_call(self):
        late, calls = Parameter([2.0]), []

        def f(x):
            calls.append(1)
            return x * late.value if len(calls) > 3 else x * 2

        message = refused(f, np.ones(1))
        assert "late was read in a later call and not in the first" in message

    def test_an_unheld_parameter_read_in_a_later_call(self):
        calls = []

        def f(x):
            calls.append(1)
            return through_another(x) if len(calls) > 3 else x * 2

        assert "was read in a later call and not in the first" in refused(f, np.ones(2))

    def test_new_parameters_in_each_call(self):
        assert "Make them outside" in refused(lambda x: x * Parameter([2.0]).value, np.ones(1))

    def test_an_argument_changed_in_place(self):
        def doubled(x):
            x *= 2.0
            return x * 1.0

        x = np.ones(2)
        assert "changes argument 0 in place" in refused(doubled, x)
        assert x.tolist() == [1.0, 1.0]

    def test_a_constant_changed_in_place(self):
        def counted(x, n):
            n += 1
            return x * n

        assert "changes argument 1 in place" in refused(counted, np.ones(2), np.array([1, 2]))

    def test_a_parameter_assigned(self):
        p = Parameter([1.0])

        def f(x):
            p.value = [2.0]
            return x * p.value

        assert "cannot be written" in refused(f, np.ones(1), error=ParameterError)
        assert p.value.tolist() == [1.0]


class TestState:
    def test_buffers_are_as_before_even_after_an_error(self):
        norm, x = RunningMean(Buffer([1.0, 2.0])), np.array([[1.0, 2.0], [3.0, -1.0]])
        gradcheck(norm, x)
        refused(lambda x: norm(x) * ops.stop_gradient(x), x)
        assert norm.mean.stored.tolist() == [1.0, 2.0]

    def test_dropout_keeps_its_mask_and_its_count(self):
        drop = optshare.Dropout(0.5, seed=1)
        gradcheck(lambda x: drop(x) ** 2, np.linspace(1, 2, 20))
        assert drop.calls.stored == 0

    def test_a_buffer_of_another_shape_is_refused_as_ever(self):
        mean = Buffer(np.zeros(2, np.float32))

        def f(x):
            mean.value = x
            return x * 2

        message = refused(f, np.ones(3), error=ParameterError)
        assert "Buffer has shape (2,), the new value has (3,)" in message

    def test_nothing_is_left_being_recorded(self):
        refused(lambda x: ops.stop_gradient(x) * x, 2.0)
        assert not optshare.recording()
        assert SHARED.value is SHARED.stored


class TestCapabilities:
    def test_order_2_needs_higher_order(self, declare):
        declare(higher_order=False)
        message = refused(np.sin, 1.0, error=CapabilityError)
        assert "backend 'tape' does not declare 'higher_order'" in message
        assert "order=1" in message
        gradcheck(np.sin, 1.0, order=1)

    def test_complex_numbers_need_complex(self, declare):
        declare(complex=False)
        message = refused(lambda z: z * z, np.array([1 + 2j]), error=CapabilityError)
        assert "backend 'tape' does not declare 'complex'" in message

    @pytest.mark.parametrize("name", ["tape", "functional", "torch", "autograd"])
    def test_complex_numbers_pass_where_they_are_declared(self, name):
        if not registry.capabilities(name).complex:
            pytest.skip(f"{name} does not declare complex")
        with use(name):
            gradcheck(lambda z: z * z * z, array(name, [1 + 2j, 0.5 - 1j], np.complex64))


class TestComplex:
    @pytest.fixture(autouse=True)
    def _declared(self, declare):
        declare(complex=True)

    @pytest.fixture
    def z(self):
        return array("torch", [1 + 2j, 0.5 - 1j], np.complex64)

    def test_functions_between_real_and_complex_pass(self, z):
        import torch

        gradcheck(lambda z: (z * z.conj()).real, z)
        gradcheck(lambda z: [torch.sin(z) * 2j, z.imag**3], z)
        gradcheck(lambda x: torch.exp(1j * x), z.real)
        weight = parameter("torch", [2 - 1j, 1j], np.complex64)
        gradcheck(lambda x: weight.value**2 * x, z.real)

    def test_the_other_convention_of_the_gradient_is_found(self, z):
        import torch

        right = torch_square(lambda z, g: 2 * g * torch.conj_physical(z))
        other = torch_square(lambda z, g: 2 * g * z)
        gradcheck(right, z)
        assert "first derivative for argument 0 is wrong: torch gives" in refused(other, z)

    def test_a_missing_imaginary_part_is_found(self, z):
        import torch

        half = torch_square(lambda z, g: (2 * g * torch.conj_physical(z)).real + 0j)
        assert "j" in refused(half, z).split("along")[1]


class TestFrameworksOwnParameters:
    def test_those_of_a_module_are_refused_unless_they_are_frozen(self):
        import torch

        linear, x = torch.nn.Linear(3, 2).double(), torch.ones(2, 3)
        message = refused(lambda x: linear(x), x, error=CapabilityError)
        assert message.startswith("linear.weight is a Parameter of torch's")
        message = refused(lambda m, x: m(x), linear, x, error=CapabilityError)
        assert message.startswith("argument 0.weight is a Parameter of torch's")
        linear.requires_grad_(False)
        gradcheck(lambda x: linear(x), x)

    def test_an_immutable_model_is_an_argument(self):
        import equinox as eqx
        import jax

        model = eqx.nn.Linear(2, 1, key=jax.random.key(0))
        x = jax.numpy.ones(2)
        assert "pass the model as an argument" in refused(lambda x: model(x), x)
        gradcheck(lambda m, x: m(x) ** 2, model, x, order=1)

    @pytest.mark.slow
    def test_a_parameter_read_inside_jit_is_checked(self):
        import jax

        p = parameter("jax", [1.0, 2.0], np.float32)
        f = jax.jit(lambda x: x * p.value)
        gradcheck(lambda x: f(x), jax.numpy.ones(2), order=1)

    def test_a_tensor_that_requires_a_gradient_is_a_constant_in_a_closure(self):
        import torch

        w = torch.ones(2, dtype=torch.float64, requires_grad=True)
        gradcheck(lambda x: x**2 * w, torch.ones(2))
        assert w.grad is None


def test_torchs_own_check_agrees_about_a_wrong_and_a_right_derivative():
    import torch

    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    right, wrong = (torch_square(lambda z, g, k=k: k * g * z) for k in (2, 3))
    assert torch.autograd.gradcheck(right, (x,))
    gradcheck(right, x)
    assert not torch.autograd.gradcheck(wrong, (x,), raise_exception=False)
    assert "is wrong" in refused(wrong, x)


def test_importing_optshare_does_not_import_it():
    program = """if True:
        import sys, optshare
        assert "optshare.verification" not in sys.modules
        assert "gradcheck" in optshare.__all__
        optshare.gradcheck(lambda x: x * x, 3.0)
        from optshare import gradcheck
        assert gradcheck is optshare.gradcheck
    """
    subprocess.run([sys.executable, "-c", program], check=True)


ACTIVATIONS = ["elu", "gelu", "leaky_relu", "selu", "sigmoid", "silu", "softplus", "tanh"]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
@pytest.mark.usefixtures("backend")
def test_a_right_model_of_any_scale_passes(name, scale):
    model = optshare.Chain(optshare.Dense(10, 12, getattr(optshare, name)), optshare.Dense(12, 3))
    rng = np.random.default_rng(1)
    x, labels = scale * rng.normal(size=(8, 10)), rng.integers(0, 3, 8)
    gradcheck(lambda x, y: optshare.nll(model(x), y), x, labels)
