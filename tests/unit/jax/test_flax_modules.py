"""Modules of Flax, unchanged, under optshare's optimizers; `nnx.Optimizer` is the reference."""

import copy
import functools
import gc
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.errors import TraceContextError

import optshare
from optshare.errors import NonFiniteLossError, ParameterError

F64 = jnp.float64
LR = 0.05
STEPS = 10


def dense(inputs, outputs, rngs):
    return nnx.Linear(inputs, outputs, param_dtype=F64, rngs=rngs)


class Plain(nnx.Module):
    """Two linear layers."""

    def __init__(self, rngs):
        self.l1, self.l2 = dense(4, 8, rngs), dense(8, 1, rngs)

    def __call__(self, x):
        return self.l2(nnx.tanh(self.l1(x)))


class Noisy(nnx.Module):
    """Batch normalisation, with statistics in float64, and dropout."""

    def __init__(self, rngs):
        self.l1 = nnx.Linear(4, 8, use_bias=False, param_dtype=F64, rngs=rngs)
        self.norm = nnx.BatchNorm(8, param_dtype=F64, rngs=rngs)
        self.norm.mean = nnx.BatchStat(jnp.zeros(8, F64))
        self.norm.var = nnx.BatchStat(jnp.ones(8, F64))
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.l2 = dense(8, 1, rngs)

    def __call__(self, x):
        return self.l2(self.drop(nnx.tanh(self.norm(self.l1(x)))))


class Held(nnx.Module):
    """Layers in an nnx.List and an nnx.Dict."""

    def __init__(self, rngs):
        self.layers = nnx.List([dense(4, 8, rngs), dense(8, 8, rngs)])
        self.heads = nnx.Dict({"mean": dense(8, 1, rngs), "gain": dense(8, 1, rngs)})

    def __call__(self, x):
        for layer in self.layers:
            x = nnx.tanh(layer(x))
        return self.heads["mean"](x) * self.heads["gain"](x)


class Tied(nnx.Module):
    """One layer at two places, and one nnx.Param in two layers."""

    def __init__(self, rngs):
        self.inner, self.out = dense(4, 4, rngs), dense(4, 4, rngs)
        self.again = self.inner
        self.last = dense(4, 4, rngs)
        self.last.kernel = self.out.kernel

    def __call__(self, x):
        return self.last(nnx.tanh(self.out(self.again(nnx.tanh(self.inner(x)))))).sum(1)[:, None]


class Everything(nnx.Module):
    """All of these at once, and single Params."""

    def __init__(self, rngs):
        self.blocks = nnx.List([Noisy(rngs), Held(rngs)])
        self.tied = Tied(rngs)
        self.gain = nnx.Param(jnp.ones((), F64))
        self.unused = nnx.Param(jnp.ones(2, F64))

    def __call__(self, x):
        return self.gain * (self.blocks[0](x) + self.blocks[1](x) + self.tied(x))


NETS = {each.__name__: each for each in (Plain, Noisy, Held, Tied, Everything)}
VANISHING = {"Everything": ["unused"]}
"""Parameters whose gradient vanishes identically."""
RULES = {
    "adam": (lambda module: optshare.Adam(module, lr=LR), lambda: optax.adam(LR)),
    "momentum": (
        lambda module: optshare.SGD(module, lr=LR, momentum=0.9),
        lambda: optax.sgd(LR, momentum=0.9),
    ),
}
STYLES = ["closed over", "argument", "gradients of nnx.grad"]


def loss_of(module, x, y):
    return ((module(x) - y) ** 2).mean()


differentiated = nnx.jit(nnx.grad(loss_of))


def make(name):
    return NETS[name](nnx.Rngs(0))


def batches():
    keys = jax.random.split(jax.random.key(7), STEPS)
    draws = [jax.random.normal(key, (16, 4), F64) for key in keys]
    return [(x, jnp.sin(x.sum(1, keepdims=True))) for x in draws]


def flat(module, kind=nnx.Param):
    """The arrays of one kind of Variables, by path."""
    found = nnx.to_flat_state(nnx.state(module, kind))
    return {".".join(map(str, path)): np.array(each[...]) for path, each in found}


