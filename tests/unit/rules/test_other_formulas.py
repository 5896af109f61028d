"""Options that give other frameworks' formulas: beside optax, and by hand for Keras."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optshare
from optshare import Optimizer, Parameter
from optshare.errors import HyperparameterError
from tests.unit.rules.by_hand import KerasAdam, KerasMomentum
from tests.unit.rules.cases import VARIANTS, made


class Optax:
    """An optax optimizer whose learning rate changes; `state` picks the arrays by our names."""

    def __init__(self, value, make, state):
        self.array, self.make, self.names = jnp.asarray(value), make, state
        self.kept = make(0.1).init(self.array)

    def update(self, g, lr):
        step, self.kept = self.make(lr).update(jnp.asarray(g), self.kept, self.array)
        self.array = self.array + step

    @property
    def value(self):
        return np.asarray(self.array)

    @property
    def state(self):
        found = {}
        for path, leaf in jax.tree_util.tree_leaves_with_path(self.kept):
            found[path[-1].name] = np.asarray(leaf)
        signs = {name: -1.0 if field == "trace" else 1.0 for name, field in self.names.items()}
        return {name: signs[name] * found[field] for name, field in self.names.items()}


MOMENTS = {"exp_avg": "mu", "exp_avg_sq": "nu"}
THEIRS = {
    "sgd, lr in the buffer": lambda start: KerasMomentum(start, 0.9, weight_decay=0.1),
    "sgd nesterov, lr in the buffer": lambda start: KerasMomentum(start, 0.9, nesterov=True),
    "adam eps-hat": lambda start: KerasAdam(start, 1e-3),
    "amsgrad eps-hat": lambda start: KerasAdam(start, 1e-3, amsgrad=True),
    "adam eps-root": lambda start: Optax(start, lambda lr: optax.adam(lr, eps_root=1e-3), MOMENTS),
    "amsgrad corrected": lambda start: Optax(
        start,
        lambda lr: optax.amsgrad(lr, 0.8, 0.9, eps_root=1e-4),
        {**MOMENTS, "max_exp_avg_sq": "nu_max"},
    ),
    "rmsprop of optax": lambda start: Optax(
        start,
        lambda lr: optax.rmsprop(lr, 0.99, eps=1e-3, momentum=0.9),
        {"square_avg": "nu", "momentum_buffer": "trace"},
    ),
    "rmsprop centered of optax": lambda start: Optax(
        start,
        lambda lr: optax.rmsprop(lr, 0.99, eps=1e-3, centered=True),
        {"square_avg": "nu", "grad_avg": "mu"},
    ),
    "adagrad of optax": lambda start: Optax(
        start, lambda lr: optax.adagrad(lr, 0.1, eps=1e-3), {"sum": "sum_of_squares"}
    ),
}


@pytest.mark.parametrize("case", VARIANTS)
def test_values_and_state_are_theirs_also_when_lr_changes(case, deviation):
    rng = np.random.default_rng(7)
    start, lr = rng.normal(size=(5, 7)), 0.1
    p, theirs = Parameter(start), THEIRS[case](start)
    opt = Optimizer([p], made(case, lr=lr))
    for step in range(15):
        if step == 6:
            lr = 0.02
            opt.adjust(lr=lr)
        g = rng.normal(size=start.shape)
        opt.update([g])
        theirs.update(g, lr)
        assert deviation(theirs.value, p.value, lr) <= 1e-12, step
    state = opt.state_for(p)
    assert sorted(state.arrays) == sorted(theirs.state)
    for name, array in theirs.state.items():
        assert deviation(array, state.arrays[name], lr) <= 1e-12, name


@pytest.mark.parametrize(
    ("option", "rule", "others"),
    [
        ("lr_in_buffer", "SGD", {"momentum": 0.9}),
        ("lr_in_buffer", "RMSProp", {"momentum": 0.9}),
    ],
)
def test_where_lr_stands_tells_only_when_it_changes(option, rule, others, deviation):
    def run(later, **options):
        p = Parameter([1.0, 2.0])
        opt = getattr(optshare, rule)([p], lr=0.1, **others, **options)
        for lr in (0.1, 0.1, later):
            opt.adjust(lr=lr)
            opt.update([np.array([1.0, -0.5])])
        return p.value

    assert deviation(run(0.1), run(0.1, **{option: True}), 0.1) <= 1e-14
    assert deviation(run(0.01), run(0.01, **{option: True}), 0.1) > 1e-3


def test_the_published_probe_of_epsilon_hat():
    p = Parameter([1.0])
    opt = optshare.Adam([p], lr=0.1, eps=1e-3, eps_hat=True)
    for g in (0.1, -0.2, 0.3):
        opt.update([np.array([g])])
    assert round(p.value.item(), 10) == 0.9244505350


@pytest.mark.parametrize("options", [{}, {"amsgrad": True, "eps_hat": True}])
@pytest.mark.parametrize("rule", ["Adam", "AdamW"])
def test_options_of_amsgrad_that_contradict_are_refused(rule, options):
    with pytest.raises(HyperparameterError, match=f"{rule}: amsgrad_corrected=True needs"):
        getattr(optshare, rule)(amsgrad_corrected=True, **options)
