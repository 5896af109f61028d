"""Shared layers and optimizers on torch tensors."""

import numpy as np
import pytest
import torch

import optshare
import optshare_tape
from optshare import Parameter, registry
from optshare.errors import GradientShapeError, MixedBackendsError


@pytest.fixture
def p():
    return Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))


def test_an_accumulated_gradient_does_not_move(p):
    p.grad = torch.ones(2)
    optshare.to([p], "tape")
    assert p.grad is None


def test_a_parameter_acts_as_its_value_in_operators_and_in_torch(p):
    x = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert (x * p).tolist() == [3.0, 8.0]
    assert (x @ p).item() == 11.0
    assert torch.dot(p, x).item() == 11.0
    assert torch.stack([p, x]).tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_outside_a_differentiation_a_parameter_is_a_plain_tensor(p):
    assert type(p.value) is torch.Tensor
    assert not p.value.requires_grad


def test_the_gradient_is_torchs_own(p):
    q = p.value.clone().requires_grad_()
    (torch.sin(q) * q).sum().backward()
    value, g = optshare.value_and_gradient(lambda: (torch.sin(p) * p).sum(), wrt=p)
    assert torch.equal(g[p], q.grad)
    assert not value.requires_grad
    assert not g[p].requires_grad


def test_what_the_loss_does_not_reach_is_absent_and_what_is_frozen_is_pruned(p):
    q, r = Parameter(torch.ones(1)), Parameter(torch.ones(2, dtype=torch.float64))
    optshare.freeze(r)
    seen = []
    g = optshare.gradient(
        lambda: (seen.append(r.value.requires_grad), (p * r).sum())[1], wrt=[p, q, r]
    )
    assert list(g)[1:] == [None, None]
    assert seen == [False]


def test_gradients_of_gradients_are_right():
    def inner(x):
        return optshare.gradient(lambda y: (y**3).sum(), x)[0]

    x = torch.tensor([2.0, 3.0], dtype=torch.float64)
    assert optshare.gradient(lambda x: inner(x).sum(), x)[0].tolist() == [12.0, 18.0]


def test_backward_inside_record_fills_grad_and_step_uses_it(p):
    opt = optshare.SGD([p], lr=0.5)
    with optshare.use("torch"):
        for _ in range(2):
            with optshare.record():
                loss = (p * p).sum()
            loss.backward()
    assert p.grad.tolist() == [4.0, 8.0]
    opt.step()
    assert p.value.tolist() == [-1.0, -2.0]
    opt.zero_grad()
    assert p.grad is None


