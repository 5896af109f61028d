"""What a user sees who has not enabled float64, JAX's own default."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optshare
from optshare import Parameter
from optshare.errors import CapabilityError

ROOT = Path(__file__).parents[3]
EPSILON = float(np.finfo(np.float32).eps)


@pytest.fixture(autouse=True)
def narrow():
    with jax.enable_x64(False):
        yield
        assert not jax.config.jax_enable_x64


@pytest.fixture
def x():
    return jnp.array([[1.0, 2.0], [3.0, 4.0], [0.5, -1.0]], jnp.float32)


def test_the_gradient_of_a_tree_has_its_layout(x):
    tree = {"w": jnp.ones((2, 1)), "layers": [jnp.zeros(1), (jnp.ones(()), None)]}

    def loss(tree, x):
        bias, (scale, _) = tree["layers"]
        return (scale * (x @ tree["w"] + bias)).sum()

    found, inner = optshare.gradient(loss, tree, x)
    assert found["w"].dtype == inner.dtype == jnp.float32
    assert found["w"].tolist() == [[4.5], [5.0]]
    assert found["layers"][0].tolist() == [3.0]
    assert found["layers"][1] == (9.5, None)
    assert inner.tolist() == [[1.0, 1.0]] * 3


@pytest.mark.parametrize(
    "mode",
    [
        "float64",
        "complex128",
        "train",
        "",
        None,
        True,
        float,
        np.float64,
        jnp.float64,
        np.dtype("float64"),
        {"dtype": "float64", 1: "keys of two types"},
        ["float64", ("<f8", None)],
        SimpleNamespace(dtype="float64"),
        SimpleNamespace(dtype=np.dtype("float64")),
    ],
    ids=repr,
)
def test_an_argument_that_is_no_array_has_no_dtype(x, mode):
    seen = []

    def loss(x, mode):
        seen.append(mode)
        return (x * x).sum()

    g = optshare.gradient(loss, x, mode, wrt=0)[0]
    assert (g.dtype, g.tolist()) == (jnp.float32, (2 * x).tolist())
    assert seen == [mode]


def test_a_python_number_is_differentiated_in_single_precision(x):
    g, slope = optshare.gradient(lambda x, scale: (scale * x).sum(), x, 2.0)
    assert (g.dtype, slope.dtype) == (jnp.float32, jnp.float32)
    assert (float(g[0, 0]), float(slope)) == (2.0, 9.5)


@pytest.mark.parametrize(
    "given",
    [lambda a: a, lambda a: [a], lambda a: {"x": a}, lambda a: {1: None, "x": (a,)}],
    ids=["alone", "list", "dict", "keys of two types"],
)
@pytest.mark.parametrize("kind", [float, complex])
def test_a_wide_array_is_refused_wherever_it_stands(x, given, kind):
    wide = given(np.ones((3, 2), kind))
    p = Parameter(x)
    for wrt in (None, p):
        with pytest.raises(CapabilityError, match="jax_enable_x64"):
            optshare.gradient(lambda x, wide: (p.value * x).sum(), x, wide, wrt=wrt)


def test_a_wide_array_in_a_list_is_not_narrowed_by_asarray():
    ops = optshare.registry.load("jax").ops
    with pytest.raises(CapabilityError, match="jax_enable_x64"):
        ops.asarray([np.ones(2), np.ones(2)])
    assert ops.asarray([1.0, np.float64(2.0)]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("dtype", ["float64", "<f8", "complex128", float])
def test_a_wide_dtype_is_refused_by_its_name(x, dtype):
    ops = optshare.registry.load("jax").ops
    with pytest.raises(CapabilityError, match="jax_enable_x64"):
        ops.asarray([1.0], dtype=dtype)
    with pytest.raises(CapabilityError, match="jax_enable_x64"):
        ops.astype(x, dtype)


def test_a_training_step_takes_dicts_lists_text_and_none(x):
    p, rate = Parameter(jnp.array([[0.5], [-0.25]], jnp.float32)), 0.125
    y = jnp.ones((3, 1), jnp.float32)

    def loss(batch, weights, reduction, mask, scale):
        assert (reduction, mask) == ("float64", None)
        error = batch["x"] @ p.value - batch["y"]
        return scale * (weights[0] * error**2).mean() + weights[1]

    opt = optshare.SGD([p], lr=rate)
    w, found = np.array(p.value, np.float64), []
    for _ in range(4):
        found.append(opt.step(loss, {"x": x, "y": y}, [y, 3], "float64", None, 0.5))
        error = np.asarray(x, np.float64) @ w - 1
        assert float(found[-1]) == pytest.approx(0.5 * (error**2).mean() + 3, rel=64 * EPSILON)
        w -= rate * np.asarray(x, np.float64).T @ error / 3
    assert {each.dtype for each in (*found, p.value)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(p.value, w, rtol=64 * EPSILON, atol=64 * EPSILON)


@pytest.mark.slow
def test_the_page_on_jax_runs_in_single_precision():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "docs/jax.md"],
        cwd=ROOT,
        env=os.environ | {"JAX_ENABLE_X64": "0"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
