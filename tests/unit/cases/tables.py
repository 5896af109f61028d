"""The cases of HIPS autograd's tests as data: a function of a namespace like NumPy's, and shapes.

`f(n, *arrays)` is called with NumPy and with what stands for it elsewhere. Where
autograd lacks the function, `reference` says it in others.
"""

import itertools
import operator
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

REAL = (-2.0, 2.0)
UNIT = (-0.9, 0.9)
POSITIVE = (0.4, 3.0)
ABOVE = (1.2, 3.0)


class Case(NamedTuple):
    """One case; hashable, so that its reference is computed once."""

    f: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    limits: tuple[tuple[float, float], ...]
    reference: Callable[..., Any] | None = None


def case(f, *shapes, limits=REAL, reference=None):
    each = limits if isinstance(limits[0], tuple) else (limits,) * len(shapes)
    return Case(f, shapes, each, reference)


def called(name, *constants, **options):
    """A function of NumPy's, with constants after the array."""
    return lambda n, x: getattr(n, name)(x, *constants, **options)


def flat(n, parts):
    """Several arrays as one."""
    return n.concatenate([n.ravel(each) for each in parts])


MASK = np.arange(20).reshape(5, 4) % 3 == 0

# -- one array, element by element ---------------------------------------------------------

SHAPES = [(), (1,), (3,), (2, 3), (1, 2), (0,), (2, 0, 3)]

UNARY = {
    "abs": REAL,
    "absolute": REAL,
    "arccos": UNIT,
    "arccosh": ABOVE,
    "arcsin": UNIT,
    "arcsinh": REAL,
    "arctan": REAL,
    "arctanh": UNIT,
    "cos": REAL,
    "cosh": REAL,
    "deg2rad": REAL,
    "degrees": REAL,
    "exp": REAL,
    "exp2": REAL,
    "expm1": REAL,
    "fabs": REAL,
    "log": POSITIVE,
    "log10": POSITIVE,
    "log1p": POSITIVE,
    "log2": POSITIVE,
    "nan_to_num": REAL,
    "negative": REAL,
    "rad2deg": REAL,
    "radians": REAL,
    "reciprocal": POSITIVE,
    "sin": REAL,
    "sinc": POSITIVE,
    "sinh": REAL,
    "sqrt": POSITIVE,
    "square": REAL,
    "tan": (-1.1, 1.1),
    "tanh": REAL,
}
STEPS = ("ceil", "floor", "rint", "round", "sign", "trunc")
"""Constants, wherever they have a derivative."""

ELEMENTWISE = {
    f"{name} {shape}": case(called(name), shape, limits=limits)
    for name, limits in UNARY.items()
    for shape in SHAPES
}
ELEMENTWISE |= {
    f"{name} times x {shape}": case(
        lambda n, x, name=name: getattr(n, name)(x) * x, shape, limits=(0.1, 2.4)
    )
    for name in STEPS
    for shape in SHAPES
}
ELEMENTWISE["cbrt"] = case(
    called("cbrt"), (3,), limits=POSITIVE, reference=lambda n, x: n.power(x, 1 / 3)
)
ELEMENTWISE["nan_to_num beside infinities"] = case(
    lambda n, x: n.nan_to_num(x + np.array([0.0, np.nan, np.inf, -np.inf])) / 1e300, (4,)
)
ELEMENTWISE["clip"] = case(called("clip", -0.5, 1.1), (4, 5))

# -- two arrays that broadcast -------------------------------------------------------------

OPERANDS = [(), (1,), (4,), (3, 1), (1, 4), (3, 4), (2, 1, 4)]

BINARY = {
    "add": (REAL, REAL),
    "subtract": (REAL, REAL),
    "multiply": (REAL, REAL),
    "divide": (REAL, POSITIVE),
    "true_divide": (REAL, (-2.0, -0.3)),
    "power": (POSITIVE, REAL),
    "maximum": (REAL, REAL),
    "minimum": (REAL, REAL),
    "fmax": (REAL, REAL),
    "fmin": (REAL, REAL),
    "arctan2": (REAL, POSITIVE),
    "hypot": (POSITIVE, REAL),
    "logaddexp": (REAL, REAL),
    "logaddexp2": (REAL, REAL),
    "remainder": (UNIT, (1.0, 1.9)),
    "mod": (REAL, (-2.0, -0.3)),
}
OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "%": operator.mod,
}


