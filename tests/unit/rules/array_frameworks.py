"""The frameworks' optimizers that are not element-wise, behind one face."""

import contextlib
import os
import tempfile
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from optax import contrib

TORCH_RULES = {"Adafactor": torch.optim.Adafactor, "Muon": torch.optim.Muon}
"""PyTorch's; they do not take every shape."""


class Torch:
    """An optimizer of PyTorch's over one tensor."""

    def __init__(self, rule, value, options):
        self.tensor = torch.nn.Parameter(torch.tensor(value))
        self.optimizer = TORCH_RULES[rule]([self.tensor], **options)

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
        return {name: each.numpy() for name, each in found if name != "step"}


class Optax:
    """A transformation of optax's that is made for an lr, over one array."""

    def __init__(self, transform, names, value, sign=1):
        """`sign` is that of the state: optax's momentum in LARS holds what is added."""
        self.make, self.names, self.sign = transform, names, sign
        self.array = jnp.asarray(value)
        self.kept = transform(1.0).init({"w": self.array})

    def update(self, gradient, lr):
        if gradient is None:
            return
        tree = {"w": self.array}
        given = {"w": jnp.asarray(gradient)}
        steps, self.kept = self.make(lr).update(given, self.kept, tree)
        self.array = optax.apply_updates(tree, steps)["w"]

    @property
    def value(self):
        return np.asarray(self.array)

    @property
    def state(self):
        leaves = jax.tree_util.tree_flatten_with_path(self.kept)[0]
        paths = [(jax.tree_util.keystr(path, simple=True, separator="."), x) for path, x in leaves]
        return {
            ours: self.sign
            * np.asarray(next(x for path, x in paths if path.endswith(f"{theirs}.w")))
            for ours, theirs in self.names.items()
        }


MOMENTS = {"exp_avg": "mu", "exp_avg_sq": "nu"}


def optax_lars(value, weight_decay=0.0, **options):
    def transform(lr):
        return optax.lars(lr, weight_decay, **options)

    return Optax(transform, {"momentum_buffer": "trace"}, value, sign=-1)


def optax_lamb(value, betas=(0.9, 0.999), eps=1e-6, eps_root=0.0, weight_decay=0.0):
    def transform(lr):
        return optax.lamb(lr, *betas, eps, eps_root, weight_decay)

    return Optax(transform, MOMENTS, value)


def optax_adafactor(value, size, weight_decay, eps=1e-30, decay=0.8):
    """`optax.adafactor`, whose parts these are, but that it counts steps in float32."""

    def kept(step, exponent):
        return 1.0 - (jnp.asarray(step, jnp.float64) + 1.0) ** -exponent

    def transform(lr):
        return optax.chain(
            optax.scale_by_factored_rms(True, decay, 0, size, eps, decay_rate_fn=kept),
            optax.clip_by_block_rms(1.0),
            optax.scale_by_learning_rate(lr, flip_sign=False),
            optax.scale_by_param_block_rms(),
            optax.add_decayed_weights(weight_decay),
            optax.scale(-1),
        )

    return Optax(transform, {"row": "v_row", "column": "v_col", "variance": "v"}, value)


def optax_muon(value, **options):
    def transform(lr):
        return contrib.muon(lr, **options)

    return Optax(transform, {"momentum_buffer": "mu"}, value)


@contextlib.contextmanager
def in_double_precision(keras):
    """Keras keeps lr in its default dtype; means, norms and roots of sizes are in float32."""
    kept = keras.config.floatx()
    keras.config.set_floatx("float64")
    doubled = {"mean": jnp.mean, "norm": jnp.linalg.norm, "sqrt": jnp.sqrt}
    ops = {name: _on_doubles(function) for name, function in doubled.items()}
    try:
        with mock.patch.multiple(keras.src.ops, **ops):
            yield
    finally:
        keras.config.set_floatx(kept)


def _on_doubles(function):
    def call(x, **options):
        return function(jnp.asarray(getattr(x, "value", x), jnp.float64), **options)

    return call


class Keras:
    """An optimizer of Keras's over one variable; `names` gives its own lists of state."""

    def __init__(self, rule, names, value, options):
        os.environ.setdefault("KERAS_BACKEND", "jax")
        os.environ.setdefault("KERAS_HOME", tempfile.gettempdir())  # not the user's own settings
        import keras

        self.variable = keras.Variable(value, dtype=str(value.dtype), name="w")
        with in_double_precision(keras):
            self.optimizer = getattr(keras.optimizers, rule)(**options)
            self.optimizer.build([self.variable])
        self.keras, self.names = keras, names

    def update(self, gradient, lr):
        if gradient is None:
            return
        with in_double_precision(self.keras):
            self.optimizer.learning_rate.assign(lr)
            self.optimizer.apply([jnp.asarray(gradient)], [self.variable])

    @property
    def value(self):
        return np.asarray(self.variable.value)

    @property
    def state(self):
        return {
            ours: np.asarray(getattr(self.optimizer, theirs)[0].value)
            for ours, theirs in self.names.items()
        }


def in_working_precision(monkeypatch):
    """Let PyTorch's Muon compute in the dtype of its gradient, not in bfloat16."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