def everything(module):
    """All numbers of a module, random keys as numbers."""
    keys = nnx.to_flat_state(nnx.state(module, nnx.RngKey))
    drawn = {str(path): np.array(jax.random.key_data(each[...])) for path, each in keys}
    return flat(module, nnx.Not(nnx.RngKey)) | drawn


@functools.cache
def reference(name, rule):
    """The module after STEPS steps of nnx.Optimizer, and the losses."""
    module = make(name)
    optimizer = nnx.Optimizer(module, RULES[rule][1](), wrt=nnx.Param)

    @nnx.jit
    def step(module, optimizer, x, y):
        loss, gradients = nnx.value_and_grad(loss_of)(module, x, y)
        optimizer.update(module, gradients)
        return loss

    losses = [float(step(module, optimizer, *batch)) for batch in batches()]
    return module, losses


def stepper(style, module, opt):
    """A function of a batch that makes one step and gives the loss."""
    if style == "closed over":

        def loss(x, y):
            return loss_of(module, x, y)

        return lambda *batch: opt.step(loss, *batch)
    if style == "argument":
        return lambda *batch: opt.step(loss_of, module, *batch)
    differentiate = nnx.jit(nnx.value_and_grad(loss_of))

    def step(*batch):
        loss, gradients = differentiate(module, *batch)
        opt.update(module, gradients)
        return loss

    return step


@functools.cache
def trained(name, rule, style):
    """The same with an optimizer of optshare."""
    module = make(name)
    step = stepper(style, module, RULES[rule][0](module))
    return module, [float(step(*batch)) for batch in batches()]


@pytest.fixture
def farthest(deviation):
    """The parameter that deviates most, and by how much."""

    def measure(mine, other, without=()):
        ours, theirs = flat(mine), flat(other)
        assert list(ours) == list(theirs)
        measured = {
            path: deviation(theirs[path], ours[path], LR) for path in ours if path not in without
        }
        return max(measured.items(), key=lambda pair: pair[1])

    return measure


@pytest.fixture
def batch():
    return batches()[0]


@pytest.fixture
def net():
    return make("Plain")


# -- the same numbers as nnx ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rule", "style"),
    [
        *((name, "adam", each) for name in ("Plain", "Noisy") for each in STYLES),
        ("Everything", "adam", "closed over"),
        ("Everything", "adam", "gradients of nnx.grad"),
        ("Plain", "momentum", "closed over"),
        ("Plain", "momentum", "gradients of nnx.grad"),
    ],
)
def test_ten_steps_end_where_nnx_optimizer_ends(name, rule, style, farthest):
    theirs, wanted = reference(name, rule)
    mine, losses = trained(name, rule, style)
    path, gap = farthest(mine, theirs, VANISHING.get(name, ()))
    assert gap <= 1e-12, path
    np.testing.assert_allclose(losses, wanted, rtol=1e-12)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("style", STYLES)
def test_batch_statistics_and_random_counts_are_those_of_nnx(style):
    theirs, _ = reference("Noisy", "adam")
    mine, _ = trained("Noisy", "adam", style)
    start = flat(make("Noisy"), nnx.BatchStat)
    wanted, found = flat(theirs, nnx.BatchStat), flat(mine, nnx.BatchStat)
    assert list(found) == ["norm.mean", "norm.var"]
    for path in wanted:
        np.testing.assert_allclose(found[path], wanted[path], rtol=1e-12)
        assert abs(found[path] - start[path]).max() > 1e-3
    assert flat(mine, nnx.RngCount) == flat(theirs, nnx.RngCount) == {"drop.rngs.count": STEPS}


def test_dropout_draws_a_new_mask_at_each_step(batch):
    module = make("Noisy")
    opt = optshare.SGD(module, lr=1e-12)
    losses = [float(opt.step(loss_of, module, *batch)) for _ in range(5)]
    assert len({round(each, 6) for each in losses}) == 5