def _between(function, n, x, y):
    return function(x, y)


PAIRS = {
    f"{name} {one} {other}": case(
        lambda n, x, y, name=name: getattr(n, name)(x, y), one, other, limits=limits
    )
    for name, limits in BINARY.items()
    for one, other in itertools.product(OPERANDS, OPERANDS)
}
PAIRS |= {
    f"x {name} y {one} {other}": case(
        partial(_between, function), one, other, limits=(POSITIVE, POSITIVE)
    )
    for name, function in OPERATORS.items()
    for one, other in itertools.product(OPERANDS, OPERANDS)
}
PAIRS |= {
    "fmod": case(
        lambda n, x, y: n.fmod(x, y),
        (3, 4),
        (4,),
        limits=(POSITIVE, POSITIVE),
        reference=lambda n, x, y: n.mod(x, y),
    ),
    "copysign": case(
        lambda n, x, y: n.copysign(x, y),
        (3, 4),
        (4,),
        reference=lambda n, x, y: n.abs(x) * n.sign(y),
    ),
    "where": case(
        lambda n, x, y: n.where(np.arange(20).reshape(4, 5) % 3 > 0, x, y), (4, 5), (4, 5)
    ),
    "select": case(
        lambda n, x, y: n.select([np.arange(4) < 1, np.arange(4) < 3], [x, y], default=0.5),
        (4,),
        (4,),
        reference=lambda n, x, y: n.where(
            np.arange(4) < 1, x, n.where(np.arange(4) < 3, y, 0.5 + 0 * x)
        ),
    ),
}

# -- reductions and scans ------------------------------------------------------------------


def _axes(ndim):
    """None, each axis from both ends, each pair and all."""
    pairs = [(i, j) for i in range(ndim) for j in range(ndim) if i != j]
    return [None, *range(-ndim, ndim), *pairs, *([tuple(range(ndim))] if ndim > 2 else [])]


STATISTICS = ("max", "mean", "min", "prod", "std", "sum", "var", "amax", "amin")
REDUCED = [(3,), (1, 3), (2, 3), (2, 3, 4)]

REDUCTIONS = {
    f"{name} {shape} axis={axis} keepdims={keepdims}": case(
        called(name, axis=axis, keepdims=keepdims), shape, limits=POSITIVE
    )
    for name in STATISTICS
    for shape in REDUCED
    for axis in _axes(len(shape))
    for keepdims in (False, True)
    if not (name == "std" and axis in (0, -2) and shape == (1, 3))
}
REDUCTIONS |= {
    f"{name} of a number": case(called(name), ()) for name in ("max", "mean", "prod", "sum")
}
REDUCTIONS |= {
    f"{name} {shape} ddof={ddof}": case(called(name, axis=-1, ddof=ddof), shape)
    for name in ("var", "std")
    for shape in [(3,), (3, 4)]
    for ddof in (0, 1, 2)
}
REDUCTIONS |= {
    f"{name} of nothing": case(called(name, axis=axis), (0, 3), limits=POSITIVE)
    for name, axis in (("sum", 0), ("sum", None), ("sum", 1), ("mean", 1), ("var", 1))
}
REDUCTIONS |= {
    f"cumsum {shape} axis={axis}": case(called("cumsum", axis=axis), shape)
    for shape in REDUCED
    for axis in (None, *range(-len(shape), len(shape)))
}
REDUCTIONS |= {
    f"cumprod of {size}": case(
        called("cumprod"),
        (size,),
        reference=lambda n, x: n.array([n.prod(x[: i + 1]) for i in range(len(x))]),
    )
    for size in (1, 2, 5, 8)
}
REDUCTIONS["cumprod axis=0"] = case(
    called("cumprod", axis=0),
    (3, 2),
    reference=lambda n, x: n.stack([x[0], x[0] * x[1], x[0] * x[1] * x[2]]),
)

