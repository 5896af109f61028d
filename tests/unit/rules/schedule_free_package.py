"""The schedule-free optimizers of the authors' own package, behind one face."""

import numpy as np
import schedulefree
import torch

RULES = {
    "ScheduleFreeSGD": schedulefree.SGDScheduleFree,
    "ScheduleFreeAdamW": schedulefree.AdamWScheduleFree,
}


class ScheduleFree:
    """An optimizer of the authors' own package over one tensor."""

    def __init__(self, rule, value, lr, options):
        self.tensor = torch.nn.Parameter(torch.tensor(value))
        self.optimizer = RULES[rule]([self.tensor], lr=lr, **options)
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