def test_torch_itself_notices_an_update_between_forward_and_backward(p):
    opt = optshare.SGD([p], lr=0.5)
    with optshare.use("torch"), optshare.record():
        loss = (p * p).sum()
    opt.update(p, torch.ones(2, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_an_update_writes_into_the_tensors_memory_and_keeps_state_in_numpy(p):
    before = p.value.data_ptr()
    opt = optshare.Adam([p])
    opt.step(lambda: (p * p).sum())
    assert p.value.data_ptr() == before
    assert type(opt.state_for(p).exp_avg) is np.ndarray


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_state_in_single_precision(dtype):
    p = Parameter(torch.tensor([1.0, 2.0], dtype=dtype))
    opt = optshare.Adam([p], lr=0.5)
    opt.step(lambda: (p * p).sum())
    assert p.dtype == dtype
    assert "float32" in str(opt.state_for(p).exp_avg.dtype)
    assert p.value.tolist() == [0.5, 1.5]


def test_a_parameter_that_is_not_contiguous_is_updated():
    p = Parameter(0.0)
    p.migrate(torch.arange(6.0, dtype=torch.float64).reshape(2, 3).T)
    assert not p.value.is_contiguous()
    optshare.SGD([p], lr=0.5).step(lambda: (p * p).sum())
    assert p.value.tolist() == [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]


def test_a_sparse_gradient_is_refused_before_anything_changes(p):
    opt = optshare.SGD([p])
    with pytest.raises(GradientShapeError, match="cannot be read as an array in host memory"):
        opt.update(p, torch.ones(2, dtype=torch.float64).to_sparse())
    assert p.value.tolist() == [1.0, 2.0]
    assert opt.steps == 0


def test_the_gradient_of_complex_tensors_is_torchs_own_and_can_be_read_by_numpy():
    z = torch.tensor([1 + 2j, -0.5j], dtype=torch.complex128, requires_grad=True)
    loss = (z.conj() * z.abs()).imag.sum() + (z**3).real.sum()
    (wanted,) = torch.autograd.grad(loss, z)
    (found,) = optshare.gradient(
        lambda z: (z.conj() * z.abs()).imag.sum() + (z**3).real.sum(), z.detach()
    )
    np.testing.assert_array_equal(found.numpy(), wanted.resolve_conj().numpy())
    assert optshare.gradient(lambda z: z.conj().imag.sum(), z.detach())[0].numpy().tolist() == [
        -1j,
        -1j,
    ]


def test_a_complex_tensor_is_differentiated_in_a_module_and_updated():
    weight = torch.nn.Parameter(torch.tensor([1 + 2j, 3j]))
    found = optshare.gradient(lambda: (weight.abs() ** 2).sum(), wrt=weight)
    np.testing.assert_allclose(next(iter(found)).numpy(), [2 + 4j, 6j], rtol=1e-6)
    optshare.SGD(weight, lr=0.25).step(lambda: (weight.abs() ** 2).sum())
    np.testing.assert_allclose(weight.detach().numpy(), [0.5 + 1j, 1.5j], rtol=1e-6)


def test_imag_of_a_real_tensor_is_zero_and_lazy_conjugates_reach_the_host():
    torch_backend = registry.load("torch")
    assert torch_backend.ops.imag(torch.ones(2)).tolist() == [0.0, 0.0]
    lazy = torch.tensor([1 + 2j]).conj()
    assert torch_backend.host_copy(lazy).tolist() == [1 - 2j]
    assert torch_backend.host_copy(lazy.imag).tolist() == [-2.0]


def test_tensors_and_arrays_of_numpy_in_one_call_are_named(p):
    with pytest.raises(MixedBackendsError, match=r"torch\.Tensor \(torch\)"):
        optshare.SGD([p]).step(lambda x: (p * x).sum(), np.ones(2))


def test_every_function_of_ops_has_the_value_and_derivative_of_the_tape():
    x = np.array([[0.5, -1.5, 2.0], [0.25, 3.0, -0.75]])
    ours, theirs = registry.load("tape").ops, registry.load("torch").ops
    calls = {
        "logsumexp": lambda ops, x: ops.logsumexp(x, axis=1),
        "max": lambda ops, x: ops.max(x, axis=0),
        "std": lambda ops, x: ops.std(x, axis=1),
        "concat": lambda ops, x: ops.concat([x, x], axis=1),
        "expand_dims": lambda ops, x: ops.expand_dims(x, axis=0),
        "take": lambda ops, x: ops.take(x, ops.asarray(np.array([0, 0, 2])), axis=1),
        "where": lambda ops, x: ops.where(x > 0, x, 2 * x),
        "tensordot": lambda ops, x: ops.tensordot(x, ops.matrix_transpose(x), axes=1),
        "cumulative_sum": lambda ops, x: ops.cumulative_sum(x, axis=1),
        **{
            name: lambda ops, x, name=name: getattr(ops.nn, name)(x)
            for name in (
                "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu",
                "log_softmax", "logsigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
                "softmax", "softplus", "softsign", "tanh", "tanhshrink",
            )
        },
    }  # fmt: skip
    for name, call in calls.items():
        weights = np.random.default_rng(0).normal(size=call(ours, x).shape)
        wanted = optshare_tape.value(call(ours, x))
        (slope,) = optshare_tape.gradient(lambda x, c=call, w=weights: (c(ours, x) * w).sum(), x)
        given = torch.tensor(x)
        got = call(theirs, given)
        (pulled,) = optshare.gradient(
            lambda x, c=call, w=weights: (c(theirs, x) * torch.tensor(w)).sum(), given
        )
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-12, atol=1e-15, err_msg=name)
        np.testing.assert_allclose(pulled.numpy(), slope, rtol=1e-12, atol=1e-14, err_msg=name)
