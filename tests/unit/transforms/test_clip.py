import subprocess
import sys

import jax
import numpy as np
import pytest
import torch

from optshare import SGD, Adam, ClipNorm, Optimizer, OptimizerChain, Parameter
from optshare.errors import CheckpointError, HyperparameterError, ParameterError
from optshare.transforms import ClipGlobalNorm

SHAPES = [(), (3,), (2, 4), (0,)]


def gradients(step):
    rng = np.random.default_rng(step)
    return [rng.normal(size=shape) * 10.0 ** (step % 3 - 1) for shape in SHAPES]


def test_clipping_by_the_global_norm_is_torchs_before_adam(deviation):
    start = gradients(100)
    ours = [Parameter(each) for each in start]
    theirs = [torch.nn.Parameter(torch.tensor(each)) for each in start]
    opt = Optimizer(ours, OptimizerChain(ClipGlobalNorm(max_norm=1.5), Adam(lr=0.1)))
    other = torch.optim.Adam(theirs, lr=0.1)
    for step in range(20):
        opt.update(gradients(step))
        for tensor, g in zip(theirs, gradients(step), strict=True):
            tensor.grad = torch.tensor(g)
        torch.nn.utils.clip_grad_norm_(theirs, 1.5)
        other.step()
        for p, tensor in zip(ours, theirs, strict=True):
            assert deviation(tensor.detach().numpy(), p.value, 0.1) <= 1e-12


def test_the_norm_is_over_the_parameters_of_all_engines():
    p, tensor = Parameter([0.0]), torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    opt = Optimizer([p, tensor], OptimizerChain(ClipGlobalNorm(max_norm=1.0, eps=0.0), SGD(lr=1.0)))
    opt.update([np.array([3.0]), torch.tensor([4.0])])
    np.testing.assert_allclose([p.value[0], tensor.item()], [-0.6, -0.8], rtol=1e-15)


def test_a_gradient_shorter_than_the_norm_stays_as_it_is():
    p, g = Parameter([0.0]), np.array([0.3])
    Optimizer([p], SGD(lr=1.0), transforms=[ClipGlobalNorm(max_norm=1.0)]).update([g])
    assert p.value[0] == -0.3
    assert g[0] == 0.3


def test_half_precision_gradients_are_measured_in_single_precision():
    p = Parameter(np.zeros(4), np.float16)
    opt = Optimizer([p], SGD(lr=1.0), transforms=[ClipGlobalNorm(max_norm=2.0, eps=0.0)])
    opt.update([np.full(4, 6e4, np.float16)])
    np.testing.assert_array_equal(p.value, -1.0)


def test_the_largest_norm_may_be_a_schedule():
    p = Parameter([0.0])
    clip = ClipGlobalNorm(max_norm=lambda step: 1.0 / (1 + step), eps=0.0)
    opt = Optimizer([p], SGD(lr=1.0), transforms=[clip])
    for _ in range(3):
        opt.update([np.array([5.0])])
    np.testing.assert_allclose(p.value, -(1 + 1 / 2 + 1 / 3), rtol=1e-15)


def test_jax_arrays_are_clipped_together():
    with jax.enable_x64():
        tree = [jax.numpy.zeros(2), jax.numpy.zeros(1)]
        opt = Optimizer(tree, SGD(lr=1.0), transforms=[ClipGlobalNorm(max_norm=0.5, eps=0.0)])
        opt.update([jax.numpy.asarray([3.0, 0.0]), jax.numpy.asarray([4.0])])
        np.testing.assert_allclose(opt.tree[0], [-0.3, 0.0], rtol=1e-15)
        np.testing.assert_allclose(opt.tree[1], [-0.4], rtol=1e-15)


def test_one_parameter_alone_is_refused():
    p, q = Parameter([0.0]), Parameter([0.0])
    opt = Optimizer([p, q], SGD(), transforms=[ClipGlobalNorm()])
    with pytest.raises(ParameterError, match="ClipGlobalNorm needs all gradients at once"):
        opt.update(p, np.array([1.0]))
    assert (p.value[0], opt.steps) == (0.0, 0)


def test_a_transform_after_a_rule_is_refused():
    with pytest.raises(HyperparameterError, match="put it before SGD"):
        OptimizerChain(SGD(), ClipGlobalNorm())