# -- indexing ------------------------------------------------------------------------------

BOX = (5, 6, 4)
INDICES = {
    "[3]": 3,
    "[-2]": -2,
    "[3, 0, 1]": (3, 0, 1),
    "[numpy integer]": np.int64(2),
    "[::-1, 2:4, :]": (slice(None, None, -1), slice(2, 4), slice(None)),
    "[1:1]": slice(1, 1),
    "[4:0:-2, ..., ::2]": (slice(4, 0, -2), ..., slice(None, None, 2)),
    "[...]": ...,
    "[None]": None,
    "[..., None, 0]": (..., None, 0),
    "[:, None, 1:, None]": (slice(None), None, slice(1, None), None),
    "[[0, 1, 2], :, :]": ([0, 1, 2], slice(None), slice(None)),
    "[[0, 0, 0]]": [0, 0, 0],
    "[[0, 1, 0], 2]": ([0, 1, 0], 2),
    "[3, 2:, [1, 3]]": (3, slice(2, None), [1, 3]),
    "[[1, 3], 2:, [1, 3]]": ([1, 3], slice(2, None), [1, 3]),
    "[[[0, 1], [1, 0]]]": np.array([[0, 1], [1, 0]]),
    "[column, row]": (np.array([[0], [2], [0]]), np.array([1, 1, 5])),
    "[-1 and 4]": [-1, 4, -1],
    "[mask of the first axis]": np.array([True, False, True, True, False]),
    "[mask of two axes]": np.arange(30).reshape(5, 6) % 4 == 0,
    "[mask of all axes]": np.arange(120).reshape(BOX) % 7 == 0,
    "[:, mask]": (slice(None), np.array([True, False, False, True, True, False])),
    "[mask, list]": (np.array([True, False, True, False, False]), [1, 2]),
    "[empty list]": np.array([], int),
    "[mask of nothing]": np.zeros(5, bool),
    "[tuple of arrays]": np.nonzero(np.arange(30).reshape(5, 6) % 4 == 0),
}
INDEXING = {name: case(lambda n, x, index=index: x[index], BOX) for name, index in INDICES.items()}
INDEXING |= {
    "two overlapping slices": case(lambda n, x: x[::-1, 2:4] + x[::-1, 3:5], BOX),
    "a slice of a slice": case(lambda n, x: x[1:5][1:3] * x[0], BOX),
    "the product of two slices": case(lambda n, x: n.dot(x[:2], x[2:]), (4,)),
    "an element of a vector": case(lambda n, x: x[1] * x[-1], (3,)),
    "the rows, one by one": case(lambda n, x: sum(row * row[0] for row in x), (3, 4)),
    "an index of a number": case(
        lambda n, x: x[()] * x[None], (), reference=lambda n, x: n.reshape(x * x, (1,))
    ),
    "take": case(
        called("take", np.array([[0, 2], [2, 2]]), axis=1),
        BOX,
        reference=lambda n, x: x[:, np.array([[0, 2], [2, 2]])],
    ),
    "take flattened": case(
        called("take", np.array([7, 0, 7])), BOX, reference=lambda n, x: n.ravel(x)[[7, 0, 7]]
    ),
    "take_along_axis": case(
        called("take_along_axis", np.array([[2, 0], [1, 1]]), 1),
        (2, 3),
        reference=lambda n, x: x[np.array([[0], [1]]), np.array([[2, 0], [1, 1]])],
    ),
}

# -- shapes --------------------------------------------------------------------------------

