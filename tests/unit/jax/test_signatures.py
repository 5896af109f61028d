"""Which functions share a trace, and which programs share a compilation."""

import functools
import gc
import types
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare
import optshare_jax
from optshare import Parameter
from optshare_jax.programs import fingerprint
from optshare_jax.recent import KEPT
from optshare_jax.signatures import Signature


@pytest.fixture
def p():
    return Parameter(jnp.array([0.25, 0.75, 0.5]))


@pytest.fixture
def opt(p):
    return optshare.SGD([p], lr=0.0)


def test_a_function_captured_twice_is_not_taken_for_another(p, opt):
    def once(x):
        return x

    def twice(x):
        return 2 * x

    def loss(f, g, h):
        return lambda: (f(p.value) + 10 * g(p.value) + 100 * h(p.value)).sum()

    losses = [opt.step(loss(once, twice, once)), opt.step(loss(once, twice, twice))]
    assert [float(each) for each in losses] == [1.5 * 121, 1.5 * 221]


def test_a_name_of_an_attribute_is_no_name_of_a_global(p, opt, monkeypatch):
    traces = []

    def loss(x):
        traces.append(1)
        return (p.value * x).mean()

    for number in range(4):
        monkeypatch.setitem(globals(), "mean", number)
        opt.step(loss, jnp.ones(3))
    assert len(traces) == 1


@pytest.mark.parametrize("changed", [{"beta": 3.0}, {"flag": True}, {"act": jnp.sin}])
def test_an_attribute_that_the_loss_reads_is_noticed_when_it_changes(p, opt, changed):
    class Trainer:
        beta, flag, act = 2.0, False, staticmethod(jnp.cos)

        def loss(self):
            value = self.act(self.beta * p.value).sum()
            return -value if self.flag else value

    trainer = Trainer()
    for call in (trainer.loss, lambda: trainer.loss()):
        vars(trainer).clear()
        opt.step(call)
        vars(trainer).update(changed)
        assert float(opt.step(call)) == pytest.approx(float(trainer.loss()), rel=1e-12)


def test_an_attribute_that_was_no_array_at_first_is_read(p, opt):
    state = types.SimpleNamespace(prev=None)

    def loss():
        return (p.value * (1.0 if state.prev is None else state.prev)).sum()

    assert float(opt.step(loss)) == 1.5
    for number in (2.0, 4.0):
        state.prev = jnp.array(number)
        with pytest.warns(optshare_jax.CapturedArrayWarning) if number == 2.0 else _nothing():
            assert float(opt.step(loss)) == 1.5 * number


def test_a_counter_that_the_loss_writes_makes_no_new_trace(p, opt):
    class Counted:
        calls = 0

        def loss(self, x):
            self.calls += 1
            return (p.value * x).sum()

    counted = Counted()
    for _ in range(3):
        opt.step(counted.loss, jnp.ones(3))
    assert counted.calls == 1


@pytest.mark.parametrize("scalar", [np.array(1.0), np.ones(2)])
def test_numbers_that_numpy_makes_of_a_captured_array_are_not_kept(p, opt, scalar):
    with pytest.warns(optshare_jax.CapturedArrayWarning, match="float64"):
        assert float(opt.step(lambda: (p.value * scalar.max()).sum())) == 1.5
    scalar[...] = 2.0
    with pytest.warns(optshare_jax.CapturedArrayWarning):
        assert float(opt.step(lambda: (p.value * scalar.max()).sum())) == 3.0


def test_a_recursive_function_has_a_signature():
    def countdown(x, n):
        return x if n == 0 else countdown(x / 2, n - 1)

    assert Signature(countdown).key == Signature(countdown).key
    assert Signature(functools.partial(countdown, n=1)).key != Signature(countdown).key


def test_a_function_compiled_for_ever_new_numbers_is_named(p, opt):
    def annealed(step):
        return lambda: (p.value * (step / 10)).sum()

    for step in range(15):
        opt.step(annealed(step))
    with pytest.warns(optshare_jax.RecompilationWarning, match="compiled 16 times"):
        opt.step(annealed(15))