@pytest.mark.parametrize("wrong", [{"max_norm": -1.0}, {"eps": -1.0}, {"max_norm": "big"}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(HyperparameterError, match=next(iter(wrong))):
        ClipGlobalNorm(**wrong)


def test_the_largest_norm_is_adjusted_like_any_hyperparameter():
    p = Parameter([0.0])
    opt = Optimizer([p], OptimizerChain(ClipGlobalNorm(1.0, eps=0.0), SGD(lr=1.0)))
    opt.adjust(max_norm=2.0)
    opt.update([np.array([5.0])])
    assert p.value[0] == -2.0


def test_a_name_that_a_rule_has_too_is_the_rules_unless_it_is_full():
    p = Parameter([0.0])
    opt = Optimizer([p], OptimizerChain(ClipGlobalNorm(1.0), Adam()))
    opt.adjust(eps=0.5)
    assert (opt.transforms[0].eps, opt.state_for(p).eps) == (1e-6, 0.5)
    opt.adjust(**{"ClipGlobalNorm.eps": 0.25})
    assert (opt.transforms[0].eps, opt.state_for(p).eps) == (0.25, 0.5)


def test_a_wrong_value_changes_neither_transform_nor_rule():
    p = Parameter([0.0])
    opt = Optimizer([p], OptimizerChain(ClipGlobalNorm(1.0), Adam(lr=0.1)))
    for wrong in ({"max_norm": -1.0, "lr": 0.5}, {"max_norm": 2.0, "lr": -0.5}, {"max": 2.0}):
        with pytest.raises(HyperparameterError):
            opt.adjust(**wrong)
        assert (opt.transforms[0].max_norm, opt.state_for(p).lr) == (1.0, 0.1)


def test_an_adjusted_transform_is_saved_and_a_schedule_stays():
    def shrinking(step):
        return 1.0 / (1 + step)

    rule = OptimizerChain(ClipGlobalNorm(1.0, eps=0.0), SGD(lr=1.0))
    opt = Optimizer([Parameter([0.0])], rule)
    opt.adjust(max_norm=3.0)
    q = Parameter([0.0])
    other = Optimizer([q], rule)
    other.load_state_dict(opt.state_dict())
    assert other.transforms[0].max_norm == 3.0
    other.adjust(max_norm=shrinking)
    other.load_state_dict(opt.state_dict())
    assert other.transforms[0].max_norm is shrinking


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.update(transforms=[]),
        lambda data: data["transforms"][0].pop("hyperparameters"),
        lambda data: data["transforms"][0]["arrays"].update(nowhere=np.ones(1)),
        lambda data: data["transforms"][0]["hyperparameters"].update(max_norm=-1.0),
        lambda data: data["transforms"][0]["numbers"].update(more=1.0),
    ],
)
def test_a_spoilt_state_of_a_transform_is_a_checkpoint_error(spoil):
    opt = Optimizer([Parameter([0.0])], OptimizerChain(ClipGlobalNorm(1.0), SGD()))
    data = opt.state_dict()
    spoil(data)
    with pytest.raises(CheckpointError):
        opt.load_state_dict(data)


def test_the_optimizer_shows_its_transforms():
    opt = Optimizer([Parameter([0.0])], OptimizerChain(ClipGlobalNorm(2.0), SGD(lr=0.1)))
    assert repr(opt) == ("Optimizer(1 parameters, ClipGlobalNorm(max_norm=2.0), SGD(lr=0.1))")


@pytest.mark.parametrize("wrong", [ClipGlobalNorm(), [ClipNorm(1.0)], [ClipGlobalNorm], 3])
def test_what_is_no_list_of_transforms_is_refused(wrong):
    with pytest.raises(TypeError, match=r"transforms must be a list of such as ClipGlobalNorm"):
        Optimizer([Parameter([0.0])], SGD(), transforms=wrong)


def test_the_module_of_transforms_is_there_without_an_import_of_its_own():
    code = "import optshare; print(optshare.transforms.ClipGlobalNorm(2.0))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "ClipGlobalNorm(max_norm=2.0)\n"


def test_of_two_transforms_of_one_kind_a_name_must_say_which():
    rule = OptimizerChain(ClipGlobalNorm(1.0), ClipGlobalNorm(2.0), SGD())
    opt = Optimizer([Parameter([0.0])], rule)
    with pytest.raises(HyperparameterError, match=r"0\.ClipGlobalNorm\.max_norm, 1\.ClipGlobal"):
        opt.adjust(max_norm=3.0)
    opt.adjust(**{"1.ClipGlobalNorm.max_norm": 3.0})
    assert [each.max_norm for each in opt.transforms] == [1.0, 3.0]
