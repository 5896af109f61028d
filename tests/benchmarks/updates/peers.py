"""Adam of other libraries, each as its users call it.

A contestant is made of a Problem. `give` changes the gradients, `step` takes one step, which is
finished when it returns, `values` reads the parameters. `family` says where its gradients come
from: "given", or "loss", those of half the sum of all squares.
"""

from functools import partial

import numpy as np

from tests.benchmarks.updates.problem import BETAS, EPS, LR


def torch_adam(**options):
    """`torch.optim.Adam` on leaves with `.grad`."""
    return partial(Torch, options)


class Torch:
    """PyTorch."""

    family = "given"

    def __init__(self, options, problem):
        import torch

        self.parameters = [torch.nn.Parameter(torch.tensor(each)) for each in problem.parameters]
        self.step = torch.optim.Adam(self.parameters, LR, BETAS, EPS, **options).step
        self.give(problem.gradients)

    def give(self, gradients):
        """Leave them in `.grad`."""
        import torch

        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = torch.from_numpy(gradient)

    def values(self):
        """The tensors."""
        return [each.detach().numpy() for each in self.parameters]


def optax_adam(*, donated=True, loss=False):
    """`optax.adam` and `apply_updates`, and the gradient of the loss, compiled as one function."""
    return partial(Optax, donated, loss)


class Optax:
    """optax; what is donated may be written in place."""

    def __init__(self, donated, loss, problem):
        import jax
        import optax

        self.family = "loss" if loss else "given"
        self.adam = optax.adam(LR, *BETAS, EPS)
        self.parameters = in_jax(problem.parameters)
        self.state = zeros(self.adam.init, self.parameters)
        stepped = self.stepped_with_loss if loss else self.stepped
        self.compiled = jax.jit(stepped, donate_argnums=(0, 1) if donated else ())
        self.give(problem.gradients)

    def give(self, gradients):
        """Keep them as arrays of JAX."""
        self.gradients = in_jax(gradients)

    def stepped(self, parameters, state, gradients):
        """The new parameters, and the new state."""
        import optax

        updates, state = self.adam.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state

    def stepped_with_loss(self, parameters, state):
        """The same, and the loss."""
        import jax

        value, gradients = jax.value_and_grad(half_squares)(parameters)
        return *self.stepped(parameters, state, gradients), value

    def step(self):
        """Wait for what it gives."""
        import jax

        given = () if self.family == "loss" else (self.gradients,)
        found = jax.block_until_ready(self.compiled(self.parameters, self.state, *given))
        self.parameters, self.state = found[:2]

    def values(self):
        """The arrays."""
        return list(map(np.asarray, self.parameters))


def in_jax(arrays):
    """Copies that are JAX's own, which it may write into if they are donated."""
    import jax

    return [jax.device_put(each, may_alias=False) for each in arrays]


def zeros(init, parameters):
    """What `init` gives, zeros; a call would compile a function for each of a thousand sizes."""
    import jax

    def zero(each):
        return jax.device_put(np.zeros(each.shape, each.dtype), may_alias=False)

    return jax.tree.map(zero, jax.eval_shape(init, parameters))


def half_squares(parameters):
    """The loss whose gradients are the parameters."""
    return sum(0.5 * (each * each).sum() for each in parameters)


class Keras:
    """Keras on torch."""

    family = "given"

    def __init__(self, problem):
        import keras

        self.parameters = [keras.Variable(each) for each in problem.parameters]
        self.adam = keras.optimizers.Adam(LR, *BETAS, EPS)
        self.adam.build(self.parameters)
        self.give(problem.gradients)

    def give(self, gradients):
        """Keep them as tensors."""
        import torch

        self.gradients = list(map(torch.from_numpy, gradients))

    def step(self):
        """Apply them."""
        self.adam.apply(self.gradients, self.parameters)

    def values(self):
        """The tensors of the variables."""
        return [each.value.detach().numpy() for each in self.parameters]


class Thinc:
    """thinc; it computes in the gradient's memory, so each step begins with a copy."""

    family = "given"

    def __init__(self, problem):
        from thinc.api import Adam

        beta1, beta2 = BETAS
        self.parameters = [each.copy() for each in problem.parameters]
        self.spent = [np.empty_like(each) for each in problem.gradients]
        options = {"L2": 0.0, "grad_clip": 0.0, "use_averages": False}
        self.adam = Adam(LR, beta1=beta1, beta2=beta2, eps=EPS, **options)
        self.give(problem.gradients)

    def give(self, gradients):
        """Keep them."""
        self.gradients = gradients

    def step(self):
        """One call for each parameter."""
        for place, parameter in enumerate(self.parameters):
            np.copyto(self.spent[place], self.gradients[place])
            self.adam((place, "W"), parameter, self.spent[place])

    def values(self):
        """The arrays."""
        return self.parameters