@pytest.mark.filterwarnings(
    "ignore:scatter inputs have incompatible types:FutureWarning"
)  # Flax keeps the statistics in float32, and writes float64 into them
def test_a_batch_norm_as_flax_makes_it_keeps_float32_statistics():
    def made():
        layers = [dense(4, 8, rngs := nnx.Rngs(0)), nnx.BatchNorm(8, param_dtype=F64, rngs=rngs)]
        return nnx.Sequential(*layers, nnx.tanh, dense(8, 1, rngs))

    mine, other = made(), made()
    ours = optshare.Adam(mine, lr=LR)
    theirs = nnx.Optimizer(other, optax.adam(LR), wrt=nnx.Param)
    differentiate = nnx.jit(nnx.value_and_grad(loss_of))
    for batch in batches()[:3]:
        loss, gradients = differentiate(other, *batch)
        theirs.update(other, gradients)
        assert float(ours.step(loss_of, mine, *batch)) == pytest.approx(float(loss), rel=1e-6)
    statistics = flat(mine, nnx.BatchStat)
    assert [str(each.dtype) for each in statistics.values()] == ["float32", "float32"]
    for path, wanted in flat(other, nnx.BatchStat).items():
        np.testing.assert_allclose(statistics[path], wanted, rtol=1e-5, atol=1e-7)


def test_the_loss_that_step_gives_is_the_one_before_the_update(net, batch):
    before = float(loss_of(net, *batch))
    assert float(optshare.Adam(net, lr=LR).step(loss_of, net, *batch)) == pytest.approx(
        before, rel=1e-14
    )
    assert float(loss_of(net, *batch)) < before


@pytest.mark.parametrize("jit", [nnx.jit, nnx.remat])
def test_a_transform_of_nnx_inside_the_loss_changes_nothing(jit, batch, farthest):
    plain, other = make("Plain"), make("Plain")
    inner = jit(loss_of)
    one, two = optshare.SGD(plain, lr=LR), optshare.SGD(other, lr=LR)
    for _ in range(3):
        one.step(loss_of, plain, *batch)
        two.step(lambda x, y: inner(other, x, y), *batch)
    assert farthest(plain, other)[1] <= 1e-12


def test_an_nnx_jit_inside_the_loss_advances_counts_and_statistics(batch):
    plain, other = make("Noisy"), make("Noisy")
    inner = nnx.jit(loss_of)
    one, two = optshare.SGD(plain, lr=LR), optshare.SGD(other, lr=LR)
    for _ in range(2):
        one.step(loss_of, plain, *batch)
        two.step(lambda x, y: inner(other, x, y), *batch)
    wanted, found = everything(plain), everything(other)
    for path in wanted:
        np.testing.assert_allclose(found[path], wanted[path], rtol=1e-12, atol=1e-14)


# -- identity and paths --------------------------------------------------------------------


def test_the_parameters_are_nnx_params_by_their_own_identity(net, batch):
    opt = optshare.Adam(net, lr=LR)
    listed = optshare.params(net)
    assert all(isinstance(each, nnx.Param) for each in listed)
    own = [net.l1.bias, net.l1.kernel, net.l2.bias, net.l2.kernel]
    assert [one is other for one, other in zip(listed, own, strict=True)] == [True] * 4
    opt.step(loss_of, net, *batch)
    assert opt.state_for(net.l1.kernel).t == 1
    assert opt.state_for(net.l1.kernel).exp_avg.shape == (4, 8)
    assert [net.l1.kernel is listed[1], net.l2.kernel is listed[3]] == [True, True]


def test_the_state_is_known_by_the_paths_of_the_module():
    saved = optshare.Adam(make("Held")).state_dict()["parameters"]
    assert set(saved) == {
        *(f"layers.{i}.{part}" for i in (0, 1) for part in ("kernel", "bias")),
        *(f"heads.{name}.{part}" for name in ("mean", "gain") for part in ("kernel", "bias")),
    }
    assert saved["layers.0.kernel"]["shape"] == (4, 8)
    assert saved["layers.0.kernel"]["dtype"] == "float64"


def test_a_tied_part_has_one_state():
    module = make("Tied")
    opt = optshare.Adam(module, lr=LR)
    assert len(optshare.params(module)) == 5
    assert len(opt.state_dict()["parameters"]) == 5
    opt.step(loss_of, module, *batches()[0])
    assert module.last.kernel is module.out.kernel
    assert module.again is module.inner
    assert opt.state_for(module.last.kernel) is opt.state_for(module.out.kernel)


