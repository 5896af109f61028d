"""The frameworks' own optimizers behind one face: begin, set lr, update, see value and state.

Each is given the hyperparameters that a proof names, in our names, and has the
framework's own defaults for all others.
"""

import inspect
import os
import tempfile
from operator import attrgetter
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
import schedulefree
import torch
from autograd.misc import optimizers as hips
from optax._src import factorized

os.environ["KERAS_BACKEND"] = "jax"  # read when it is imported
os.environ.setdefault("KERAS_HOME", tempfile.gettempdir())  # not the user's own settings
import keras

keras.config.set_floatx("float64")


OPTAX_NAMES = {
    "contrib.muon": {"momentum": "beta"},
    "contrib.schedule_free_sgd": {"momentum": "b1"},
    "adafactor": {
        "eps.0": "eps",
        "eps.1": None,
        "d": "clipping_threshold",
        "weight_decay": "weight_decay_rate",
        "factored_from": "min_dim_size_to_factor",
    },
    "": {"betas.0": "b1", "betas.1": "b2", "alpha": "decay"},
}
KERAS_NAMES = {
    "Adafactor": {
        "beta2_decay": "beta_2_decay",
        "eps.0": "epsilon_1",
        "eps.1": "epsilon_2",
        "d": "clip_threshold",
    },
    "Muon": {
        "ns_coefficients.0": "muon_a",
        "ns_coefficients.1": "muon_b",
        "ns_coefficients.2": "muon_c",
    },
    "": {"betas.0": "beta_1", "betas.1": "beta_2", "eps": "epsilon", "alpha": "rho"},
}
HIPS_NAMES = {"momentum": "mass", "alpha": "gamma", "eps": "eps"}
"""Their names of our hyperparameters by rule, where they differ; `None` for what is a constant
there; of HIPS autograd, all."""


class Torch:
    """An optimizer of PyTorch's over one tensor; its names are ours."""

    package = torch.optim
    in_bfloat16 = False
    """Whether Muon computes in bfloat16, as it does, or in the dtype of its gradient."""

    def __init__(self, name, start, lr, given):
        self.tensor = torch.nn.Parameter(torch.tensor(start))
        self.optimizer = attrgetter(name)(self.package)([self.tensor], **given)

    @property
    def lr(self):
        return self.optimizer.param_groups[0]["lr"]

    @lr.setter
    def lr(self, lr):
        self.optimizer.param_groups[0]["lr"] = lr

    def update(self, gradient):
        self.tensor.grad = None if gradient is None else torch.tensor(gradient)
        rounded = torch.Tensor.bfloat16 if self.in_bfloat16 else torch.Tensor.clone
        with mock.patch.object(torch.Tensor, "bfloat16", rounded):
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


class ScheduleFree(Torch):
    """An optimizer of the authors' own package over one tensor; its names are ours."""

    package = schedulefree

    def __init__(self, name, start, lr, given):
        super().__init__(name, start, lr, given)
        self.optimizer.train()

    def update(self, gradient):
        if gradient is not None:  # the package would count the update
            super().update(gradient)

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
        return super().state | {name: np.asarray(group[name]) for name in ("weight_sum", "lr_max")}


def translated(given, names):
    """Hyperparameters by a framework's names; betas are two of them."""
    found = {}
    for name, value in given.items():
        whole = not isinstance(value, tuple)
        parts = {name: value} if whole else {f"{name}.{at}": v for at, v in enumerate(value)}
        found |= {names.get(own, own): each for own, each in parts.items()}
    return {name: each for name, each in found.items() if name is not None}


def in_double(step, exponent):
    """The rate of optax's Adafactor, which counts steps in float32."""
    return 1.0 - (jnp.asarray(step, jnp.float64) + 1.0) ** -exponent


COUNTED = mock.patch.object(
    factorized.scale_by_factored_rms,
    "__defaults__",
    (*factorized.scale_by_factored_rms.__defaults__[:-1], in_double),
)


class Optax:
    """An optax optimizer over one array; it is made anew for each learning rate."""

    def __init__(self, name, start, lr, given):
        names = OPTAX_NAMES.get(name, OPTAX_NAMES[""])
        self.make, self.options = attrgetter(name)(optax), translated(given, names)
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
        with COUNTED:
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


def on_doubles(function):
    """A function of JAX's, for Keras's variables of float64."""

    def call(x, **options):
        return function(jnp.asarray(getattr(x, "value", x), jnp.float64), **options)

    return call


IN_DOUBLE = mock.patch.multiple(
    keras.src.ops,
    **{name: on_doubles(of) for name, of in (("mean", jnp.mean), ("norm", jnp.linalg.norm))},
)
"""Keras takes means and norms of doubles in float32."""


class Keras:
    """A Keras optimizer, on JAX, over one variable."""

    def __init__(self, name, start, lr, given):
        self.variable = keras.Variable(start, dtype="float64")
        names = KERAS_NAMES.get(name, KERAS_NAMES[""])
        self.optimizer = getattr(keras.optimizers, name)(**translated(given, names))
        self.optimizer.build([self.variable])

    @property
    def lr(self):
        return float(self.optimizer.learning_rate)

    @lr.setter
    def lr(self, lr):
        self.optimizer.learning_rate = lr

    def update(self, gradient):
        if gradient is not None:
            with IN_DOUBLE:
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
