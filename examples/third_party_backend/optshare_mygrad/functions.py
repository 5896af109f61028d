"""MyGrad's functions under the names of the Array API standard."""

from functools import partial, wraps
from types import SimpleNamespace

import mygrad as mg
import numpy as np
from mygrad.operation_base import BinaryUfunc, Operation

from optshare.extend import complete
from optshare_mygrad.array import Array, array, constant, plain, weak


class Extreme(Operation):
    """max or min; MyGrad's own gives the gradient to the first of equals, this one shares it."""

    def __call__(self, x, function, axis, keepdims):
        self.variables, self.axis, self.keepdims = (x,), axis, keepdims
        self.found = function(x.data, axis=axis, keepdims=True)
        return self.found if keepdims else np.squeeze(self.found, axis)

    def backward_var(self, grad, index, **kwargs):
        hits = self.variables[0].data == self.found
        grad = np.reshape(grad, self.found.shape)
        return grad * hits / np.maximum(np.sum(hits, axis=self.axis, keepdims=True), 1)


class Maximum(BinaryUfunc):
    """The larger of two; MyGrad's own loses the gradient where they are equal."""

    numpy_ufunc = np.maximum

    def backward_var(self, grad, index, **kwargs):
        mine, other = (self.variables[i].data for i in (index, 1 - index))
        return grad * ((self.numpy_ufunc(mine, other) == mine) - 0.5 * (mine == other))


class Minimum(Maximum):
    """The smaller of two."""

    numpy_ufunc = np.minimum


class Cast(Operation):
    """Another dtype; MyGrad's own `astype` ends the path of the gradient."""

    def __call__(self, x, dtype):
        self.variables = (x,)
        return x.data.astype(dtype)

    def backward_var(self, grad, index, **kwargs):
        return grad


def elementwise(function):
    """A function of MyGrad's whose positional arguments are all arrays or numbers."""

    @wraps(function)
    def call(*operands):
        return array(function(*weak(operands)))

    return call


def shaped(function):
    """A function of MyGrad's of one array, and of axes or a shape."""

    @wraps(function)
    def call(x, *args, **kwargs):
        return array(function(x, *args, **kwargs))

    return call


def fixed(function):
    """A function of NumPy's that has no derivative."""

    @wraps(function)
    def call(*args, **kwargs):
        values = map(plain, weak(args))
        z = function(*values, **{name: plain(each) for name, each in kwargs.items()})
        return constant(z) if z.dtype.kind == "f" else z

    return call


def custom(kind):
    """An operation of this module."""
    return lambda *operands: array(mg.execute_op(kind, *weak(operands)))


def extreme(function, x, *, axis=None, keepdims=False):
    return array(mg.execute_op(Extreme, x, op_args=(function, axis, keepdims)))


def clip(x, min=None, max=None):
    x = x if min is None else ops.maximum(x, min)
    return x if max is None else ops.minimum(x, max)


def where(condition, x, y):
    return array(mg.where(np.asarray(plain(condition), bool), *weak((x, y))))


def spread(function, x, *, axis=None, correction=0.0, keepdims=False):
    return array(function(x, axis=axis, ddof=correction, keepdims=keepdims))


def cumulative_sum(x, *, axis=None, include_initial=False):
    axis = 0 if axis is None else axis
    z = array(mg.cumsum(x, axis=axis))
    start = [0 * take(z, np.array([0]), axis=axis)] if include_initial else []
    return ops.concat([*start, z], axis=axis)


def joined(function, arrays, *, axis=0):
    return array(function(arrays, axis=axis))


def flip(x, *, axis=None):
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis) % x.ndim
    return tensor(x)[tuple(np.s_[:: -1 if i in axes else 1] for i in range(x.ndim))]


def take(x, indices, *, axis=0):
    return tensor(x)[(slice(None),) * (axis % x.ndim) + (plain(indices),)]


def take_along_axis(x, indices, *, axis=-1):
    grid = list(np.ogrid[tuple(map(slice, plain(indices).shape))])
    grid[axis] = plain(indices)
    return tensor(x)[tuple(grid)]


def asarray(x, *, dtype=None, device=None):
    if device not in (None, "cpu"):
        raise ValueError("MyGrad computes on the host")
    return tensor(x) if dtype is None else constant(np.asarray(plain(x), dtype))


def tensor(x):
    """Any array as an Array."""
    if isinstance(x, mg.Tensor):
        return x if isinstance(x, Array) else array(mg.positive(x))
    return constant(x)


def astype(x, dtype):
    return array(mg.execute_op(Cast, x, op_args=(dtype,)))


RENAMED = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "pow": "power",
}
ELEMENTWISE = """
    abs acos acosh add asin asinh atan atan2 atanh cos cosh divide exp expm1 log log10 log1p log2
    logaddexp multiply negative positive pow reciprocal sin sinh sqrt square subtract tan tanh
"""
SHAPED = "sum mean prod broadcast_to expand_dims roll squeeze"
FIXED = """
    all any argmax argmin ceil equal floor greater greater_equal isfinite isinf isnan less
    less_equal logical_and logical_not logical_or not_equal round sign trunc
    ones_like zeros_like full_like
"""

ops = complete(
    SimpleNamespace(
        **{name: elementwise(getattr(mg, RENAMED.get(name, name))) for name in ELEMENTWISE.split()},
        **{name: shaped(getattr(mg, name)) for name in SHAPED.split()},
        **{name: fixed(getattr(np, name)) for name in FIXED.split()},
        max=partial(extreme, np.max),
        min=partial(extreme, np.min),
        maximum=custom(Maximum),
        minimum=custom(Minimum),
        std=partial(spread, mg.std),
        var=partial(spread, mg.var),
        concat=partial(joined, mg.concatenate),
        stack=partial(joined, mg.stack),
        reshape=lambda x, shape: array(mg.reshape(x, shape)),
        permute_dims=shaped(mg.transpose),
        matrix_transpose=shaped(partial(mg.swapaxes, axis1=-1, axis2=-2)),
        matmul=elementwise(mg.matmul),
        arange=lambda *args, **kwargs: constant(np.arange(*args, **kwargs)),
        stop_gradient=lambda x: constant(x),
        clip=clip,
        where=where,
        cumulative_sum=cumulative_sum,
        flip=flip,
        take=take,
        take_along_axis=take_along_axis,
        asarray=asarray,
        astype=astype,
    )
)