def test_a_lora_parameter_is_trained_as_nnx_trains_it(batch, farthest):
    mine, other = (
        nnx.LoRALinear(4, 1, lora_rank=2, param_dtype=F64, lora_param_dtype=F64, rngs=nnx.Rngs(0))
        for _ in range(2)
    )
    opt = optshare.Adam(mine, lr=LR)
    theirs = nnx.Optimizer(other, optax.adam(LR), wrt=nnx.Param)
    for _ in range(3):
        opt.step(loss_of, mine, *batch)
        theirs.update(other, differentiated(other, *batch))
    assert farthest(mine, other)[1] <= 1e-12


# -- frozen parts, modes, other models -----------------------------------------------------


def test_a_frozen_part_stays_and_the_rest_trains(net, batch):
    opt = optshare.Adam(net, lr=LR)
    before = flat(net)
    optshare.freeze(net.l1)
    opt.step(loss_of, net, *batch)
    after = flat(net)
    moved = {path: not np.array_equal(before[path], after[path]) for path in before}
    assert moved == {"l1.bias": False, "l1.kernel": False, "l2.bias": True, "l2.kernel": True}
    assert (opt.state_for(net.l1.kernel).t, opt.state_for(net.l2.kernel).t) == (0, 1)
    optshare.thaw(net)
    opt.step(loss_of, net, *batch)
    assert (opt.state_for(net.l1.kernel).t, opt.state_for(net.l2.kernel).t) == (1, 2)


def test_a_frozen_backbone_keeps_its_statistics_going_under_a_head_that_trains(batch):
    class Head(nnx.Module):
        def __init__(self):
            self.body, self.head = make("Noisy"), dense(1, 1, nnx.Rngs(1))

        def __call__(self, x):
            return self.head(self.body(x))

    module = Head()
    opt = optshare.Adam(module, lr=LR)
    optshare.freeze(module.body)
    before = flat(module, nnx.BatchStat)
    opt.step(loss_of, module, *batch)
    assert abs(flat(module, nnx.BatchStat)["body.norm.mean"] - before["body.norm.mean"]).max() > 0
    assert opt.state_for(module.head.kernel).t == 1


def test_a_frozen_module_before_a_shared_layer_that_trains_keeps_its_statistics_going(batch):
    module = make("Noisy")
    head = optshare.to(optshare.Dense(1, 1, dtype=np.float64), "jax")
    model = optshare.Chain(module, head)
    opt = optshare.Adam(model, lr=LR)
    optshare.freeze(module)
    before = flat(module, nnx.BatchStat)
    opt.step(loss_of, model, *batch)
    assert abs(flat(module, nnx.BatchStat)["norm.mean"] - before["norm.mean"]).max() > 0
    assert opt.state_for(head.weight).t == 1


def test_an_optimizer_of_one_layer_trains_it_inside_the_whole_module(batch):
    module = make("Noisy")
    opt = optshare.Adam(module.l2, lr=LR)
    before = flat(module)
    opt.step(loss_of, module, *batch)
    after = flat(module)
    moved = [path for path in before if not np.array_equal(before[path], after[path])]
    assert moved == ["l2.bias", "l2.kernel"]


def test_a_list_of_parameters_is_trained_as_the_module_is(batch, farthest):
    mine, other = make("Plain"), make("Plain")
    opt, theirs = optshare.Adam(optshare.params(mine), lr=LR), optshare.Adam(other, lr=LR)
    for _ in range(2):
        opt.step(loss_of, mine, *batch)
        theirs.step(loss_of, other, *batch)
    assert farthest(mine, other)[1] <= 1e-12


def test_a_penalty_on_parameters_that_the_loss_captured_has_its_gradient(batch, farthest):
    mine, other = make("Plain"), make("Plain")
    listed = optshare.params(mine)

    def penalised(module, x, y):
        weights = jax.tree.leaves(nnx.state(module, nnx.Param))
        return loss_of(module, x, y) + sum((each**2).sum() for each in weights)

    def capturing(x, y):
        return loss_of(mine, x, y) + sum((each[...] ** 2).sum() for each in listed)

    optshare.SGD(mine, lr=LR).step(capturing, *batch)
    optshare.SGD(other, lr=LR).step(penalised, other, *batch)
    assert farthest(mine, other)[1] <= 1e-12


