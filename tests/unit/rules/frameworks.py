"""Other frameworks' optimizers behind one face: start, update, the value and state by our names."""

import jax.numpy as jnp
import numpy as np
import optax
import schedulefree
import torch

TORCH_RULES = {
    "SGD": torch.optim.SGD,
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "NAdam": torch.optim.NAdam,
    "RAdam": torch.optim.RAdam,
    "AdaMax": torch.optim.Adamax,
    "RMSProp": torch.optim.RMSprop,
    "Adagrad": torch.optim.Adagrad,
    "Adadelta": torch.optim.Adadelta,
    "Rprop": torch.optim.Rprop,
}


class Torch:
    """An optimizer of PyTorch's over one tensor."""

    def __init__(self, rule, value, lr, options):
        self.tensor = torch.nn.Parameter(torch.tensor(value))
        self.optimizer = TORCH_RULES[rule]([self.tensor], lr=lr, **options)

    def update(self, gradient, lr):
        self.optimizer.param_groups[0]["lr"] = lr
        self.tensor.grad = None if gradient is None else torch.tensor(gradient)
        self.optimizer.step()

    @property
    def value(self):
        return self.tensor.detach().numpy()

    @property
    def state(self):
        found = self.optimizer.state[self.tensor].items()
        return {
            name: np.asarray(each) for name, each in found if name != "step" and each is not None
        }


def _adabelief(betas=(0.9, 0.999), eps=1e-16, eps_root=1e-16):
    return optax.scale_by_belief(*betas, eps, eps_root), {"exp_avg": "mu", "exp_avg_var": "nu"}


def _yogi(betas=(0.9, 0.999), eps=1e-3, initial_accumulator_value=1e-6):
    transform = optax.scale_by_yogi(
        *betas, eps, initial_accumulator_value=initial_accumulator_value
    )
    return transform, {"exp_avg": "mu", "exp_avg_sq": "nu"}


def _lion(betas=(0.9, 0.99), weight_decay=0.0):
    lion = optax.scale_by_lion(*betas)
    return optax.chain(lion, optax.add_decayed_weights(weight_decay)), {"exp_avg": "mu"}


def _oadam(betas=(0.5, 0.9), eps=1e-8):
    optimistic = optax.scale_by_optimistic_gradient()
    return (
        optax.chain(optax.scale_by_adam(*betas, eps), _from_zero(optimistic)),
        {"exp_avg": "mu", "exp_avg_sq": "nu", "previous": "previous_gradient"},
    )


def _from_zero(optimistic):
    """Without optax's own first step: the paper's direction before the first one is 0."""

    def init(params):
        return optimistic.init(params)._replace(is_initial_step=jnp.array(False))

    return optax.GradientTransformation(init, optimistic.update)


OPTAX_RULES = {"AdaBelief": _adabelief, "Yogi": _yogi, "OAdam": _oadam, "Lion": _lion}


class Optax:
    """A transformation of optax's over one array."""

    def __init__(self, rule, value, lr, options):
        self.transform, self.names = OPTAX_RULES[rule](**options)
        self.array = jnp.asarray(value)
        self.kept = self.transform.init(self.array)

    def update(self, gradient, lr):
        if gradient is None:
            return
        step, self.kept = self.transform.update(jnp.asarray(gradient), self.kept, self.array)
        self.array = self.array - lr * step

    @property
    def value(self):
        return np.asarray(self.array)

    @property
    def state(self):
        parts = [self.kept] if hasattr(self.kept, "_fields") else self.kept
        fields = {name: each for part in parts for name, each in part._asdict().items()}
        return {ours: np.asarray(fields[theirs]) for ours, theirs in self.names.items()}


SCHEDULE_FREE_RULES = {
    "ScheduleFreeSGD": schedulefree.SGDScheduleFree,
    "ScheduleFreeAdamW": schedulefree.AdamWScheduleFree,
}


class ScheduleFree:
    """An optimizer of the authors' own package over one tensor."""

    def __init__(self, rule, value, lr, options):
        self.tensor = torch.nn.Parameter(torch.tensor(value))
        self.optimizer = SCHEDULE_FREE_RULES[rule]([self.tensor], lr=lr, **options)
        self.optimizer.train()

    def update(self, gradient, lr):
        if gradient is None:  # the package would count the update
            return
        self.optimizer.param_groups[0]["lr"] = lr
        self.tensor.grad = torch.tensor(gradient)
        self.optimizer.step()

    @property
    def value(self):
        return self.tensor.detach().numpy()

    @property
    def evaluated(self):
        """The value to evaluate."""
        self.optimizer.eval()
        found = self.value.copy()
        self.optimizer.train()
        return found

    @property
    def state(self):
        group = self.optimizer.param_groups[0]
        numbers = {name: np.asarray(group[name]) for name in ("weight_sum", "lr_max")}
        kept = self.optimizer.state[self.tensor].items()
        return {name: each.numpy() for name, each in kept} | numbers


def beside(rule, value, lr, options):
    """The real optimizer that a rule is held to."""
    if rule in SCHEDULE_FREE_RULES:
        return ScheduleFree(rule, value, lr, options)
    return (Torch if rule in TORCH_RULES else Optax)(rule, value, lr, options)
