"""Native modules of PyTorch, unchanged, under optshare's optimizers."""

import copy
import gc
import pickle
import shutil
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import optshare
from optshare.errors import (
    CapabilityError,
    EmptyModelError,
    GradientShapeError,
    NonFiniteLossError,
    ParameterError,
    UnreachedParametersError,
)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()


@pytest.fixture
def net():
    return network()


@pytest.fixture
def batch():
    torch.manual_seed(1)
    return torch.randn(16, 4, dtype=torch.float64), torch.randint(0, 3, (16,))


def loss_of(net):
    return lambda x, y: cross_entropy(net(x), y)


def values(net):
    return [p.detach().clone() for p in net.parameters()]


def gap(net, other):
    pairs = zip(values(net), values(other), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


PAIRS = {
    "adam": (lambda m: optshare.Adam(m, lr=0.1), lambda p: torch.optim.Adam(p, lr=0.1)),
    "adamw": (lambda m: optshare.AdamW(m, lr=0.1), lambda p: torch.optim.AdamW(p, lr=0.1)),
    "momentum": (
        lambda m: optshare.SGD(m, lr=0.1, momentum=0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize(
    "style", ["step with a function", "backward and step", "list of parameters"]
)
def test_twenty_steps_end_where_torchs_own_optimizer_ends(ours, theirs, style, batch):
    mine, other = network(), network()
    opt = ours(list(mine.parameters()) if style == "list of parameters" else mine)
    reference = theirs(other.parameters())
    for _ in range(20):
        if style == "step with a function":
            opt.step(loss_of(mine), *batch)
        else:
            opt.zero_grad()
            loss_of(mine)(*batch).backward()
            opt.step()
        reference.zero_grad()
        loss_of(other)(*batch).backward()
        reference.step()
    assert gap(mine, other) <= 1e-12


def test_the_identity_is_the_frameworks_own_object(net, batch):
    opt = optshare.Adam(net)
    opt.step(loss_of(net), *batch)
    listed = optshare.params(net)
    assert [p is q for p, q in zip(listed, net.parameters(), strict=True)] == [True] * 4
    assert opt.state_for(net[0].weight).t == 1
    assert list(opt.state_dict()["parameters"]) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_tied_parameter_has_one_state_and_two_paths():
    net = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    net[1].weight = net[0].weight
    saved = optshare.Adam(net).state_dict()["parameters"]
    assert saved["0.weight"]["aliases"] == ["1.weight"]
    assert len(saved) == 1


def test_gradients_are_known_by_the_tensors_and_by_the_modules(net, batch):
    g = optshare.gradient(lambda: loss_of(net)(*batch), wrt=net)
    loss_of(net)(*batch).backward()
    assert all(torch.equal(g[p], p.grad) for p in net.parameters())
    assert torch.equal(g[net[2]][net[2].bias], net[2].bias.grad)


def test_freezing_and_requires_grad_are_one_thing(net, batch):
    opt = optshare.Adam(net)
    optshare.freeze(net[0])
    assert not net[0].weight.requires_grad
    net[2].bias.requires_grad_(False)
    before = values(net)
    opt.step(loss_of(net), *batch)
    after = values(net)
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert moved == [False, False, True, False]
    assert opt.state_for(net[0].weight).t == 0
    optshare.thaw(net)
    assert all(p.requires_grad for p in net.parameters())


def test_modules_and_shared_layers_train_together(batch):
    x, y = batch
    head = optshare.to(optshare.Dense(3, 3, dtype=np.float64), "torch")
    model = optshare.Chain(network(), torch.relu, head)
    opt = optshare.Adam(model, lr=0.05)
    losses = [float(opt.step(lambda x, y: cross_entropy(model(x), y), x, y)) for _ in range(30)]
    assert losses[-1] < losses[0] / 2
    assert list(opt.state_dict()["parameters"])[-2:] == ["layers.2.weight", "layers.2.bias"]
    assert opt.state_for(head.weight).t == opt.state_for(model[0][0].weight).t == 30


def test_a_copy_of_module_and_optimizer_keeps_the_pairing(net, batch):
    opt = optshare.Adam(net)
    opt.step(loss_of(net), *batch)
    twin, other = copy.deepcopy((net, opt))
    other.step(loss_of(twin), *batch)
    assert other.state_for(twin[0].weight).t == 2
    assert opt.state_for(net[0].weight).t == 1


def test_a_module_is_saved_and_pickled_as_if_it_had_no_optimizer(net, batch, tmp_path):
    opt = optshare.Adam(net)
    opt.step(loss_of(net), *batch)
    torch.save(net, tmp_path / "net.pt")
    loaded = torch.load(tmp_path / "net.pt", weights_only=False)
    assert gap(net, loaded) == 0.0
    twin, other = pickle.loads(pickle.dumps((net, opt)))
    assert other.state_for(twin[0].weight).t == 1


def test_module_and_optimizer_die_without_the_collector(batch):
    gc.collect()
    gc.disable()
    try:
        net = network()
        opt = optshare.Adam(net)
        opt.step(loss_of(net), *batch)
        watched = weakref.ref(net[0].weight)
        del net, opt
        assert watched() is None
    finally:
        gc.enable()


def test_torch_notices_an_update_between_forward_and_backward(net, batch):
    loss = loss_of(net)(*batch)
    optshare.SGD(net, lr=0.1).step(loss_of(net), *batch)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_an_update_writes_into_the_tensors_own_memory(net, batch):
    places = [p.data_ptr() for p in net.parameters()]
    opt = optshare.Adam(net)
    opt.step(loss_of(net), *batch)
    assert [p.data_ptr() for p in net.parameters()] == places
    assert type(opt.state_for(net[0].weight).exp_avg) is np.ndarray


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_parameters_keep_single_precision_state(dtype):
    p = nn.Parameter(torch.tensor([1.0, 2.0], dtype=dtype))
    opt = optshare.Adam([p], lr=0.5)
    opt.step(lambda: (p * p).sum())
    assert p.dtype == dtype
    assert "float32" in str(opt.state_for(p).exp_avg.dtype)
    assert p.tolist() == [0.5, 1.5]


@pytest.mark.parametrize("compiler", ["eager", "aot_eager"])
def test_a_compiled_module_trains_as_the_module_itself(batch, compiler):
    mine, other = network(), network()
    compiled = torch.compile(mine, backend=compiler)
    opt, reference = optshare.Adam(compiled), optshare.Adam(other)
    for _ in range(3):
        opt.step(loss_of(compiled), *batch)
        reference.step(loss_of(other), *batch)
    assert gap(mine, other) == 0.0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of inductor's own
def test_a_module_compiled_to_machine_code_trains_as_the_module_itself(batch):
    mine, other = network(), network()
    compiled = torch.compile(mine)
    opt, reference = optshare.Adam(compiled, lr=0.1), optshare.Adam(other, lr=0.1)
    for _ in range(3):
        opt.step(loss_of(compiled), *batch)
        reference.step(loss_of(other), *batch)
    assert gap(mine, other) <= 1e-12


def test_gradients_of_torch_func_are_taken_too(net, batch):
    x, y = batch

    def loss(weights):
        return cross_entropy(torch.func.functional_call(net, weights, (x,)), y)

    wanted = {name: p.detach().clone() for name, p in net.named_parameters()}
    gradients = torch.func.grad(loss)(wanted)
    optshare.SGD(net, lr=0.5).update(list(gradients.values()))
    for name, p in net.named_parameters():
        assert torch.allclose(p, wanted[name] - 0.5 * gradients[name], rtol=1e-15, atol=0)


DISTRIBUTED = """
import os, sys, torch, optshare
from torch import nn
from torch.nn.functional import cross_entropy

torch.distributed.init_process_group(
    "gloo", init_method=f"file://{sys.argv[1]}", rank=0, world_size=1
)

def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()

mine, other = network(), network()
parallel = nn.parallel.DistributedDataParallel(mine)
opt, reference = optshare.Adam(parallel), optshare.Adam(other)
x, y = torch.randn(16, 4, dtype=torch.float64), torch.randint(0, 3, (16,))
for _ in range(3):
    opt.zero_grad()
    cross_entropy(parallel(x), y).backward()
    opt.step()
    reference.step(lambda: cross_entropy(other(x), y))
equal = all(torch.equal(a, b) for a, b in zip(mine.parameters(), other.parameters()))
print(list(opt.state_dict()["parameters"]), opt.steps, equal, flush=True)
os._exit(0)  # the group's destructor may wait forever for a thread that wants the interpreter
"""


@pytest.mark.slow
def test_a_module_under_distributed_data_parallel_trains(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", DISTRIBUTED, str(tmp_path / "meeting")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ran.stdout == "['0.weight', '0.bias', '2.weight', '2.bias'] 3 True\n"


# -- bad input -----------------------------------------------------------------------------


def test_a_module_on_the_meta_device_is_refused():
    with pytest.raises(ParameterError, match="meta device"):
        optshare.Adam(nn.Linear(2, 2, device="meta"))


def test_an_integer_parameter_is_refused():
    with pytest.raises(ParameterError, match="int64 cannot be trained"):
        optshare.Adam([nn.Parameter(torch.ones(2, dtype=torch.int64), requires_grad=False)])


def test_a_sparse_gradient_is_refused_and_nothing_changes():
    embedding = nn.Embedding(4, 2, sparse=True)
    before = embedding.weight.detach().clone()
    opt = optshare.SGD(embedding, lr=0.1)
    with pytest.raises(GradientShapeError, match="cannot be read as an array in host memory"):
        opt.step(lambda: embedding(torch.tensor([0, 1])).sum())
    assert torch.equal(embedding.weight, before)
    assert opt.steps == 0


def test_a_loss_that_does_not_use_the_module_is_refused(net):
    with pytest.raises(UnreachedParametersError, match="none of the 4 parameters"):
        optshare.Adam(net).step(lambda: torch.tensor(1.0))


def test_a_loss_that_is_not_finite_changes_nothing(net, batch):
    opt, before = optshare.Adam(net), values(net)
    with pytest.raises(NonFiniteLossError):
        opt.step(lambda x, y: cross_entropy(net(x), y) * float("nan"), *batch)
    assert all(torch.equal(a, b) for a, b in zip(before, values(net), strict=True))
    assert opt.steps == 0


def test_a_generator_of_parameters_is_refused_with_the_fix(net):
    with pytest.raises(EmptyModelError, match=r"list\(\.\.\.\)"):
        optshare.Adam(net.parameters())


def test_an_integer_of_a_quantised_layer_is_passed_over():
    net = nn.Linear(2, 1)
    net.codes = nn.Parameter(torch.ones(2, dtype=torch.int8), requires_grad=False)
    assert len(optshare.params(net)) == 2


def test_native_modules_and_arrays_are_not_moved_and_nothing_else_is(net):
    dense = optshare.Dense(2, 2)
    for model in (optshare.Chain(dense, net), [dense, np.ones(2)]):
        with pytest.raises(ParameterError, match="not ours to move"):
            optshare.to(model, "torch")
        assert type(dense.weight.value) is np.ndarray


# -- gradients of gradients ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nn.Parameter, optshare.Parameter])
def test_a_gradient_penalty_for_an_untracked_input_has_its_second_order(kind):
    p, q = kind(torch.tensor([3.0])), torch.tensor([2.0])

    def penalty():
        (g,) = optshare.gradient(lambda z: (p * z * z).sum(), q)
        return (p + g).sum()

    assert optshare.gradient(penalty, wrt=p)[p].tolist() == [5.0]


def test_an_inner_gradient_takes_tracked_and_untracked_arguments():
    p, b = optshare.Parameter(torch.tensor([3.0])), torch.tensor([2.0])
    inner = []

    def f():
        inner.append(optshare.gradient(lambda z, b: (z * b).sum(), p.value, b))
        return sum(g.sum() for g in inner[0])

    assert optshare.gradient(f, wrt=p)[p].tolist() == [1.0]
    assert [g.tolist() for g in inner[0]] == [[2.0], [3.0]]


@pytest.mark.parametrize("transform", [torch.func.grad, torch.func.vmap])
def test_a_transform_of_torch_func_around_a_gradient_of_ours_is_refused(transform):
    def inner(x):
        return optshare.gradient(lambda z: (z**3).sum(), x)[0].sum()

    with pytest.raises(CapabilityError, match=r"torch\.func"):
        transform(inner)(torch.ones(2))


# -- memory --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_that_are_other_parameters_are_read_before_those_are_written(dtype):
    p, q = (nn.Parameter(torch.full((2,), x, dtype=dtype)) for x in (1.0, 2.0))
    opt = optshare.SGD([p, q], lr=1.0)
    p.grad, q.grad = q.data, p.data
    opt.step()
    assert (p.tolist(), q.tolist()) == ([-1.0, -1.0], [1.0, 1.0])


def test_elements_that_share_memory_are_refused():
    p = nn.Parameter(torch.ones(1).expand(4))
    with pytest.raises(ParameterError, match="share memory"):
        optshare.SGD([p]).update([torch.ones(4)])


@pytest.mark.parametrize("gradient", [np.ones(2), [1.0, 1.0], torch.ones(2, dtype=torch.int64)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_of_numpy_numbers_and_integers_are_read(dtype, gradient):
    p = nn.Parameter(torch.ones(2, dtype=dtype))
    optshare.SGD([p], lr=0.5).update(p, gradient)
    assert p.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_complex_gradient_is_refused_before_anything_changes(dtype):
    p, q = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1, dtype=dtype))
    opt = optshare.SGD([p, q], lr=0.5)
    with pytest.raises(GradientShapeError, match="complex"):
        opt.update([torch.ones(1), torch.ones(1, dtype=torch.complex64)])
    assert (p.item(), opt.steps) == (1.0, 0)


def test_a_parameter_in_a_plain_tree_is_found_in_the_closure_too():
    p, w = nn.Parameter(torch.tensor([2.0])), torch.tensor([3.0])
    opt = optshare.SGD([p, w], lr=0.5)
    opt.step(lambda tree: (p * tree[1]).sum())
    assert (p.item(), w.item()) == (0.5, 2.0)