ARRANGED = {
    **{
        f"transpose {axes}": case(called("transpose", axes=axes), (2, 3, 4))
        for axes in [None, *itertools.permutations(range(3))]
    },
    "transpose from the end": case(
        called("transpose", (-1, 0, 1)), (2, 3, 4), reference=called("transpose", (2, 0, 1))
    ),
    **{
        f"moveaxis {one} {other}": case(called("moveaxis", one, other), (2, 3, 4))
        for one, other in [
            *itertools.product((0, 1, 2, -1), repeat=2),
            ((0, 1), (2, 0)),
            ([-1, 0], [0, 1]),
        ]
    },
    **{
        f"swapaxes {one} {other}": case(called("swapaxes", one, other), (3, 4, 5))
        for one, other in itertools.product((0, 1, 2, -1), repeat=2)
    },
    **{
        f"rollaxis {axis} {start}": case(called("rollaxis", axis, start), (2, 3, 4))
        for axis, start in itertools.product((0, 1, 2), repeat=2)
    },
    **{
        f"repeat {shape} {repeats} {axis}": case(called("repeat", repeats, axis), shape)
        for shape in [(2, 3, 4), (3, 1)]
        for repeats in (0, 1, 2)
        for axis in (None, 0, 1)
        if repeats  # autograd's second derivative of nothing fails
    },
    "repeat nothing": case(called("repeat", 0, axis=1), (2, 3), reference=lambda n, x: x[:, :0]),
    "repeat by counts": case(
        called("repeat", [2, 0, 3], axis=0),
        (3, 4),
        reference=lambda n, x: x[np.array([0, 0, 2, 2, 2])],
    ),
    **{
        f"tile {shape} {reps}": case(called("tile", reps), shape)
        for shape, reps in [
            ((2, 1, 3, 1), (1, 4, 1, 2)),
            ((1, 2), (1, 2)),
            ((1, 2), (2, 3)),
            ((1,), (2,)),
            ((1,), 2),
            ((3,), 2),
        ]
    },
    "tile with more axes": case(
        called("tile", (3, 2, 1)),
        (2, 3),
        reference=lambda n, x: n.stack([n.concatenate([x, x])] * 3),
    ),
    "tile with fewer axes": case(
        called("tile", 2), (2, 3), reference=lambda n, x: n.concatenate([x, x], axis=1)
    ),
    **{
        f"diff {shape} {order} {axis}": case(called("diff", n=order, axis=axis), shape)
        for shape in [(5, 5), (5, 5, 5)]
        for order in (1, 2)
        for axis in (0, 1)
    },
    "diff of one": case(called("diff", axis=0), (1,), reference=lambda n, x: x[:0]),
    "diff with ends": case(
        called("diff", prepend=0.0, append=np.ones((2, 2))),
        (2, 3),
        reference=lambda n, x: (
            n.concatenate([x, np.ones((2, 2))], axis=1)
            - n.concatenate([np.zeros((2, 1)), x, np.ones((2, 1))], axis=1)
        ),
    ),
    **{
        f"gradient {shape} {axis}": case(
            lambda n, x, axis=axis: (
                n.gradient(x, axis=axis)
                if isinstance(axis, int)
                else flat(n, list(n.gradient(x, axis=axis)))
            ),
            shape,
        )
        for shape in [(5, 5), (5, 5, 5)]
        for axis in (None, 0, 1, -1, (0, 1), (0, -1))
    },
    **{
        f"reshape {shape}": case(called("reshape", shape), (2, 3, 4))
        for shape in [(6, 4), (-1,), 24, (4, -1, 2)]
    },
    "reshape to no axes": case(called("reshape", ()), (1, 1)),
    "ravel": case(called("ravel"), (2, 3)),
    "flatten, a method": case(lambda n, x: x.flatten(), (2, 3)),
    "reshape, a method": case(lambda n, x: x.reshape(3, 2) * x.reshape((3, 2)), (2, 3)),
    "T": case(lambda n, x: x.T, (2, 3)),
    "expand_dims": case(called("expand_dims", 2), (5, 1, 4)),
    "squeeze": case(called("squeeze"), (5, 1, 4)),
    "squeeze an axis": case(called("squeeze", axis=1), (5, 1, 1)),
    "broadcast_to": case(called("broadcast_to", (3, 4)), (3, 1)),
    "broadcast_to more axes": case(
        called("broadcast_to", (2, 3, 4)), (3, 1), reference=lambda n, x: x + np.zeros((2, 3, 4))
    ),
    "roll": case(called("roll", 2, axis=1), (4, 5)),
    "roll flattened": case(called("roll", -3), (4, 5)),
    "flipud": case(called("flipud"), (3, 4)),
    "fliplr": case(called("fliplr"), (3, 4)),
    "flip": case(called("flip", 1), (3, 4), reference=lambda n, x: x[:, ::-1]),
    **{f"rot90 {k}": case(called("rot90", k), (3, 4)) for k in (-1, 0, 1, 2, 3, 5)},
    **{
        f"atleast_{axes}d {shape}": case(called(f"atleast_{axes}d"), shape)
        for axes in (1, 2, 3)
        for shape in [(), (1,), (7,), (1, 4), (2, 4), (2, 4, 5), (2, 4, 3, 5)]
    },
    **{
        f"pad {widths}": case(
            called("pad", widths, "constant"),
            (2, 2),
        )
        for widths in [0, 3, (3,), (3, 2), ((3, 2),), ((1, 2), (3, 4)), ((0, 0), (0, 0))]
    },
    "pad with a number": case(
        called("pad", ((0, 1), (2, 0)), "constant", constant_values=1.5), (2, 2)
    ),
    **{
        f"pad by {mode}": case(
            called("pad", ((1, 2), (0, 1)), mode),
            (4, 3),
            reference=lambda n, x, mode=mode: x[
                np.pad(np.arange(4), (1, 2), mode=mode)[:, None],
                np.pad(np.arange(3), (0, 1), mode=mode),
            ],
        )
        for mode in ("edge", "reflect", "symmetric", "wrap")
    },
    **{
        f"{name} {shape} {places} {axis}": case(
            lambda n, x, name=name, places=places, axis=axis: flat(
                n, getattr(n, name)(x, places, axis)
            ),
            shape,
        )
        for name, shape, places, axis in [
            ("split", (7,), 1, 0),
            ("split", (4, 8), 4, 0),
            ("split", (4, 8), 4, 1),
            ("split", (4, 8), [1, 2], 1),
            ("split", (4, 4, 4), [1, 2], 2),
            ("array_split", (7,), 3, 0),
            ("array_split", (7, 7), 4, 1),
            ("array_split", (7, 7, 7), [3, 5], 0),
        ]
    },
    **{
        f"{name} {shape} {places}": case(
            lambda n, x, name=name, places=places: flat(n, getattr(n, name)(x, places)), shape
        )
        for name, shape in [
            ("vsplit", (4, 8)),
            ("hsplit", (4, 8)),
            ("dsplit", (4, 4, 4)),
        ]
        for places in (2, [1, 2])
    },
    "hsplit of a vector": case(
        lambda n, x: flat(n, n.hsplit(x, [1, 5])[::2]),
        (8,),
        reference=lambda n, x: n.concatenate([x[:1], x[5:]]),
    ),
    "unstack": case(
        lambda n, x: flat(n, n.unstack(x, axis=1)),
        (2, 3, 4),
        reference=lambda n, x: n.ravel(n.swapaxes(x, 0, 1)),
    ),
    "broadcast_arrays": case(
        lambda n, x: n.stack(n.broadcast_arrays(x, x[:, :1])),
        (2, 3),
        reference=lambda n, x: n.stack([x, x[:, :1] + 0 * x]),
    ),
    "astype": case(lambda n, x: x.astype(np.float64), (3,)),
}