def test_two_programs_of_many_outputs_are_not_taken_for_each_other(p, opt):
    x, y = jnp.array([3.0, 1.0]), jnp.array([1.0, 2.0])

    def program(wanted):
        def run(x, y):
            a, b = jax.lax.sort((x, y))
            c = jnp.sin(a)
            return {"product": b * c, "sorted": b, "sine": c}[wanted]

        return fingerprint(jax.make_jaxpr(run)(x, y))

    assert len({program(each) for each in ("product", "sorted", "sine")}) == 3

    def loss(which):
        def run(x):
            a, b = jnp.split(jnp.concatenate([x, x * 2]), 2)
            return (p.value * (jnp.exp(a) if which else b)).sum()

        return run

    row = jnp.array([0.5, 0.25, 1.0])
    wanted = [float((p.value * row * 2).sum()), float((p.value * jnp.exp(row)).sum())]
    found = [float(opt.step(loss(which), row)) for which in (0, 1)]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_jaxs_settings_belong_to_the_trace(p, opt):
    def loss(x):
        return (p.value * x * jax.random.uniform(jax.random.key(0), (3,))).sum()

    plain = float(opt.step(loss, jnp.ones(3)))
    with jax.default_prng_impl("rbg"):
        assert float(opt.step(loss, jnp.ones(3))) == float(loss_now(p, "rbg"))
    assert float(opt.step(loss, jnp.ones(3))) == plain


def loss_now(p, implementation):
    key = jax.random.key(0, impl=implementation)
    return (p.value * jax.random.uniform(key, (3,))).sum()


def _nothing():
    import contextlib

    return contextlib.nullcontext()


def test_an_inner_gradient_of_an_argument_is_differentiated(p, opt):
    def penalty(x):
        (g,) = optshare.gradient(lambda z: (p.value * z**3).sum(), x)
        return (g**2).sum()

    x = jnp.array([1.0, 2.0, 3.0])
    for _ in range(2):
        value = float(opt.step(penalty, x))
        assert value == pytest.approx(float(((3 * p.value * x**2) ** 2).sum()), rel=1e-12)
    with pytest.warns(optshare_jax.CapturedArrayWarning):
        assert float(opt.step(lambda: penalty(x))) == pytest.approx(value, rel=1e-12)
    (g,) = optshare.gradient(penalty, x, wrt=p)
    np.testing.assert_allclose(g, 18 * p.value * x**4, rtol=1e-12)


def test_a_gradient_for_arguments_alone_may_stand_in_a_function_that_jax_compiles():
    slope = jax.jit(lambda x: optshare.gradient(lambda z: (z**3).sum(), x)[0])
    np.testing.assert_allclose(slope(jnp.array([1.0, 2.0])), [3.0, 12.0], rtol=1e-12)


def test_a_gradient_compiles_what_jax_compiles_inside_it_only_once(p):
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, *_, **__: compiled.append(name) if "backend_compile" in name else None
    )
    try:
        seen = []
        for _ in range(3):
            optshare.gradient(lambda: jax.nn.relu(p.value * 1.5).sum(), wrt=p)
            seen.append(len(compiled))
    finally:
        jax.monitoring.clear_event_listeners()
    assert seen[1:] == seen[:1] * 2


def teacher():
    box = Parameter(jnp.full(3, 2.0))
    optshare.freeze([box])
    return box


def against(p, teacher):
    return lambda x: ((p.value - teacher.value) * x).sum()


def test_boxes_that_are_gone_are_not_kept(p, opt):
    gone = []
    for _ in range(4):
        box = teacher()
        gone.append(weakref.ref(box))
        assert float(opt.step(against(p, box), jnp.ones(3))) == -4.5
    del box
    for number in range(KEPT):
        opt.step(lambda x, number=number: (p.value * x).sum(), jnp.ones(3))
    gc.collect()
    assert [each() for each in gone[:-1]] == [None] * 3


def test_boxes_of_other_functions_of_the_same_code_are_no_inputs(p, opt):
    for _ in range(16):  # an input more at each step would be a program more at each step
        assert float(opt.step(against(p, teacher()), jnp.ones(3))) == -4.5


def test_a_box_that_is_read_no_more_may_take_another_shape(p, opt):
    box, traces = teacher(), []

    def loss(x, is_read):
        traces.append(1)
        return ((p.value - (box.value if is_read else 0.0)) * x).sum()

    assert float(opt.step(loss, jnp.ones(3), True)) == -4.5
    assert float(opt.step(loss, jnp.ones(3), False)) == 1.5
    box.migrate(jnp.ones(2))
    before = len(traces)
    assert float(opt.step(loss, jnp.ones(3), False)) == 1.5
    assert len(traces) == before
