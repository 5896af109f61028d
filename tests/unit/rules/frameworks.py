"""The frameworks' own optimizers behind one face: begin, set lr, update, see value and state.

Each is given the hyperparameters that a proof names, in our names, and has the
framework's own defaults for all others.
"""

import inspect
import os
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from autograd.misc import optimizers as hips

os.environ["KERAS_BACKEND"] = "jax"  # read when it is imported
os.environ.setdefault("KERAS_HOME", tempfile.gettempdir())  # not the user's own settings
import keras

keras.config.set_floatx("float64")


OPTAX_NAMES = {"betas.0": "b1", "betas.1": "b2", "alpha": "decay"}
KERAS_NAMES = {"betas.0": "beta_1", "betas.1": "beta_2", "eps": "epsilon", "alpha": "rho"}
HIPS_NAMES = {"momentum": "mass", "alpha": "gamma", "eps": "eps"}
"""Their names of our hyperparameters, where they differ; of HIPS autograd, all."""


class Torch:
    """An optimizer of PyTorch's over one tensor; its names are ours."""

    def __init__(self, name, start, lr, given):
        self.tensor = torch.nn.Parameter(torch.tensor(start))
        self.optimizer = getattr(torch.optim, name)([self.tensor], **given)

    @property
    def lr(self):
        return self.optimizer.param_groups[0]["lr"]

    @lr.setter
    def lr(self, lr):
        self.optimizer.param_groups[0]["lr"] = lr

    def update(self, gradient):
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


def translated(given, names):
    """Hyperparameters by a framework's names; betas are two of them."""
    found = {}
    for name, value in given.items():
        ours = (name,) if not isinstance(value, tuple) else (f"{name}.0", f"{name}.1")
        values = value if isinstance(value, tuple) else (value,)
        found |= {names.get(own, own): each for own, each in zip(ours, values, strict=True)}
    return found


class Optax:
    """An optax optimizer over one array; it is made anew for each learning rate."""

    def __init__(self, name, start, lr, given):
        self.make, self.options = getattr(optax, name), translated(given, OPTAX_NAMES)
        self.known = set(inspect.signature(self.make).parameters)
        self.array, self.lr = jnp.asarray(start), lr
        self.kept = self.transform.init(self.array)

    @property
    def transform(self):
        """With L2 regularisation before a rule that has no weight decay."""
        options = {name: each for name, each in self.options.items() if name in self.known}
        left = {name: each for name, each in self.options.items() if name not in self.known}
        decay = optax.add_decayed_weights(left.pop("weight_decay", 0.0))
        assert not left, left
        return optax.chain(decay, self.make(learning_rate=self.lr, **options))

    def update(self, gradient):
        if gradient is not None:
            given = jnp.asarray(gradient), self.kept, self.array
            step, self.kept = self.transform.update(*given)
            self.array = self.array + step

    @property
    def value(self):
        return np.asarray(self.array)

    @property
    def state(self):
        leaves = jax.tree_util.tree_leaves_with_path(self.kept)
        return {path[-1].name: np.asarray(leaf) for path, leaf in leaves}


class Keras:
    """A Keras optimizer, on JAX, over one variable."""

    def __init__(self, name, start, lr, given):
        self.variable = keras.Variable(start, dtype="float64")
        self.optimizer = getattr(keras.optimizers, name)(**translated(given, KERAS_NAMES))
        self.optimizer.build([self.variable])

    @property
    def lr(self):
        return float(self.optimizer.learning_rate)

    @lr.setter
    def lr(self, lr):
        self.optimizer.learning_rate = lr

    def update(self, gradient):
        if gradient is not None:
            self.optimizer.apply([jnp.asarray(gradient)])

    @property
    def value(self):
        return np.asarray(self.variable.value)

    @property
    def state(self):
        found = {}
        for name, each in vars(self.optimizer).items():
            kept = each[0] if isinstance(each, list) and len(each) == 1 else each
            if isinstance(kept, keras.Variable):
                found[name.strip("_")] = np.asarray(kept.value)
        return found


class Hips:
    """An optimizer of HIPS autograd, which is a loop: all its steps are taken again."""

    def __init__(self, name, start, lr, given):
        self.run, self.start, self.gradients = getattr(hips, name), start, []
        self.options = {HIPS_NAMES[n]: each for n, each in given.items() if n in HIPS_NAMES}
        self.lr = lr

    def update(self, gradient):
        if gradient is not None:
            self.gradients.append(gradient)

    @property
    def value(self):
        steps = len(self.gradients)
        return self.run(
            lambda x, i: self.gradients[i],
            self.start,
            num_iters=steps,
            step_size=self.lr,
            **self.options,
        )