JOINED = {
    "concatenate": case(lambda n, x, y: n.concatenate((x, y)), (1,), (3,)),
    **{
        f"concatenate {shape} {axis}": case(
            lambda n, x, y, axis=axis: n.concatenate([x, y, x], axis=axis), shape, shape
        )
        for shape in [(2, 2), (2, 2, 2)]
        for axis in range(-len(shape), len(shape))
    },
    "vstack of vectors": case(lambda n, x, y: n.vstack((x, y)), (2,), (2,)),
    "vstack of matrices": case(lambda n, x, y: n.vstack([x, y]), (2, 4), (1, 4)),
    "vstack": case(lambda n, x, y: n.vstack([x, y]), (2, 3, 4), (5, 3, 4)),
    "hstack of vectors": case(lambda n, x, y: n.hstack((x, y)), (2,), (2,)),
    "hstack of matrices": case(lambda n, x, y: n.hstack([x, y]), (3, 4), (3, 5)),
    "hstack": case(lambda n, x, y: n.hstack([x, y]), (2, 1, 4), (2, 5, 4)),
    **{
        f"dstack {shape}": case(
            lambda n, x, y: n.dstack([x, y]),
            shape,
            shape,
            reference=lambda n, x, y: n.concatenate([n.atleast_3d(x), n.atleast_3d(y)], axis=2),
        )
        for shape in [(2,), (2, 3), (2, 3, 1)]
    },
    "column_stack of vectors": case(lambda n, x, y: n.column_stack((x, y)), (2,), (2,)),
    "column_stack": case(lambda n, x, y: n.column_stack([x, y]), (2, 2), (2, 1)),
    **{
        f"stack {axis}": case(lambda n, x, y, axis=axis: n.stack((x, y), axis=axis), (2, 3), (2, 3))
        for axis in (0, 1, -1)
    },
    "stack of numbers": case(lambda n, x, y: n.stack([x, y, x]), (), ()),
    "append": case(lambda n, x, y: n.append(x, y), (3,), (1,)),
    "append flattened": case(lambda n, x, y: n.append(x, y), (2, 3), (2,)),
    "append rows": case(lambda n, x, y: n.append(x, y, axis=0), (2, 3), (1, 3)),
}

