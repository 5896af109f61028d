"""A learning rate that changes with each step compiles nothing anew."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare
from optshare import Parameter
from optshare.kernels.program import program_of
from optshare.kernels.reference import evaluate
from optshare.schedules import Cosine, Exponential, WarmUp

X = jnp.array([1.0, 0.5])
RULE = optshare.AdamW(
    lr=WarmUp(3, Cosine(0.1, 10)), betas=(Cosine(0.9, 20), 0.99), weight_decay=Exponential(0.1, 0.5)
)


@pytest.fixture
def compiled():
    """The compilations, as they come."""
    found = []

    def listen(event, duration, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield found
    jax.monitoring.unregister_event_duration_listener(listen)


def test_steps_with_schedules_trace_once_compile_once_and_end_where_the_tapes_end(compiled):
    ends, traces = {}, []
    for engine in ("jax", "tape"):
        w = Parameter([1.0, 2.0])
        optshare.to([w], engine)
        x = X if engine == "jax" else np.asarray(X)
        opt = optshare.Optimizer([w], RULE)

        def loss(x, w=w, engine=engine):
            traces.append(engine)
            return (w * x).sum() ** 2

        for step in range(8):
            opt.step(loss, x)
            if (engine, step) == ("jax", 0):
                assert compiled
                compiled.clear()
        ends[engine] = np.asarray(w.value)
    assert traces.count("jax") == 1
    assert compiled == []
    np.testing.assert_allclose(ends["jax"], ends["tape"], rtol=1e-12)


def test_the_reference_compiles_nothing_for_another_number(compiled):
    program, ops = program_of(RULE), optshare.namespace_of(X)
    value, state = X, {name: jnp.zeros_like(X) for name in RULE.state_names()}
    seen = []
    for step in range(6):
        scalars = program.host(RULE.at(step), step + 1)
        state, value = evaluate(program, ops, value, X, state, scalars, X.dtype)
        seen.append(len(compiled))
    assert len(set(seen)) == 1
    assert not np.allclose(value, X)
