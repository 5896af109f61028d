"""Hooks: functions that see, and may replace, a gradient in the backward pass."""

import copy
import pickle

import numpy as np
import pytest

import optshare
import optshare_tape
from optshare import Parameter
from optshare.errors import DifferentiationError, EscapedValueError, FreedRecordError
from optshare_arrays import Traceable, ops
from optshare_tape import Variable, back, differentiate, grad, gradient, record, value


def test_a_hook_of_a_variable_sees_the_whole_gradient_once():
    x, seen = Variable([1.0, 2.0]), []
    x.register_hook(seen.append)
    back((x * x).sum() + (3 * x).sum() + x.value[0])
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0], [6.0, 7.0])
    np.testing.assert_array_equal(x.grad, [6.0, 7.0])
    back((x * x).sum())
    np.testing.assert_array_equal(seen[1], [2.0, 4.0])  # of this pass, not what is accumulated
    np.testing.assert_array_equal(x.grad, [8.0, 11.0])


def test_what_a_hook_gives_takes_the_place_of_the_gradient():
    x = Variable([1.0, 2.0])
    x.register_hook(lambda g: -g)
    x.register_hook(lambda g: [g[0], 100])
    back((x * x).sum())
    assert x.grad.dtype == np.float64
    np.testing.assert_array_equal(x.grad, [-2.0, 100.0])


def test_a_removed_hook_is_called_no_more():
    x, seen = Variable([1.0]), []
    first, second = x.register_hook(lambda g: seen.append(1)), x.register_hook(lambda g: 5 * g)
    first.remove()
    first.remove()
    back((x * x).sum())
    assert seen == []
    np.testing.assert_array_equal(x.grad, [10.0])
    second.remove()
    x.zero_grad()
    back((x * x).sum())
    np.testing.assert_array_equal(x.grad, [2.0])


def test_a_hook_may_remove_itself():
    x, seen = Variable([1.0]), []

    def once(g):
        seen.append(g)
        handle.remove()

    handle = x.register_hook(once)
    for _ in range(2):
        back((x * x).sum())
    assert len(seen) == 1


@pytest.mark.parametrize("operation", [lambda x: x * x, np.exp, lambda x: np.concatenate([x, x])])
def test_a_hook_of_a_value_sees_the_sum_over_all_its_uses(operation):
    x, seen = Variable([1.0, 2.0]), []
    y = operation(x.value)
    y.register_hook(seen.append)
    back(y.sum() + (2 * y).sum() + y[0] * y[0])
    expected = np.full(y.shape, 3.0)
    expected[0] += 2 * value(y)[0]
    np.testing.assert_array_equal(seen, [expected])


def test_what_a_hook_of_a_value_gives_flows_on():
    x = Variable([1.0, 2.0])
    y = x * x
    handle = y.register_hook(lambda g: 10 * g)
    y.register_hook(lambda g: g + 1)
    back(y.sum())
    np.testing.assert_array_equal(x.grad, [22.0, 44.0])
    y = x * x
    handle = y.register_hook(lambda g: 10 * g)
    handle.remove()
    x.zero_grad()
    back(y.sum())
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])


def test_a_hook_of_one_value_leaves_others_of_the_same_function_alone():
    x = Variable([1.0, 2.0])
    y, z = x * x, x * x
    y.register_hook(lambda g: 0 * g)
    back(y.sum() + z.sum())
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])


def test_a_hook_of_a_read_parameter_sees_its_part():
    p, seen = Parameter([1.0, 2.0]), []
    with record():
        read = p.value
        read.register_hook(lambda g: (seen.append(g), 2 * g)[1])
        y = (read * read).sum() + read[0]
    back(y)
    np.testing.assert_array_equal(seen, [[3.0, 4.0]])
    np.testing.assert_array_equal(p.grad, [6.0, 8.0])


def test_hooks_work_inside_a_function_that_is_differentiated():
    seen = []

    def f(x):
        x.register_hook(lambda g: (seen.append(g), 10 * g)[1])
        y = x * x
        y.register_hook(lambda g: g + 1)
        return y.sum()

    np.testing.assert_array_equal(grad(f)([1.0, 2.0]), [40.0, 80.0])
    np.testing.assert_array_equal(seen, [[4.0, 8.0]])


def test_hooks_of_a_variable_act_in_every_differentiation_of_the_tape():
    x = Variable([1.0, 2.0])
    x.register_hook(lambda g: 10 * g)
    expected = [20.0, 40.0]

    def loss():
        return (x * x).sum()

    np.testing.assert_array_equal(gradient(differentiate(loss), x), expected)
    np.testing.assert_array_equal(optshare.gradient(loss, wrt=x)[x], expected)
    np.testing.assert_array_equal(grad(lambda v: (v * v).sum())(x), expected)
    optshare.SGD([x], lr=0.1).step(loss)
    np.testing.assert_allclose(value(x), [-1.0, -2.0], rtol=1e-15)


