import jax
import numpy as np
import pytest
import torch

from optshare import SGD, Adam, Optimizer, OptimizerChain, Parameter
from optshare.errors import DifferentiationError, HyperparameterError, NonFiniteGradientError
from optshare.transforms import SAM, LossScale

STARTS = [np.array([1.0, -2.0, 0.5]), np.array([[0.3, 0.7]])]
SCALES = [np.array([1.0, 3.0, 5.0]), np.array([[2.0, 0.1]])]


def by_hand(adaptive, steps, rho=0.3, lr=0.05):
    """SAM with plain descent on sum(scale * x**4)."""
    values = [each.copy() for each in STARTS]
    for _ in range(steps):
        slopes = [4 * s * v**3 for s, v in zip(SCALES, values, strict=True)]
        sizes = [np.abs(v) if adaptive else np.ones_like(v) for v in values]
        norm = np.sqrt(sum(((z * g) ** 2).sum() for z, g in zip(sizes, slopes, strict=True)))
        moved = [
            v + rho * z**2 * g / (norm + 1e-12)
            for v, z, g in zip(values, sizes, slopes, strict=True)
        ]
        slopes = [4 * s * v**3 for s, v in zip(SCALES, moved, strict=True)]
        values = [v - lr * g for v, g in zip(values, slopes, strict=True)]
    return values


def loss(p, q):
    return (p**4 * SCALES[0]).sum() + (q**4 * SCALES[1]).sum()


@pytest.mark.parametrize("adaptive", [False, True])
def test_gradients_are_those_at_the_worst_point_nearby(adaptive):
    p, q = (Parameter(each) for each in STARTS)
    opt = Optimizer([p, q], OptimizerChain(SAM(rho=0.3, adaptive=adaptive), SGD(lr=0.05)))
    first = loss(*STARTS)
    assert opt.step(loss, p, q) == pytest.approx(first, rel=1e-15)
    for _ in range(4):
        opt.step(loss, p, q)
    for ours, theirs in zip((p, q), by_hand(adaptive, 5), strict=True):
        np.testing.assert_allclose(ours.value, theirs, rtol=0, atol=1e-12)


def test_torch_and_jax_take_the_same_steps():
    p = Parameter(STARTS[0])
    tensor = torch.nn.Parameter(torch.tensor(STARTS[0]))
    rule = OptimizerChain(SAM(rho=0.3), Adam(lr=0.05))
    ours, theirs = Optimizer([p], rule), Optimizer([tensor], rule)
    with jax.enable_x64():
        tree = Optimizer({"w": jax.numpy.asarray(STARTS[0])}, rule)
        for _ in range(4):
            ours.step(lambda: (p**4 * SCALES[0]).sum())
            theirs.step(lambda: (tensor**4 * torch.tensor(SCALES[0])).sum())
            tree.step(lambda t, s: (t["w"] ** 4 * s).sum(), jax.numpy.asarray(SCALES[0]))
        np.testing.assert_allclose(tree.tree["w"], p.value, rtol=0, atol=1e-12)
    np.testing.assert_allclose(tensor.detach().numpy(), p.value, rtol=0, atol=1e-12)


def test_the_values_are_back_where_they_were_if_the_second_pass_fails():
    p = Parameter([1.0, 2.0])
    calls = []

    def failing():
        calls.append(p.value)
        if len(calls) == 2:
            raise RuntimeError("second")
        return (p * p).sum()

    opt = Optimizer([p], SGD(lr=0.1), transforms=[SAM(rho=0.5)])
    with pytest.raises(RuntimeError, match="second"):
        opt.step(failing)
    assert (p.value.tolist(), opt.steps) == ([1.0, 2.0], 0)


def test_a_loss_scale_changes_nothing():
    p, q = Parameter([1.0, 2.0]), Parameter([1.0, 2.0])
    plain = Optimizer([p], SGD(lr=0.1), transforms=[SAM(rho=0.5)])
    scaled = Optimizer([q], SGD(lr=0.1), transforms=[LossScale(scale=1024.0), SAM(rho=0.5)])
    plain.step(lambda: (p * p).sum())
    scaled.step(lambda: (q * q).sum())
    np.testing.assert_allclose(p.value, q.value, rtol=0, atol=1e-12)


def test_a_gradient_that_is_not_finite_leaves_the_values():
    p = Parameter([0.0, 1.0])
    opt = Optimizer([p], SGD(lr=0.1), transforms=[SAM()])
    with np.errstate(all="ignore"), pytest.raises(NonFiniteGradientError):
        opt.step(lambda: (p**0.5).sum())
    assert p.value.tolist() == [0.0, 1.0]


def test_gradients_without_the_function_are_refused():
    p = Parameter([1.0])
    opt = Optimizer([p], SGD(), transforms=[SAM()])
    with pytest.raises(DifferentiationError, match=r"SAM .* call opt.step\(fn, \*args\)"):
        opt.update([np.ones(1)])
    with pytest.raises(DifferentiationError, match="needs the function"):
        opt.step()


def test_a_negative_distance_is_refused():
    with pytest.raises(HyperparameterError, match="rho"):
        SAM(rho=-1.0)


def test_the_distance_may_be_more_than_one_as_adaptive_ones_are():
    assert SAM(2.0, adaptive=True).rho == 2.0


def test_a_transform_that_needs_no_function_is_not_asked_for_offsets(monkeypatch):
    monkeypatch.setattr(LossScale, "offsets", lambda *_: pytest.fail("asked"))
    p = Parameter([1.0])
    Optimizer([p], SGD(lr=0.5), transforms=[LossScale()]).step(lambda: (p * p).sum())
    assert p.value[0] == 0.0