def test_a_change_of_mode_is_noticed(batch):
    module = make("Noisy")
    opt = optshare.SGD(module, lr=1e-12)
    step = stepper("closed over", module, opt)
    noisy = float(step(*batch))
    statistics = flat(module, nnx.BatchStat)
    module.eval()
    silent = [float(step(*batch)) for _ in range(2)]
    assert silent == pytest.approx([float(loss_of(module, *batch))] * 2, rel=1e-9)
    assert flat(module, nnx.RngCount) == {"drop.rngs.count": 1}
    np.testing.assert_equal(flat(module, nnx.BatchStat), statistics)
    module.train()
    assert float(step(*batch)) not in (noisy, *silent)
    assert flat(module, nnx.RngCount) == {"drop.rngs.count": 2}
    assert not np.array_equal(flat(module, nnx.BatchStat)["norm.mean"], statistics["norm.mean"])


@pytest.mark.parametrize(("name", "style"), [("Plain", "closed over"), ("Noisy", "argument")])
def test_a_loss_is_not_traced_again_from_step_to_step(name, style):
    module, traces = make(name), []

    def loss(module, x, y):
        traces.append(1)
        return loss_of(module, x, y)

    opt = optshare.Adam(module, lr=LR)
    closed = functools.partial(loss, module)
    counts = []
    for batch in batches():
        opt.step(closed, *batch) if style == "closed over" else opt.step(loss, module, *batch)
        counts.append(len(traces))
    assert counts == counts[:1] * STEPS
    opt.step(loss, module, *(each[:5] for each in batches()[0]))
    assert len(traces) > counts[0]


@pytest.mark.filterwarnings("ignore::optshare_jax.CapturedArrayWarning")
def test_arrays_of_a_module_that_are_no_variables_are_read_as_captured_ones(batch):
    class Scaled(nnx.Module):
        def __init__(self):
            self.layer = dense(4, 1, nnx.Rngs(0))
            self.scale = jnp.full(4, 2.0, F64)

        def __call__(self, x):
            return self.layer(x * self.scale)

    module = Scaled()

    def loss(x, y):
        return loss_of(module, x, y)

    opt = optshare.SGD(module, lr=1e-12)
    first = float(opt.step(loss, *batch))
    module.scale = jnp.zeros(4, F64)
    assert float(opt.step(loss, *batch)) == pytest.approx(float(loss(*batch)), rel=1e-9)
    assert float(loss(*batch)) != pytest.approx(first, rel=1e-3)


@pytest.mark.filterwarnings("ignore::optshare_jax.CapturedArrayWarning")
def test_a_list_of_modules_with_the_id_of_one_that_is_gone_is_another(batch):
    x, p = batch[0], optshare.Parameter(jnp.ones((), F64))
    opt = optshare.SGD([p], lr=LR)

    def loss(modules):
        return lambda: (modules[0](x) * p.value).mean()

    def statistics():
        module = nnx.BatchNorm(4, param_dtype=F64, rngs=nnx.Rngs(0))
        module.mean, module.var = nnx.BatchStat(jnp.zeros(4, F64)), nnx.BatchStat(jnp.ones(4, F64))
        return module

    def trained(modules):
        modules.append(statistics())
        opt.step(loss(modules))
        np.testing.assert_allclose(modules[0].mean[...], wanted, rtol=1e-12)
        return id(modules)

    other = statistics()
    other(x)
    wanted = np.array(other.mean[...])
    gone = trained([])
    gc.collect()
    fresh = {id(each): each for each in ([] for _ in range(100_000))}
    trained(fresh[gone])


def test_where_flax_is_not_imported_no_capture_is_looked_at_for_modules(monkeypatch):
    p = optshare.Parameter(jnp.ones(3))
    monkeypatch.delitem(sys.modules, "flax.nnx")
    monkeypatch.setattr("optshare_jax.differentiation.Signature", None)
    monkeypatch.setattr("optshare_jax.modules.leaves", None)
    g = optshare.gradient(lambda: (p.value**2).sum(), wrt=p)[p]
    assert g.tolist() == [2.0, 2.0, 2.0]
    assert float(optshare.SGD([p], lr=0.0).step(lambda: (p.value**2).sum())) == 3.0


