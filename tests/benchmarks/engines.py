"""How each engine takes one step, written once; a workload gives its model and its loss."""

from functools import partial

import numpy as np

from tests.benchmarks.workload import Run


def through(name, model_of, loss):
    """optshare's public face, on one of its engines."""
    return partial(_through, name, model_of, loss)


def _through(name, model_of, loss, problem):
    import optshare

    model = model_of(problem.parameters, optshare.Parameter)

    def step():
        with optshare.use(name):
            return optshare.value_and_gradient(lambda: loss(model(problem.x), problem.y), wrt=model)

    return Run(step, lambda found: (float(found[0]), list(found[1])))


def with_back(model_of, loss):
    """The tape's own face: Variables, and `back`."""
    return partial(_with_back, model_of, loss)


def _with_back(model_of, loss, problem):
    import optshare
    import optshare_tape

    model = model_of(problem.parameters, optshare_tape.Variable)
    variables = optshare.params(model)

    def step():
        for each in variables:
            each.grad = None
        value = loss(model(problem.x), problem.y)
        optshare_tape.back(value)
        return value

    return Run(step, lambda y: (float(optshare_tape.value(y)), [each.grad for each in variables]))


def torch_eager(module_of, loss, *, channels_last=False):
    """A module, `loss.backward()`. torch's matrices are (out, in)."""
    return partial(_torch_eager, module_of, loss, channels_last)


def _torch_eager(module_of, loss, channels_last, problem):
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    module = module_of()
    parameters = list(module.parameters())
    values = [each.T if each.ndim == 2 else each for each in problem.parameters]
    with torch.no_grad():
        for parameter in parameters[len(values) :]:  # the second bias of torch's LSTM
            parameter.zero_()
        for parameter, value in zip(parameters, values, strict=False):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    module = module.to(memory_format=layout)
    x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
    x = x.to(memory_format=layout) if channels_last else x

    def step():
        module.zero_grad()
        value = loss(module(x), y)
        value.backward()
        return value

    def read(value):
        found = [each.grad.numpy() for each in parameters[: len(values)]]
        return value.item(), [each.T if each.ndim == 2 else each for each in found]

    return Run(step, read)


def hips_autograd(loss):
    """`value_and_grad` over a list of arrays; `loss(parameters, x, y)`."""
    return partial(_hips_autograd, loss)


def _hips_autograd(loss, problem):
    from autograd import value_and_grad

    differentiated = value_and_grad(loss)

    def step():
        return differentiated(list(problem.parameters), problem.x, problem.y)

    return Run(step, lambda found: (float(found[0]), found[1]))


def mygrad(loss):
    """Tensors, `loss.backward()`, without the memory guard, as its users have it for speed."""
    return partial(_mygrad, loss)


def _mygrad(loss, problem):
    import mygrad as mg

    parameters = [mg.tensor(each) for each in problem.parameters]

    def step():
        with mg.mem_guard_off:
            for each in parameters:
                each.null_grad()
            value = loss(parameters, problem.x, problem.y)
            value.backward()
            return value

    return Run(step, lambda value: (value.item(), [each.grad for each in parameters]))


def jax_jit(loss):
    """`jit(value_and_grad(loss))`, compiled before it is measured."""
    return partial(_jax_jit, loss)


def _jax_jit(loss, problem):
    import jax

    differentiated = jax.jit(jax.value_and_grad(loss))
    arguments = jax.device_put((list(problem.parameters), problem.x, problem.y))

    def step():
        return jax.block_until_ready(differentiated(*arguments))

    return Run(step, lambda found: (float(found[0]), list(map(np.asarray, found[1]))))
