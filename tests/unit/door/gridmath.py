"""A stranger's engine over its own array type: written on `optshare.extend` alone."""

import operator
from functools import partial

import numpy as np

from optshare.extend import (
    BackendDescription,
    BaseBackend,
    Capabilities,
    Operators,
    Parameter,
    complete,
    hookimpl,
)


class Grid(Operators):
    """An array; while it is tracked it knows what it was computed from."""

    def __init__(self, data, links=None):
        self.data, self.links = np.asarray(data), links

    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: self.data.dtype)
    ndim = property(lambda self: self.data.ndim)

    def _operate(self, function, *operands):
        if any(isinstance(each, Parameter) for each in operands):
            return NotImplemented
        return OPERATORS[function](*operands)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.data, dtype)

    def __float__(self):
        return float(self.data)


def fit(g, x):
    g = g.sum(tuple(range(g.ndim - x.ndim)))
    stretched = tuple(i for i, n in enumerate(x.shape) if n == 1 != g.shape[i])
    return g.sum(stretched, keepdims=True)


def op(forward, *pulls):
    """A function of Grids and Python numbers; `pull(g, y, *arrays)` for each Grid."""

    def call(*args, **kwargs):
        if any(isinstance(each, np.ndarray) for each in args[: max(1, len(pulls))]):
            raise TypeError("a Grid is needed, not an array of NumPy's")
        data = [each.data if isinstance(each, Grid) else each for each in args]
        y = np.asarray(forward(*data, **kwargs))
        pairs = [
            (each, lambda g, x=each.data, pull=pull: fit(pull(g, y, *data, **kwargs), x))
            for each, pull in zip(args, pulls, strict=False)
            if isinstance(each, Grid) and each.links is not None
        ]
        return Grid(y, pairs or None)

    return call


def swap(x):
    return np.swapaxes(x, -1, -2)


def spread(g, x, axis=None, keepdims=False):
    return np.broadcast_to(g if keepdims or axis is None else np.expand_dims(g, axis), x.shape)


def put(g, x, index, axis):
    out = np.zeros_like(x)
    np.put_along_axis(out, index, g, axis)
    return out


class Functions:
    add = op(np.add, lambda g, y, a, b: g, lambda g, y, a, b: g)
    subtract = op(np.subtract, lambda g, y, a, b: g, lambda g, y, a, b: -g)
    multiply = op(np.multiply, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
    divide = op(np.divide, lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b)
    matmul = op(np.matmul, lambda g, y, a, b: g @ swap(b), lambda g, y, a, b: swap(a) @ g)
    negative = op(np.negative, lambda g, y, a: -g)
    exp = op(np.exp, lambda g, y, a: g * y)
    log = op(np.log, lambda g, y, a: g / a)
    tanh = op(np.tanh, lambda g, y, a: g * (1 - y * y))
    sqrt = op(np.sqrt)
    greater = op(np.greater)
    isfinite = op(np.isfinite)
    max = op(np.max)
    argmax = op(np.argmax)
    zeros_like = op(np.zeros_like)
    asarray = Grid
    ones_like = op(np.ones_like)
    astype = op(lambda a, dtype: a.astype(dtype))
    where = op(
        np.where,
        lambda g, y, c, a, b: 0 * g,
        lambda g, y, c, a, b: g * c,
        lambda g, y, c, a, b: g * ~c,
    )
    sum = op(np.sum, lambda g, y, a, **k: spread(g, a, **k))
    mean = op(np.mean, lambda g, y, a, **k: spread(g, a, **k) * (y.size / a.size))
    squeeze = op(np.squeeze, lambda g, y, a, axis: np.expand_dims(g, axis))
    take_along_axis = op(np.take_along_axis, lambda g, y, a, index, axis: put(g, a, index, axis))
    stop_gradient = staticmethod(lambda x: Grid(x.data))


OPERATORS = {
    operator.add: Functions.add,
    operator.sub: Functions.subtract,
    operator.mul: Functions.multiply,
    operator.truediv: Functions.divide,
    operator.matmul: Functions.matmul,
    operator.neg: Functions.negative,
    operator.gt: Functions.greater,
}


def backward(output, g):
    """The gradient at everything that a Grid was computed from, by identity."""
    order, found, seen = [], {id(output): g}, set()

    def visit(grid):
        if id(grid) not in seen:
            seen.add(id(grid))
            for parent, _ in grid.links or ():
                visit(parent)
            order.append(grid)

    visit(output)
    for grid in reversed(order):
        for parent, pull in grid.links or ():
            found[id(parent)] = found.get(id(parent), 0) + pull(found[id(grid)])
    return found


def pullback(leaves, output, g):
    found = backward(output, g.data)
    return [Grid(found[id(leaf)]) if id(leaf) in found else None for leaf in leaves]


class GridBackend(BaseBackend):
    name = "gridmath"
    ops = complete(Functions)

    def vjp(self, fn, *arrays):
        leaves = [Grid(each.data, links=()) for each in arrays]
        output = fn(*leaves)
        return Grid(output.data), partial(pullback, leaves, output)


backend = GridBackend()


@hookimpl
def optshare_backend():
    return BackendDescription(
        name="gridmath",
        array_types=("gridmath.Grid",),
        load="gridmath:backend",
        capabilities=Capabilities(vjp=True, dtypes=("float32", "float64")),
    )