def test_an_array_that_the_caller_writes_into_a_parameter_is_followed(net, batch):
    opt = optshare.SGD(net, lr=LR)
    opt.step(loss_of, net, *batch)
    net.l2.kernel[...] = jnp.zeros((8, 1), F64)
    net.l2.bias[...] = jnp.zeros(1, F64)
    assert float(opt.step(loss_of, net, *batch)) == pytest.approx(float((batch[1] ** 2).mean()))


def test_a_param_or_a_layer_that_replaces_another_is_refused(net, batch):
    opt = optshare.SGD(net, lr=1e-12)
    opt.step(loss_of, net, *batch)
    kept = net.l2.kernel
    net.l2.kernel = nnx.Param(jnp.ones((8, 1), F64))
    with pytest.raises(ParameterError, match=r"shape \(8, 1\) .* was replaced in its module"):
        opt.step(loss_of, net, *batch)
    net.l2.kernel = kept
    opt.step(loss_of, net, *batch)
    net.l1 = dense(4, 8, nnx.Rngs(5))
    with pytest.raises(ParameterError, match=r"call opt\.remove and opt\.add"):
        opt.step(loss_of, net, *batch)
    assert opt.steps == 2
    opt.remove("l1.*")
    opt.add(net.l1)
    opt.step(loss_of, net, *batch)
    assert (opt.state_for(net.l1.kernel).t, opt.state_for(net.l2.kernel).t) == (1, 3)


def test_a_value_written_into_a_param_is_read(net, batch):
    opt = optshare.SGD(net, lr=1e-12)
    opt.step(loss_of, net, *batch)
    net.l2.kernel[...] = jnp.ones((8, 1), F64)
    wanted = float(loss_of(net, *batch))
    assert float(opt.step(loss_of, net, *batch)) == pytest.approx(wanted, rel=1e-9)


def test_a_batch_statistic_that_replaces_another_goes_on(batch):
    module, other = make("Noisy"), make("Noisy")
    opt = optshare.SGD(module, lr=1e-12)
    opt.step(loss_of, module, *batch)
    for each in (module, other):
        each.norm.mean = nnx.BatchStat(jnp.ones(8, F64))
    opt.step(loss_of, module, *batch)
    loss_of(other, *batch)
    np.testing.assert_allclose(module.norm.mean[...], other.norm.mean[...], rtol=1e-9)


def test_modules_and_shared_layers_train_together():
    module = make("Noisy")
    head = optshare.to(optshare.Dense(1, 1, dtype=np.float64), "jax")
    model = optshare.Chain(module, jnp.tanh, head)
    opt = optshare.Adam(model, lr=0.01)
    batch = batches()[0]
    before, weight = flat(module), np.array(head.weight.stored)
    losses = [float(opt.step(loss_of, model, *batch)) for _ in range(40)]
    assert min(losses[-5:]) < losses[0] / 1.5
    assert all(not np.array_equal(each, before[path]) for path, each in flat(module).items())
    assert not np.array_equal(head.weight.stored, weight)
    paths = list(opt.state_dict()["parameters"])
    assert paths[-2:] == ["layers.2.weight", "layers.2.bias"]
    assert "layers.0.l1.kernel" in paths
    assert opt.state_for(head.weight).t == opt.state_for(module.l1.kernel).t == 40
    assert flat(module, nnx.RngCount) == {"drop.rngs.count": 40}


def test_two_modules_in_a_list_train_together(batch):
    one, two = make("Plain"), make("Plain")
    opt = optshare.Adam([one, two], lr=LR)
    before = flat(one), flat(two)
    opt.step(lambda x, y: ((one(x) + two(x) - y) ** 2).mean(), *batch)
    assert all(not np.array_equal(each, before[0][path]) for path, each in flat(one).items())
    assert all(not np.array_equal(each, before[1][path]) for path, each in flat(two).items())
    assert "0.l1.kernel" in opt.state_dict()["parameters"]


# -- gradients -----------------------------------------------------------------------------


def test_gradients_are_known_by_the_params_and_by_the_parts(net, batch):
    g = optshare.gradient(lambda: loss_of(net, *batch), wrt=net)
    wanted = flat(differentiated(net, *batch), ...)
    found = {"l1.kernel": g[net.l1.kernel], "l2.bias": g[net.l2][net.l2.bias]}
    for path, each in found.items():
        np.testing.assert_allclose(each, wanted[path], rtol=1e-12)
    assert len(g) == 4