# -- products ------------------------------------------------------------------------------

PRODUCTS = {
    **{
        f"dot {one} {other}": case(lambda n, x, y: n.dot(x, y), one, other)
        for one, other in [
            ((), (3,)),
            ((3,), ()),
            ((2, 3), ()),
            ((3,), (3,)),
            ((3,), (3, 4)),
            ((2, 3), (3,)),
            ((2, 3), (3, 4)),
            ((2, 2, 3), (3,)),
            ((2, 2, 3), (3, 4)),
        ]
    },
    **{
        f"matmul {one} {other}": case(lambda n, x, y: n.matmul(x, y), one, other)
        for one, other in [
            *itertools.product([(3,), (2, 3), (2, 2, 3)], [(3,), (3, 4), (2, 3, 4)]),
            ((1, 2, 2), (3, 2, 1)),
            ((2, 1, 4, 3), (5, 3, 2)),
        ]
    },
    **{
        f"inner {one} {other}": case(lambda n, x, y: n.inner(x, y), one, other)
        for one, other in itertools.product([(), (3,), (2, 3)], [(), (3,), (4, 3)])
    },
    "outer": case(lambda n, x, y: n.outer(x, y), (3,), (4,)),
    "outer of matrices": case(
        lambda n, x, y: n.outer(x, y),
        (3, 2),
        (4,),
        reference=lambda n, x, y: n.ravel(x)[:, None] * y,
    ),
    "vdot": case(
        lambda n, x, y: n.vdot(x, y),
        (2, 3),
        (3, 2),
        reference=lambda n, x, y: n.dot(n.ravel(x), n.ravel(y)),
    ),
    **{
        f"kron {one} {other}": case(lambda n, x, y: n.kron(x, y), one, other)
        for one, other in itertools.product([(2, 3), (3,), (3, 1), (1, 3)], [(3, 2), (2,), (1, 2)])
        if (len(one), len(other)) != (1, 2)
    },
    "kron of a vector and a matrix": case(
        lambda n, x, y: n.kron(x, y), (3,), (2, 2), reference=lambda n, x, y: n.kron(x[None], y)
    ),
    "kron of a number": case(
        lambda n, x, y: n.kron(x, y), (), (2, 2), reference=lambda n, x, y: x * y
    ),
    **{
        f"cross {options}": case(
            lambda n, x, y, options=options: n.cross(x, y, **options),
            (3, 3),
            (3, 3),
        )
        for options in [
            *(
                {"axisa": a, "axisb": b, "axisc": c}
                for a, b, c in [(-1, 0, 1), (0, 0, 0), (1, 1, -1), (-1, -1, 0)]
            ),
            {"axis": 0},
            {"axis": 1},
            {},
        ]
    },
    **{
        f"tensordot {one} {other} {axes}": case(
            lambda n, x, y, axes=axes: n.tensordot(x, y, axes), one, other
        )
        for one, other, axes in [
            ((1, 3), (3,), ((1,), (0,))),
            ((2, 3, 2), (3, 1), ((1,), (0,))),
            ((2, 3, 2), (3, 4, 2), ((1,), (0,))),
            ((3, 4, 2), (2, 3, 2), ((0,), (1,))),
            ((2, 3), (1, 2, 3), ((0, 1), (1, 2))),
            ((2, 3, 4), (2, 2, 3, 4), ((0, 1), (1, 2))),
            ((2, 2), (2, 2, 4), 1),
            ((4, 2, 2), (2, 2), 2),
            ((2, 6), (6, 3), ([-1], [0])),
            ((2, 6), (6, 3), (-1, 0)),
            ((2,), (2, 2), (0, 1)),
            ((4,), (3,), 0),
        ]
    },
}