def test_a_hook_is_not_called_where_there_is_no_path():
    x, y, seen = Variable([1.0]), Variable([1.0]), []
    x.register_hook(seen.append)
    z = x * 2
    z.register_hook(seen.append)
    back((y * 2).sum())
    assert optshare.gradient(lambda: (y * 2).sum() + ops.sign(x.value).sum(), wrt=[x, y])[x] is None
    assert seen == []


def test_a_hook_may_write_into_its_array_without_effect():
    x, seed = Variable([1.0, 2.0]), np.ones(2)
    y = x * 1.0

    def spoil(g):
        g[...] = 99.0

    y.register_hook(spoil)
    x.register_hook(spoil)
    back(y, seed)
    np.testing.assert_array_equal(x.grad, [1.0, 1.0])
    np.testing.assert_array_equal(seed, [1.0, 1.0])


def test_a_gradient_shares_no_memory_with_what_a_hook_gave():
    x, mine = Variable([1.0, 2.0]), np.array([5.0, 6.0])
    x.register_hook(lambda g: mine)
    back((x * x).sum())
    x.grad[0] = 7.0
    np.testing.assert_array_equal(mine, [5.0, 6.0])


@pytest.mark.parametrize("wrong", [lambda g: g[:1], lambda g: 1.0, lambda g: np.ones((2, 1))])
@pytest.mark.parametrize("on", ["variable", "value"])
def test_a_replacement_of_another_shape_raises_and_changes_nothing(wrong, on):
    x, other = Variable([1.0, 2.0]), Variable([3.0, 4.0])
    y = x * other
    (x if on == "variable" else y).register_hook(wrong)
    with pytest.raises(DifferentiationError, match=r"hook.*\(2,\)"):
        back(y.sum())
    assert (x.grad, other.grad) == (None, None)


@pytest.mark.parametrize("on", ["variable", "value", "leaf"])
def test_an_exception_in_a_hook_changes_no_gradient(on):
    x, other = Variable([1.0, 2.0]), Variable([3.0, 4.0])
    back((x * other).sum())
    before = x.grad.copy(), other.grad.copy()
    leaf = x.value
    y = leaf * other

    def broken(g):
        raise LookupError("mine")

    handle = {"variable": x, "value": y, "leaf": leaf}[on].register_hook(broken)
    with pytest.raises(LookupError, match="mine"):
        back(y.sum())
    np.testing.assert_array_equal(x.grad, before[0])
    np.testing.assert_array_equal(other.grad, before[1])
    assert not optshare.recording()
    handle.remove()
    back((x * other).sum())
    np.testing.assert_array_equal(x.grad, 2 * before[0])


def test_a_hook_of_higher_order_is_differentiated_too():
    x = Variable([1.0, 2.0])
    x.register_hook(lambda g: g * g)  # (3 x**2)**2
    back((x**3).sum(), higher_order=True)
    slope = x.grad
    assert isinstance(slope, Traceable)
    y = Variable([1.0, 2.0])
    z = y**2
    z.register_hook(lambda g: g * y)
    back(z.sum(), higher_order=True)  # 2 y * y
    second = y.grad
    y.zero_grad()
    back(second.sum())
    np.testing.assert_array_equal(y.grad, [4.0, 8.0])
    np.testing.assert_array_equal(value(slope), [9.0, 144.0])


def test_a_value_without_a_record_takes_no_hook():
    x, kept = Variable([1.0, 2.0]), []
    y = x * x
    back(y.sum())
    with pytest.raises(FreedRecordError):
        y.register_hook(print)
    grad(lambda a: (kept.append(a), a.sum())[1])(np.ones(2))
    with pytest.raises(EscapedValueError, match="register_hook"):
        kept[0].register_hook(print)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_has_no_hooks(copied):
    x = Variable([1.0, 2.0])
    x.register_hook(lambda g: 10 * g)
    twin = copied(x)
    back((twin * twin).sum() + (x * x).sum())
    np.testing.assert_array_equal(twin.grad, [2.0, 4.0])
    np.testing.assert_array_equal(x.grad, [20.0, 40.0])


def test_hooks_are_the_tapes_alone():
    assert not hasattr(Parameter([1.0]), "register_hook")
    assert hasattr(optshare_tape.Variable, "register_hook")