def test_a_gradient_for_the_argument_that_is_a_module(net, batch):
    (g,) = optshare.gradient(lambda module: loss_of(module, *batch), net)
    wanted = flat(differentiated(net, *batch), ...)
    np.testing.assert_allclose(g[net.l1.kernel], wanted["l1.kernel"], rtol=1e-12)


def test_a_gradient_for_one_param(net, batch):
    g = optshare.gradient(lambda: loss_of(net, *batch), wrt=net.l1.kernel)
    wanted = flat(differentiated(net, *batch), ...)
    np.testing.assert_allclose(g[net.l1.kernel], wanted["l1.kernel"], rtol=1e-12)


def test_a_gradient_advances_statistics_and_counts_as_a_step_does(batch):
    mine, other = make("Noisy"), make("Noisy")
    optshare.gradient(lambda: loss_of(mine, *batch), wrt=mine)
    loss_of(other, *batch)
    kinds = nnx.Any(nnx.BatchStat, nnx.RngCount)
    wanted, found = flat(other, kinds), flat(mine, kinds)
    for path in wanted:
        np.testing.assert_allclose(found[path], wanted[path], rtol=1e-12)


def test_gradients_of_optshare_are_taken_by_the_optimizer(net, batch):
    before = flat(net)
    g = optshare.gradient(lambda: loss_of(net, *batch), wrt=net)
    optshare.SGD(net, lr=LR).update(g)
    wanted = before["l1.kernel"] - LR * np.asarray(g[net.l1.kernel])
    np.testing.assert_allclose(net.l1.kernel[...], wanted, rtol=1e-14)


def test_gradients_are_taken_with_and_without_the_module(net, batch):
    other = make("Plain")
    gradients = differentiated(net, *batch)
    optshare.SGD(net, lr=LR).update(gradients)
    optshare.SGD(other, lr=LR).update(other, gradients)
    np.testing.assert_equal(flat(net), flat(other))
    assert not np.array_equal(flat(net)["l1.kernel"], flat(make("Plain"))["l1.kernel"])


# -- copies and checkpoints ----------------------------------------------------------------


def test_a_pickle_of_module_and_optimizer_goes_on_as_they_do():
    module = make("Noisy")
    opt = optshare.Adam(module, lr=LR)
    for batch in batches()[:3]:
        opt.step(loss_of, module, *batch)
    twin, other = pickle.loads(pickle.dumps((module, opt)))
    assert other.state_for(twin.l1.kernel).t == 3
    for batch in batches()[3:6]:
        assert float(opt.step(loss_of, module, *batch)) == float(other.step(loss_of, twin, *batch))
    np.testing.assert_equal(everything(twin), everything(module))
    assert opt.state_for(module.l1.kernel).t == other.state_for(twin.l1.kernel).t == 6


def test_a_pickle_keeps_what_is_frozen(net, batch):
    opt = optshare.Adam(net, lr=LR)
    optshare.freeze(net.l1)
    twin, other = pickle.loads(pickle.dumps((net, opt)))
    before = flat(twin)
    other.step(loss_of, twin, *batch)
    assert np.array_equal(flat(twin)["l1.kernel"], before["l1.kernel"])
    assert not np.array_equal(flat(twin)["l2.kernel"], before["l2.kernel"])


@pytest.mark.parametrize("both", [True, False])
def test_a_deep_copy_is_refused_and_names_the_way(net, batch, both):
    opt = optshare.Adam(net, lr=LR)
    opt.step(loss_of, net, *batch)
    with pytest.raises(ParameterError, match=r"nnx\.clone\(model\)"):
        copy.deepcopy((net, opt) if both else opt)
    opt.step(loss_of, net, *batch)
    assert opt.steps == 2


def test_the_way_that_the_error_names_gives_a_twin(net, batch):
    opt = optshare.Adam(net, lr=LR)
    opt.step(loss_of, net, *batch)
    twin = nnx.clone(net)
    other = optshare.Adam(twin, lr=LR)
    other.load_state_dict(opt.state_dict())
    for _ in range(3):
        opt.step(loss_of, net, *batch)
        other.step(loss_of, twin, *batch)
    np.testing.assert_equal(everything(twin), everything(net))


