"""What formulas by hand have in common."""

import numpy as np


class Hand:
    """One array, its learning rate, its state."""

    lr = None
    decay = 0.0

    def __init__(self, start, **given):
        self.x, self.t = np.array(start), 0
        for name, each in given.items():
            assert hasattr(type(self), name), name
            setattr(self, name, each)
        self.begin()

    def full(self, number=0.0):
        return np.full(self.x.shape, number)

    def begin(self):
        """Set the state before the first step."""

    def update(self, gradient):
        if gradient is not None:
            self.t += 1
            self.x = self.x - self.step(gradient)

    @property
    def value(self):
        return self.x

    @property
    def state(self):
        """The arrays that are kept, by optshare's names."""
        return {}


class WithL2(Hand):
    """The penalty's gradient is added before anything else."""

    def update(self, gradient):
        super().update(None if gradient is None else gradient + self.decay * self.x)