MATRICES = {
    **{
        f"trace {shape} {offset}": case(called("trace", offset=offset), shape)
        for shape in [(5, 5), (4, 5), (5, 4), (3, 4, 5)]
        for offset in (-1, 0, 1)
    },
    "trace of other axes": case(
        called("trace", axis1=-1, axis2=0),
        (3, 2, 4),
        reference=lambda n, x: sum(x[i, :, i] for i in range(3)),
    ),
    **{f"diag {k}": case(called("diag", k=k), (5, 5)) for k in (-1, 0, 1)},
    **{f"diag of a vector {k}": case(called("diag", k=k), (5,)) for k in (-1, 0, 1)},
    "diagonal": case(called("diagonal", axis1=-1, axis2=-2), (3, 4, 4)),
    **{
        f"diagonal {offset}": case(
            called("diagonal", offset),
            (3, 5),
            reference=lambda n, x, offset=offset: x[np.nonzero(np.eye(3, 5, offset))],
        )
        for offset in (-4, -2, 0, 3, 5)
    },
    **{
        f"{name} {shape} {k}": case(called(name, k=k), shape)
        for name in ("tril", "triu")
        for shape in [(5, 5), (5, 5, 4)]
        for k in (-1, 0, 1)
    },
    "norm": case(lambda n, x: n.linalg.norm(x), (3, 4)),
    "norm of rows": case(lambda n, x: n.linalg.norm(x, axis=1), (3, 4)),
    "norm of matrices": case(lambda n, x: n.linalg.norm(x, axis=(0, 2)), (3, 4, 2)),
    "Frobenius' norm": case(lambda n, x: n.linalg.norm(x, "fro"), (3, 4)),
    "norm of the order 3": case(lambda n, x: n.linalg.norm(x, 3, axis=0), (3, 4)),
    "norm of the order 1": case(
        lambda n, x: n.linalg.norm(x, 1, axis=0), (3, 4), reference=lambda n, x: n.sum(n.abs(x), 0)
    ),
    "norm of the order infinity": case(
        lambda n, x: n.linalg.norm(x, np.inf), (4,), reference=lambda n, x: n.max(n.abs(x))
    ),
    "vector_norm": case(
        lambda n, x: n.linalg.vector_norm(x, axis=(0, 1), keepdims=True),
        (3, 4),
        reference=lambda n, x: n.sqrt(n.sum(x * x, keepdims=True)),
    ),
    "sort": case(called("sort"), (7,)),
    "sort along an axis": case(
        called("sort", axis=0),
        (3, 2),
        reference=lambda n, x: n.stack([n.sort(x[:, 0]), n.sort(x[:, 1])], axis=1),
    ),
    **{
        f"partition {size} {kth}": case(called("partition", kth), (size,))
        for size in (7, 14)
        for kth in (0, 3, 6)
    },
    "linspace": case(
        lambda n, x: n.linspace(x, 2.0, 5),
        (),
        reference=lambda n, x: x + (2 - x) * np.arange(5) / 4,
    ),
    "linspace of arrays": case(
        lambda n, x: n.linspace(x, 2 * x, 4, endpoint=False),
        (2, 3),
        reference=lambda n, x: n.stack([x * (1 + i / 4) for i in range(4)]),
    ),
}