def test_a_loaded_state_goes_on_in_a_fresh_module_and_optimizer():
    module = make("Noisy")
    opt = optshare.Adam(module, lr=LR)
    for batch in batches()[:4]:
        opt.step(loss_of, module, *batch)
    fresh = NETS["Noisy"](nnx.Rngs(99))
    nnx.update(fresh, nnx.state(module))
    other = optshare.Adam(fresh, lr=1.0)
    other.load_state_dict(opt.state_dict())
    for batch in batches()[4:]:
        assert float(opt.step(loss_of, module, *batch)) == float(other.step(loss_of, fresh, *batch))
    np.testing.assert_equal(everything(fresh), everything(module))
    np.testing.assert_equal(other.state_dict(), opt.state_dict())


# -- what goes wrong -----------------------------------------------------------------------


def attributes(module):
    """Each attribute of each part, by the ids of both."""
    parts = [each for _, each in nnx.iter_graph(module) if isinstance(each, nnx.Pytree)]
    return [(id(part), name, id(each)) for part in parts for name, each in vars(part).items()]


def test_after_an_exception_in_the_loss_the_module_is_as_before(batch):
    module = make("Noisy")
    opt = optshare.Adam(module, lr=LR)
    opt.step(loss_of, module, *batch)
    kept, before, state = attributes(module), everything(module), opt.state_dict()

    def loss(x, y):
        loss_of(module, x, y)
        raise ZeroDivisionError("of the user")

    with pytest.raises(ZeroDivisionError, match="of the user"):
        opt.step(loss, *batch)
    with pytest.raises(ZeroDivisionError, match="of the user"):
        optshare.gradient(lambda: loss(*batch), wrt=module)
    assert attributes(module) == kept
    assert not any(isinstance(each, jax.core.Tracer) for each in jax.tree.leaves(nnx.state(module)))
    np.testing.assert_equal(everything(module), before)
    np.testing.assert_equal(opt.state_dict(), state)
    opt.step(loss_of, module, *batch)
    assert opt.steps == 2


def test_after_a_step_the_attributes_are_the_original_objects(batch):
    module = make("Noisy")
    kept = attributes(module)
    optshare.Adam(module, lr=LR).step(loss_of, module, *batch)
    assert attributes(module) == kept
    assert not any(isinstance(each, jax.core.Tracer) for each in jax.tree.leaves(nnx.state(module)))


def test_an_attribute_that_the_loss_sets_is_refused_and_leaves_no_tracer_behind(net, batch):
    def loss(x, y):
        net.seen = net(x)
        return ((net.seen - y) ** 2).mean()

    with pytest.raises(TraceContextError, match="different trace level"):
        optshare.Adam(net, lr=LR).step(loss, *batch)
    assert not hasattr(net, "seen")


def test_a_loss_that_is_not_finite_changes_nothing(batch):
    module = make("Noisy")
    opt = optshare.Adam(module, lr=LR)
    opt.step(loss_of, module, *batch)
    before, state = everything(module), opt.state_dict()
    with pytest.raises(NonFiniteLossError):
        opt.step(lambda x, y: loss_of(module, x, y) * jnp.nan, *batch)
    with pytest.raises(NonFiniteLossError):
        opt.step(loss_of, module, batch[0] * jnp.nan, batch[1])
    np.testing.assert_equal(everything(module), before)
    np.testing.assert_equal(opt.state_dict(), state)


def test_an_integer_parameter_is_refused():
    module = nnx.Dict({"codes": nnx.Param(jnp.ones(2, int))})
    with pytest.raises(ParameterError, match="int64, which cannot be trained"):
        optshare.Adam(module)


def test_a_module_is_not_moved_and_nothing_else_is():
    module, layer = make("Plain"), optshare.Dense(1, 1)
    kept, before = attributes(module), everything(module)
    for model in (module, optshare.Chain(layer, module)):
        with pytest.raises(ParameterError, match="not ours to move"):
            optshare.to(model, "torch")
    assert attributes(module) == kept
    np.testing.assert_equal(everything(module), before)
    assert type(layer.weight.stored) is np.ndarray