# -- Einstein's summation ------------------------------------------------------------------


PLACES = np.arange(4)


def _einsum(subscripts):
    return lambda n, *arrays: n.einsum(subscripts, *arrays)


_SUMS = [
    ("ij->ji", (3, 4)),
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("...ij,...jk->...ik", (2, 3), (3, 4)),
    ("...ij,...jk->...ik", (2, 2, 3), (3, 4)),
    ("...ij,...jk->...ik", (2, 3), (2, 3, 4)),
    ("...ij,...jk->...ik", (2, 2, 3), (2, 3, 4)),
    ("...ij,...jk->...ik", (0, 2, 3), (0, 3, 4)),
    ("ijk,lji->lki", (3, 4, 4), (4, 4, 3)),
    ("...jk,...lj->...lk", (4, 4), (3, 4, 4)),
    ("...,...->...", (3, 4, 4), (4, 4)),
    ("jk...,lj...->lk...", (3, 2), (2, 3)),
    ("j...k,lj...->lk...", (2, 2), (2, 2)),
    ("j...k,lj...->lk...", (2, 2, 2), (2, 2, 2)),
    ("k,nk->", (5,), (10, 5)),
    ("abcd->bd", (3, 2, 3, 2)),
    ("...k,...nk->...", (3, 5), (3, 10, 5)),
    ("ij,k", (3, 4), (3,)),
    ("ij,jk", (3, 4), (4, 2)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("i->", (3,)),
    (",ij->i", (), (2, 3)),
]
EINSUM = {
    f"{subscripts} {shapes}": case(_einsum(subscripts), *shapes) for subscripts, *shapes in _SUMS
}
EINSUM |= {
    "ijk,lji,lli->lki": case(
        _einsum("ijk,lji,lli->lki"),
        (3, 4, 4),
        (4, 4, 3),
        (4, 4, 3),
        reference=lambda n, x, y, z: n.einsum(
            "ijk,lji,li->lki", x, y, z[np.arange(4), np.arange(4)]
        ),
    ),
    "ii->i": case(_einsum("ii->i"), (3, 3), reference=lambda n, x: x[np.arange(3), np.arange(3)]),
    "ii": case(_einsum("ii"), (3, 3), reference=lambda n, x: n.trace(x)),
    "iij,j->i": case(
        _einsum("iij,j->i"),
        (4, 4, 2),
        (2,),
        reference=lambda n, x, y: n.dot(x[PLACES, PLACES], y),
    ),
    "iii->i": case(
        _einsum("iii->i"),
        (2, 2, 2),
        reference=lambda n, x: x[np.arange(2), np.arange(2), np.arange(2)],
    ),
    "iijj->ij": case(
        _einsum("iijj->ij"),
        (2, 2, 3, 3),
        reference=lambda n, x: x[
            np.arange(2)[:, None], np.arange(2)[:, None], np.arange(3), np.arange(3)
        ],
    ),
    "ij,j->i, an axis of 1": case(
        _einsum("ij,j->i"), (2, 1), (3,), reference=lambda n, x, y: x[:, 0] * n.sum(y)
    ),
    "...i,...j->...ij, axes of 1": case(
        _einsum("...i,...j->...ij"),
        (3, 1, 2),
        (4, 2),
        reference=lambda n, x, y: x[..., :, None] * y[..., None, :],
    ),
    "numbers for letters": case(
        lambda n, x, y: n.einsum(x, [0, 1], y, [1, 2], [0, 2]), (2, 3), (3, 4)
    ),
    "numbers and an ellipsis": case(
        lambda n, x, y: n.einsum(x, [..., 0, 1], y, [..., 1, 2], [..., 0, 2]), (2, 2, 3), (2, 3, 4)
    ),
}

TABLES = {
    "elementwise": ELEMENTWISE,
    "pairs": PAIRS,
    "reductions": REDUCTIONS,
    "indexing": INDEXING,
    "arranged": ARRANGED,
    "joined": JOINED,
    "products": PRODUCTS,
    "matrices": MATRICES,
    "einsum": EINSUM,
}
