"""Backends with one fault each, over the functional engine, and the checks that must see it."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from optshare.extend import (
    BackendDescription,
    BaseBackend,
    Capabilities,
    Overlay,
    Parameter,
    UnreachedParametersError,
    complete,
    current_overlay,
    require_scalar,
)
from optshare_arrays import (
    Primitive,
    Scope,
    convolution,
    indexing,
    namespace,
    neural,
    plain,
    reductions,
    vjp,
)
from optshare_arrays.broadcasting import fitted
from optshare_arrays.elementwise import add, exp, maximum, minimum, multiply
from optshare_arrays.nodes import SEQUENCE, Leaf, recorded
from optshare_functional.backend import FunctionalBackend
from optshare_functional.trace import Tracer

DTYPES = ("float16", "float32", "float64", "complex64", "complex128")
DECLARED: dict[str, Any] = {
    "vjp": True,
    "higher_order": True,
    "inplace": True,
    "complex": True,
    "dtypes": DTYPES,
}
PLAIN = "numpy.ndarray", "numpy.generic"
TRACED = "optshare_functional.trace.Tracer"
HOME = "optshare_mutants"
"""The module in which the tests put a mutant, for the registry to load it from."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A backend with one fault."""

    name: str
    fault: str
    caught_by: tuple[str, ...]
    """Ids of checks that fail on it, at the lowest level that fails."""
    missing: str
    """Where nothing catches it: the check that should exist."""
    engine: type
    description: BackendDescription


MUTANTS: list[Mutant] = []


def described(name: str, engine: type, *, claims: tuple[str, ...] = (), **declared: Any) -> Any:
    return BackendDescription(
        name=name,
        array_types=claims or (*PLAIN, TRACED),
        load=f"{HOME}:{engine.__name__}",
        capabilities=Capabilities(**{**DECLARED, **declared}),
    )


def mutant(name: str, fault: str, *caught_by: str, missing: str = "", **described_as: Any) -> Any:
    """Enter a class in the list: its name as a backend, its fault, the ids that catch it."""

    def register(engine: Any) -> Any:
        if "name" not in vars(engine):
            engine.name = name
        description = described(name, engine, **described_as)
        MUTANTS.append(
            Mutant(
                name=name,
                fault=fault,
                caught_by=caught_by,
                missing=missing,
                engine=engine,
                description=description,
            )
        )
        return engine

    return register


# -- the sound engine, with the joints at which the mutants break it ---------------------------


class Joint(Scope):
    """A differentiation with other primitives for some, and another way to join cotangents."""

    def __init__(self, instead: dict[Primitive, Primitive], join: Callable[..., Any]) -> None:
        super().__init__(Tracer)
        self.instead, self.join = instead, join

    def record(self, primitive: Any, args: Any, kwargs: Any) -> Any:
        return super().record(self.instead.get(primitive, primitive), args, kwargs)

    def record_one(self, primitive: Any, x: Any) -> Any:
        return super().record_one(self.instead.get(primitive, primitive), x)

    def record_pair(self, primitive: Any, *operands: Any) -> Any:
        return super().record_pair(self.instead.get(primitive, primitive), *operands)

    def pull(self, output: Any, seed: Any, *, free: bool, again: bool = False) -> dict[Any, Any]:
        nodes, leaves = recorded(output.node), {}
        found: dict[int, Any] = {output.node[SEQUENCE]: seed}
        for sequence in sorted(nodes, reverse=True):
            if sequence not in found:
                continue
            g = found.pop(sequence)
            _, _, _, plan, parents, inputs, kwargs, answer = nodes[sequence]
            if isinstance(plan, Leaf):
                leaves[plan] = g
                continue
            pull = plan.pull or one_by_one(plan)
            pulled = pull(plan.places, g, answer, inputs, kwargs)
            for (key, shape, dtype, *_), each in zip(parents, pulled, strict=True):
                if each is not None:
                    each = fitted(each, shape, dtype)
                    found[key] = self.join(found[key], each) if key in found else each
        return leaves


def one_by_one(plan: Any) -> Callable[..., list[Any]]:
    def pull(places: Any, g: Any, answer: Any, inputs: Any, kwargs: Any) -> list[Any]:
        return [vjp(g, answer, *inputs, **kwargs) for vjp in plan.vjps]

    return pull


class Sound(FunctionalBackend):
    """The functional engine, whole."""

    name = "sound"
    instead: ClassVar[dict[Primitive, Primitive]] = {}

    def join(self, before: Any, g: Any) -> Any:
        return before + g

    def vjp(self, fn: Any, *arrays: Any) -> Any:
        return vjp(Joint(self.instead, self.join), fn, *arrays, free=False)


class Afterwards(Sound):
    """Changes each gradient when it is there."""

    def changed(self, key: Any, g: Any) -> Any:
        return g

    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        value, found = super().gradient(fn, keys, *args)
        pairs = zip(keys, found, strict=True)
        return value, [None if g is None else self.changed(key, g) for key, g in pairs]


class Around(Sound):
    """Calls the function in a way of its own."""

    def called(self, fn: Any, *args: Any) -> Any:
        return fn(*args)

    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        return super().gradient(lambda *given: self.called(fn, *given), keys, *args)


class Unowned(Sound):
    """Leaves shapes, dtypes and memory of cotangents to the primitives."""

    def vjp(self, fn: Any, *arrays: Any) -> Any:
        here = Joint(self.instead, self.join)
        leaves = [here.leaf(each) for each in arrays]
        output = fn(*leaves)
        here.closed = True
        if not here.owns(output):
            return output, lambda g: [None] * len(arrays)
        return output.value, lambda g: here.pull(output, np.asarray(g), leaves)


class Noting(Overlay):
    """Knows whether a Parameter was read, though it binds none."""

    def read(self, box: Any) -> Any:
        self.was_read = True
        return super().read(box)


class Swapping(Sound):
    """Puts the tracked values into the Parameters themselves."""

    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        before = [key.stored for key in keys]

        def bound(*tracked: Any) -> Any:
            self.put(keys, tracked)
            value = fn(*args)
            require_scalar(value)
            return value

        detach = self.detacher()
        with Noting(detach) as here:
            value, pullback = self.guarded(bound, keys, before)
            if keys and not here.was_read:
                raise UnreachedParametersError("the function read none of its parameters")
            return detach(value), [g if g is None else detach(g) for g in pullback(1.0)]

    @staticmethod
    def put(keys: Any, arrays: Any) -> None:
        for key, array in zip(keys, arrays, strict=True):
            key.stored = array

    def guarded(self, bound: Any, keys: Any, before: Any) -> Any:
        try:
            return self.vjp(bound, *before)
        finally:
            self.put(keys, before)


def functions(nn: Any = None, random: Any = None, **instead: Any) -> Any:
    """The functional engine's `ops`, with others in the place of some."""
    return complete(
        SimpleNamespace(**{**vars(namespace), **instead}),
        nn=SimpleNamespace(**{**vars(neural), **(nn or {})}),
        random=SimpleNamespace(**(random or {})),
    )


# -- level 0: what it says of itself -----------------------------------------------------------


@mutant("wrong_name", "the backend has another name than its description", "manifest.name")
class WrongName(Sound):
    name = "another"


@mutant("no_vjp", "vjp is declared, but there is none", "manifest.declares.vjp")
class NoVjp(Sound):
    vjp: Any = None

    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        return Sound().gradient(fn, keys, *args)


@mutant("base_vjp", "vjp is declared, but it is the base's, which refuses", "manifest.declares.vjp")
class BaseVjp(NoVjp):
    vjp = BaseBackend.vjp


@mutant(
    "base_compiled",
    "jit is declared, but compiled is the base's, which refuses",
    "manifest.declares.jit",
    jit=True,
)
class BaseCompiled(Sound):
    pass


@mutant(
    "base_record",
    "accumulates_grad is declared, but record is the base's, which refuses",
    "manifest.declares.accumulates_grad",
    accumulates_grad=True,
)
class BaseRecord(Sound):
    pass


@mutant(
    "idle_record",
    "accumulates_grad is declared, but record tracks nothing",
    missing="record.backward",
    accumulates_grad=True,
)
class IdleRecord(Sound):
    def record(self) -> Overlay:
        return Overlay(self.detacher())


@mutant(
    "no_complex",
    "complex is declared, but complex arrays are refused",
    "complex.modulus",
    "complex.vjp",
)
class NoComplex(Sound):
    def vjp(self, fn: Any, *arrays: Any) -> Any:
        if any(each.dtype.kind == "c" for each in arrays):
            self.lacks("complex")
        return super().vjp(fn, *arrays)


@mutant(
    "other_convention",
    "gradients of complex arrays are the conjugates of those wanted",
    "complex.modulus",
    "complex.holomorphic",
)
class OtherConvention(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return g.conj() if g.dtype.kind == "c" else g


@mutant(
    "wrong_undeclared",
    "complex is not declared, and complex gradients are wrong in silence",
    "complex.refused",
    complex=False,
)
class WrongUndeclared(OtherConvention):
    name = "wrong_undeclared"


@mutant(
    "conjugated_twice",
    "the pullback conjugates its cotangent, and not its results",
    "complex.vjp",
)
class ConjugatedTwice(Sound):
    def vjp(self, fn: Any, *arrays: Any) -> Any:
        value, pullback = super().vjp(fn, *arrays)
        return value, lambda g: pullback(np.conj(g))


@mutant(
    "claims_nothing",
    "it does not claim the arrays that its ops makes",
    "manifest.claims",
    claims=("acme.Array",),
)
class ClaimsNothing(Sound):
    pass


@mutant(
    "tracked_unclaimed",
    "its tracked type is not claimed",
    "loss.nll",
    "loss.mse",
    "layer.chain",
    "layer.dropout",
    claims=PLAIN,
)
class TrackedUnclaimed(Sound):
    pass


@mutant(
    "narrowing_asarray",
    "asarray makes everything float32",
    "manifest.dtype.float16",
    "manifest.dtype.float64",
)
class NarrowingAsarray(Sound):
    ops = functions(asarray=lambda x, dtype=None, **kwargs: np.asarray(x, np.float32))


@mutant("no_ones_like", "ops has no ones_like", "manifest.functions.ones_like")
class NoOnesLike(Sound):
    ops = functions(ones_like=None)


# -- level 1: parameters -----------------------------------------------------------------------


@mutant("aliases_dropped", "params gives each key once", "params.ties", "params.copies")
class AliasesDropped(Sound):
    def params(self, model: Any) -> Any:
        once = {id(key): (path, key) for path, key in reversed(super().params(model))}
        return list(reversed(once.values()))


@mutant("ties_cut", "a key at two paths is two keys", "params.ties", "params.copies")
class TiesCut(Sound):
    def params(self, model: Any) -> Any:
        seen: set[int] = set()
        found: list[Any] = []
        for path, key in super().params(model):
            found.append((path, Parameter(key.stored) if id(key) in seen else key))
            seen.add(id(key))
        return found


@mutant("equal_tied", "equal values have one key", "params.equal_values")
class EqualTied(Sound):
    def params(self, model: Any) -> Any:
        first: dict[bytes, Any] = {}
        pairs = super().params(model)
        return [(path, first.setdefault(key.stored.tobytes(), key)) for path, key in pairs]


@mutant("order_reversed", "params come in reverse", "params.order", "params.paths")
class OrderReversed(Sound):
    def params(self, model: Any) -> Any:
        return list(reversed(super().params(model)))


@mutant("order_of_text", "params are sorted by the text of their paths", "params.order")
class OrderOfText(Sound):
    def params(self, model: Any) -> Any:
        return sorted(super().params(model), key=lambda pair: pair[0])


@mutant("frozen_left_out", "frozen Parameters are not listed", "params.frozen")
class FrozenLeftOut(Sound):
    def params(self, model: Any) -> Any:
        return [pair for pair in super().params(model) if not pair[1].frozen]


@mutant(
    "new_keys",
    "every question gives new keys",
    "params.again",
    "params.paths",
    "params.order",
)
class NewKeys(Sound):
    def params(self, model: Any) -> Any:
        made: dict[int, Any] = {}
        pairs = super().params(model)
        return [(p, made.setdefault(id(k), Parameter(k.stored))) for p, k in pairs]


@mutant("containers_only", "params does not look into attributes", "params.attributes")
class ContainersOnly(Sound):
    def params(self, model: Any) -> Any:
        return super().params(model) if isinstance(model, dict | list | Parameter) else []


@mutant("endless_walk", "params does not end where a model holds itself", "params.cycles")
class EndlessWalk(Sound):
    def params(self, model: Any) -> Any:
        self.measured(model)
        return super().params(model)

    def measured(self, model: Any) -> int:
        parts = model.values() if isinstance(model, dict) else ()
        return 1 + sum(map(self.measured, parts))


@mutant("other_paths", "paths are joined by a slash", "params.paths", "params.attributes")
class OtherPaths(Sound):
    def params(self, model: Any) -> Any:
        return [(path.replace(".", "/"), key) for path, key in super().params(model)]


# -- level 2: numbers --------------------------------------------------------------------------


@mutant("doubled", "gradients are doubled", "gradient.exp", "gradient.arguments", "kink.relu")
class Doubled(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return 2 * g


@mutant("sign_lost", "gradients lose their sign", "gradient.negative", "gradient.subtract")
class SignLost(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return self.ops.abs(g)


@mutant("wrong_exp", "the derivative of exp is exp + 1", "gradient.exp")
class WrongExp(Sound):
    instead: ClassVar = {exp: Primitive(np.exp, [lambda g, y, x: g * (y + 1)])}


@mutant("relu_at_zero", "relu'(0) is 1", "kink.relu")
class ReluAtZero(Sound):
    instead: ClassVar = {
        neural.relu: Primitive(neural.relu.forward, [lambda g, y, x: g * (plain(x) >= 0)])
    }


def _to_first(function: Any, wins: Any) -> Primitive:
    return Primitive(
        function,
        [
            lambda g, z, x, y: g * wins(plain(x), plain(y)),
            lambda g, z, x, y: g * ~wins(plain(x), plain(y)),
        ],
    )


@mutant("maximum_to_first", "maximum gives the first all at ties", "kink.maximum")
class MaximumToFirst(Sound):
    instead: ClassVar = {maximum: _to_first(np.maximum, np.greater_equal)}


@mutant("minimum_to_first", "minimum gives the first all at ties", "kink.minimum")
class MinimumToFirst(Sound):
    instead: ClassVar = {minimum: _to_first(np.minimum, np.less_equal)}


def _first_of_ties(g: Any, y: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    ties = plain(x) == reductions._spread(np.asarray(plain(y)), plain(x), axis, keepdims)
    first = np.cumsum(ties, axis=axis).reshape(ties.shape) == 1
    return reductions._spread(g, x, axis, keepdims) * (ties & first)


@mutant("max_to_first", "max gives the first of the ties all", "kink.max")
class MaxToFirst(Sound):
    instead: ClassVar = {reductions._max: Primitive(reductions._max.forward, [_first_of_ties])}


@mutant("max_pool_to_first", "max_pool gives the first of a tie all", "kink.nn.max_pool")
class MaxPoolToFirst(Sound):
    ops = functions(
        nn={
            "max_pool": lambda x, window, **options: namespace.ops.nn.max_pool(
                x - namespace.reshape(np.arange(x.size), x.shape) * 1e-13, window, **options
            )
        }
    )


@mutant("flipped_window", "conv reverses its window", "gradient.nn.conv")
class FlippedWindow(Sound):
    ops = functions(
        nn={
            "conv": lambda x, weight, **options: namespace.ops.nn.conv(
                x, namespace.flip(weight, axis=-1), **options
            )
        }
    )


@mutant("dilation_ignored", "conv takes no notice of dilation", "gradient.nn.conv")
class DilationIgnored(Sound):
    ops = functions(
        nn={
            "conv": lambda x, weight, *, dilation=1, **options: namespace.ops.nn.conv(
                x, weight, **options
            )
        }
    )


def _woven_groups(x: Any, weight: Any, *, groups: int = 1, **options: Any) -> Any:
    y = namespace.ops.nn.conv(x, weight, groups=groups, **options)
    shape = (len(x), groups, y.shape[1] // groups, *y.shape[2:])
    return namespace.reshape(namespace.reshape(y, shape).swapaxes(1, 2), y.shape)


@mutant("woven_groups", "conv puts out the groups in turns", "gradient.nn.conv_groups")
class WovenGroups(Sound):
    ops = functions(nn={"conv": _woven_groups})


def _unlearning(g: Any, y: Any, x: Any, weight: Any, windows: Any, groups: Any) -> Any:
    g = g * (np.arange(g.shape[-1]) > 0)
    return convolution.weighed(x, g, windows, groups)


@mutant("column_lost", "the gradient of a weight of conv lacks a column", "gradient.nn.conv")
class ColumnLost(Sound):
    instead: ClassVar = {
        convolution.correlated: Primitive(
            convolution.correlated.forward, [convolution.correlated.vjps[0], _unlearning]
        )
    }


@mutant("row_too_low", "conv_transpose has its rows turned by one", "gradient.nn.conv_transpose")
class RowTooLow(Sound):
    ops = functions(
        nn={
            "conv_transpose": lambda x, weight, *, output_padding=0, **options: namespace.roll(
                namespace.ops.nn.conv_transpose(
                    x, weight, output_padding=output_padding, **options
                ),
                1,
                axis=-2,
            )
        }
    )


@mutant("padding_uncounted", "mean_pool leaves padding out of the mean", "gradient.nn.mean_pool")
class PaddingUncounted(Sound):
    ops = functions(
        nn={
            "mean_pool": lambda x, window, **options: (
                namespace.ops.nn.mean_pool(x, window, **options)
                / namespace.ops.nn.mean_pool(np.ones(x.shape, x.dtype), window, **options)
            )
        }
    )


def _over_last_axes(g: Any, x: Any) -> Any:
    extra = tuple(range(np.ndim(x), g.ndim))
    g = g.sum(axis=extra)
    stretched = tuple(i for i, n in enumerate(np.shape(x)) if n == 1)
    return g.sum(axis=stretched, keepdims=True)


@mutant(
    "summed_over_last",
    "broadcasting sums over the last axes instead of the first",
    "broadcasting.row",
    "broadcasting.more_axes",
)
class SummedOverLast(Unowned):
    instead: ClassVar = {
        multiply: Primitive(
            np.multiply,
            [
                lambda g, z, x, y: _over_last_axes(g * y, x),
                lambda g, z, x, y: _over_last_axes(g * x, y),
            ],
        )
    }


@mutant(
    "not_summed",
    "what broadcasting stretched is not summed",
    "broadcasting.row",
    "broadcasting.column",
    "broadcasting.scalar",
)
class NotSummed(Unowned):
    instead: ClassVar = {
        multiply: Primitive(np.multiply, [lambda g, z, x, y: g * y, lambda g, z, x, y: g * x]),
        add: Primitive(np.add, [lambda g, z, x, y: g, lambda g, z, x, y: g]),
    }


@mutant(
    "not_sum_of_uses",
    "of a value that is used twice, one use counts",
    "gradient.repeated",
    "gradient.operators",
)
class NotSumOfUses(Sound):
    def join(self, before: Any, g: Any) -> Any:
        return g


@mutant(
    "joined_in_place",
    "cotangents are added in place, into those of others",
    "gradient.fan_out",
)
class JoinedInPlace(Sound):
    def join(self, before: Any, g: Any) -> Any:
        if type(before) is not np.ndarray or not before.flags.writeable:
            return before + g
        before += g
        return before


@mutant("wrong_order", "gradients come in reverse", "gradient.subtract", "broadcasting.row")
class WrongOrder(Sound):
    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        value, found = super().gradient(fn, keys, *args)
        return value, found[::-1]


@mutant("one_too_many", "there is a gradient more than there are keys", "frozen.pruned")
class OneTooMany(Sound):
    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        value, found = super().gradient(fn, keys, *args)
        return value, [*found, None]


@mutant("none_into_zeros", "None becomes zeros", "absent.unused")
class NoneIntoZeros(Sound):
    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        value, found = super().gradient(fn, keys, *args)
        pairs = zip(keys, found, strict=True)
        return value, [np.zeros_like(key.stored) if g is None else g for key, g in pairs]


@mutant("zero_into_none", "a zero gradient becomes None", "absent.zero")
class ZeroIntoNone(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return g if np.any(plain(g)) else None


@mutant("empty_into_none", "an empty gradient becomes None", "gradient.empty")
class EmptyIntoNone(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return g if g.size else None


@mutant("stop_ignored", "stop_gradient stops nothing", "absent.stopped")
class StopIgnored(Sound):
    ops = functions(stop_gradient=lambda x: x)


@mutant("arguments_ignored", "the function is called without its arguments", "gradient.arguments")
class ArgumentsIgnored(Sound):
    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        return super().gradient(fn, keys)


@mutant("called_twice", "the function is called twice", "gradient.buffers")
class CalledTwice(Around):
    def called(self, fn: Any, *args: Any) -> Any:
        fn(*args)
        return fn(*args)


@mutant("vector_summed", "a loss that is no scalar is summed", "error.scalar")
class VectorSummed(Around):
    def called(self, fn: Any, *args: Any) -> Any:
        value = fn(*args)
        return self.ops.sum(value) if getattr(value, "shape", ()) else value


@mutant(
    "unreached_passed",
    "a loss that reads no parameter gives None for all",
    "error.unreached",
)
class UnreachedPassed(Sound):
    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        try:
            return super().gradient(fn, keys, *args)
        except UnreachedParametersError:
            return fn(*args), [None for _ in keys]


@mutant("axes_added", "the gradient of an array without axes has one", "gradient.zero_axes")
class AxesAdded(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return g if g.shape else g.reshape((1,))


@mutant(
    "strides_ignored",
    "asarray takes the elements in the order of memory",
    "gradient.transposed",
)
class StridesIgnored(Sound):
    ops = functions(
        asarray=lambda x, dtype=None, **kwargs: (
            np.asarray(x, dtype).ravel("K").reshape(np.shape(x)).copy()
            if type(x) is np.ndarray
            else namespace.asarray(x, dtype, **kwargs)
        )
    )


@mutant("widened", "gradients are float64", "dtype.float32")
class Widened(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return self.ops.astype(g, np.float64)


@mutant("half_widened", "the gradient of float16 is float32", "dtype.float16")
class HalfWidened(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return self.ops.astype(g, np.float32) if g.dtype == np.float16 else g


@mutant("exp_widens", "exp of float32 is float64", "dtype.functions.exp")
class ExpWidens(Sound):
    ops = functions(exp=lambda x: exp(namespace.astype(x, np.float64)))


@mutant("keepdims_ignored", "sum takes no notice of keepdims", "gradient.sum_keepdims")
class KeepdimsIgnored(Sound):
    ops = functions(sum=lambda x, axis=None, *, keepdims=False: reductions.sum(x, axis))


@mutant("negative_axis", "mean over axis -1 is that over axis 0", "gradient.mean_last")
class NegativeAxis(Sound):
    ops = functions(
        mean=lambda x, axis=None, *, keepdims=False: reductions.mean(
            x, 0 if axis == -1 else axis, keepdims=keepdims
        )
    )


@mutant("one_axis_of_two", "sum over two axes is over the first", "gradient.sum_axes")
class OneAxisOfTwo(Sound):
    ops = functions(
        sum=lambda x, axis=None, *, keepdims=False: reductions.sum(
            x, axis[0] if isinstance(axis, tuple) else axis, keepdims=keepdims
        )
    )


@mutant("padding_exchanged", "pad takes before for after", "gradient.pad", "gradient.pad_number")
class PaddingExchanged(Sound):
    ops = functions(
        pad=lambda x, pad_width, **kwargs: namespace.pad(
            x, np.broadcast_to(pad_width, (x.ndim, 2))[:, ::-1], **kwargs
        )
    )


@mutant("padding_ignored", "pad takes no notice of constant_values", "gradient.pad_number")
class PaddingIgnored(Sound):
    ops = functions(pad=lambda x, pad_width, **kwargs: namespace.pad(x, pad_width))


def _tile_of_constants(x: Any, repetitions: Any) -> Any:
    rest = namespace.ops.tile(plain(x), repetitions)
    edges = [(0, m - n) for m, n in zip(rest.shape, x.shape, strict=True)]
    return namespace.pad(x - plain(x), edges) + rest


@mutant("tile_detached", "tile differentiates the first copy only", "gradient.tile")
class TileDetached(Sound):
    ops = functions(tile=_tile_of_constants)


def _einsum_of_last(subscripts: str, *arrays: Any) -> Any:
    return namespace.einsum(subscripts, *map(plain, arrays[:-1]), arrays[-1])


@mutant(
    "einsum_of_last",
    "einsum differentiates its last argument only",
    "gradient.einsum",
    "gradient.einsum_sum",
)
class EinsumOfLast(Sound):
    ops = functions(einsum=_einsum_of_last)


def _overwriting_softmax(x: Any, *, axis: int = -1) -> Any:
    if type(x) is not np.ndarray:
        return namespace.ops.nn.softmax(x, axis=axis)
    x -= x.max(axis=axis, keepdims=True)
    np.exp(x, out=x)
    return x / x.sum(axis=axis, keepdims=True)


@mutant("argument_overwritten", "softmax writes into its argument", "gradient.inputs.nn.softmax")
class ArgumentOverwritten(Sound):
    ops = functions(nn={"softmax": _overwriting_softmax})


def _cell_of(name: str, columns: Any) -> Any:
    """A recurrent network whose weights have their gates in another order."""

    def call(*args: Any) -> Any:
        size = args[1].shape[-1]
        order = np.concatenate([np.arange(k * size, (k + 1) * size) for k in columns])
        states = args[: 3 if name == "lstm" else 2]
        weights = (each[..., order] for each in args[len(states) :])
        return getattr(namespace.ops.nn, name)(*states, *weights)

    return call


@mutant(
    "lstm_of_another_order",
    "the gates of lstm are i, f, o, g",
    "gradient.nn.lstm",
)
class LstmOfAnotherOrder(Sound):
    ops = functions(nn={"lstm": _cell_of("lstm", (0, 1, 3, 2))})


@mutant("gru_of_another_order", "the gates of gru are z, r, n", "gradient.nn.gru")
class GruOfAnotherOrder(Sound):
    ops = functions(nn={"gru": _cell_of("gru", (1, 0, 2))})


def _reset_before(x: Any, h: Any, w: Any, u: Any, b: Any, d: Any) -> Any:
    """The older unit: r acts on h, and not on its product with the weight."""
    ops, size, hs = namespace.ops, h.shape[-1], []
    for t in range(x.shape[1]):
        inputs = x[:, t] @ w + b
        both = ops.nn.sigmoid((inputs + h @ u + d)[:, : 2 * size])
        r, z = both[:, :size], both[:, size:]
        n = ops.tanh((inputs + (r * h) @ u + d)[:, 2 * size :])
        h = n + z * (h - n)
        hs.append(h)
    return ops.stack(hs, axis=1), h


@mutant("gru_reset_before", "the reset gate of gru acts before the product", "gradient.nn.gru")
class GruResetBefore(Sound):
    ops = functions(nn={"gru": _reset_before})


def _first_cell(x: Any, h: Any, c: Any, *weights: Any) -> Any:
    hs, last, _ = namespace.ops.nn.lstm(x, h, c, *weights)
    return hs, last, c


@mutant("lstm_cell_lost", "lstm gives back the cells that it was given", "gradient.nn.lstm")
class LstmCellLost(Sound):
    ops = functions(nn={"lstm": _first_cell})


@mutant("scan_without_memory", "no gradient flows along a scan", "gradient.scan")
class ScanWithoutMemory(Sound):
    ops = functions(
        scan=lambda step, carry, inputs: namespace.ops.scan(
            lambda before, each: step(plain(before), each), carry, inputs
        )
    )


def _last_of_repeats(g: Any, index: Any, shape: Any) -> Any:
    out = np.zeros_like(g, shape=shape)
    out[index] = g
    return out


_assigned = Primitive(_last_of_repeats, [None])


@mutant(
    "last_of_repeats",
    "an element taken several times has the gradient of the last",
    "gradient.nn.embedding",
    "gradient.take",
)
class LastOfRepeats(Sound):
    instead: ClassVar = {
        indexing._getitem: Primitive(
            indexing._getitem.forward, [lambda g, y, x, index, shape: _assigned(g, index, shape)]
        )
    }


# -- level 2: what is given back ---------------------------------------------------------------


@mutant("tracked_value", "the value is tracked", "gradient.plain", "gradient.exp")
class TrackedValue(Sound):
    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        value, found = super().gradient(fn, keys, *args)
        return Scope(Tracer).leaf(value), found


@mutant("tracked_gradient", "gradients are tracked", "gradient.plain", "gradient.exp")
class TrackedGradient(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return Scope(Tracer).leaf(g)


@mutant("own_memory", "a gradient equal to its parameter is its array", "fresh.itself")
class OwnMemory(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return key.stored if np.array_equal(plain(g), plain(key.stored)) else g


def _or_itself(g: Any, y: Any) -> Any:
    return (
        y if type(y) is np.ndarray and np.shape(g) == y.shape and np.all(plain(g) == 1) else g * y
    )


@mutant(
    "shared_memory",
    "1 * y as a gradient is y itself, an argument or another parameter",
    "fresh.argument",
)
class SharedMemory(Unowned):
    instead: ClassVar = {
        multiply: Primitive(
            np.multiply,
            [
                lambda g, z, x, y: _or_itself(g, y),
                lambda g, z, x, y: _or_itself(g, x),
            ],
        )
    }


@mutant("view_of_parameter", "the value may be a view of a parameter", "fresh.value")
class ViewOfParameter(Sound):
    def vjp(self, fn: Any, *arrays: Any) -> Any:
        seen: list[Any] = []

        def kept(*leaves: Any) -> Any:
            seen.append(fn(*leaves))
            return seen[0]

        _, pullback = super().vjp(kept, *arrays)
        return getattr(seen[0], "value", seen[0]), pullback


@mutant("argument_changed", "the arguments are negated", "gradient.arguments")
class ArgumentChanged(Sound):
    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        result = super().gradient(fn, keys, *args)
        for each in args:
            if isinstance(each, np.ndarray) and each.flags.writeable:
                np.negative(each, out=each)
        return result


@mutant("parameter_changed", "the gradient is added into the parameter", "gradient.again")
class ParameterChanged(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        key.stored = key.stored + plain(g)
        return g


@mutant("accumulated", "gradients are those of all calls so far", "gradient.again")
class Accumulated(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        key.grad = g if key.grad is None else key.grad + g
        return key.grad


@mutant("tracked_buffers", "Buffers are left tracked", "gradient.buffers")
class TrackedBuffers(Sound):
    def detacher(self) -> Any:
        return lambda value: value


@mutant("buffers_lost", "Buffers are not written back", "gradient.buffers")
class BuffersLost(Around):
    def called(self, fn: Any, *args: Any) -> Any:
        value = fn(*args)
        current_overlay().collected()
        return value


@mutant(
    "buffers_kept",
    "Buffers are written back after an exception",
    "robust.exception_buffers",
)
class BuffersKept(Around):
    def called(self, fn: Any, *args: Any) -> Any:
        try:
            return fn(*args)
        except Exception:
            for buffer, value in current_overlay().collected().items():
                buffer.stored = plain(value)
            raise


@mutant(
    "constant_gradients",
    "higher_order is declared, but gradients are constants",
    "order.second",
    "order.mixed",
)
class ConstantGradients(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        return plain(g)


@mutant("seed_ignored", "the pullback of vjp takes every cotangent for ones", "vjp.seed")
class SeedIgnored(Sound):
    def vjp(self, fn: Any, *arrays: Any) -> Any:
        value, pullback = super().vjp(fn, *arrays)
        return value, lambda g: pullback(np.ones_like(value))


# -- levels 3 to 6: updates, rules, layers, state ----------------------------------------------


@mutant("update_ignored", "update does nothing", "update.writes", "update.read")
class UpdateIgnored(Sound):
    def update(self, key: Any, new_value: Any) -> None:
        pass


@mutant("update_aliases", "update keeps the caller's array itself", "update.apart")
class UpdateAliases(Sound):
    def update(self, key: Any, new_value: Any) -> None:
        key.take(new_value)


@mutant("update_of_any_shape", "update takes any shape", "update.shape")
class UpdateOfAnyShape(Sound):
    def update(self, key: Any, new_value: Any) -> None:
        key.migrate(new_value)


@mutant(
    "update_broadcasts",
    "update broadcasts (1,) to (2,)",
    "update.broadcast.one",
    "update.broadcast.scalar",
)
class UpdateBroadcasts(Sound):
    def update(self, key: Any, new_value: Any) -> None:
        if new_value.size == 1:
            new_value = np.full(key.shape, new_value, key.dtype)
        super().update(key, new_value)


@mutant("update_of_any_dtype", "update takes any dtype", "update.dtype")
class UpdateOfAnyDtype(Sound):
    def update(self, key: Any, new_value: Any) -> None:
        if new_value.shape == key.shape:
            key.migrate(new_value)
        else:
            super().update(key, new_value)


@mutant("stale", "gradients are taken at the first value seen", "update.read")
class Stale(Sound):
    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        now = [key.stored for key in keys]
        for key in keys:
            if key.grad is None:
                key.grad = np.array(plain(key.stored))
            key.stored = key.grad
        try:
            return super().gradient(fn, keys, *args)
        finally:
            Swapping.put(keys, now)


@mutant("view_is_a_copy", "host_view gives a copy, so that steps are lost", "update.optimizer")
class ViewIsACopy(Sound):
    def host_view(self, array: Any) -> Any:
        return array.copy()


@mutant("copy_is_a_view", "host_copy gives the array itself", missing="manifest.host_copy")
class CopyIsAView(Sound):
    def host_copy(self, array: Any) -> Any:
        return np.asarray(array)


@mutant("memory_unknown", "memory gives a new number every time", missing="manifest.memory")
class MemoryUnknown(Sound):
    numbers = itertools.count()

    def memory(self, array: Any) -> int:
        return next(self.numbers)


@mutant(
    "compiled_parameters",
    "compiled remembers the parameters of its first call",
    "rule.sgd",
    "rule.adam",
    jit=True,
)
class CompiledParameters(Sound):
    def compiled(self) -> Any:
        return Stale().gradient


@mutant(
    "compiled_arguments",
    "compiled remembers the arguments of its first call",
    "update.steps",
    jit=True,
)
class CompiledArguments(Sound):
    def compiled(self) -> Any:
        first: list[Any] = []

        def gradient(fn: Any, keys: Any, *args: Any) -> Any:
            first.append(args)
            return self.gradient(fn, keys, *first[0])

        return gradient


@mutant("never_recording", "dropout does not act while it differentiates", "layer.dropout")
class NeverRecording(Around):
    def called(self, fn: Any, *args: Any) -> Any:
        current_overlay().recording = False
        return fn(*args)


@mutant("other_masks", "masks come from the engine's own generator", "layer.dropout")
class OtherMasks(Sound):
    ops = functions(
        random={"bernoulli": lambda key, p, like: (np.arange(like.size) % 2 == 0) * 1.0}
    )


# -- level 5: what only layers ask -------------------------------------------------------------


def _unlearned_by_strides(g: Any, y: Any, x: Any, weight: Any, windows: Any, groups: Any) -> Any:
    g = g * (np.arange(g.shape[-1]) > 0) if min(windows.stride) > 1 else g
    return convolution.weighed(x, g, windows, groups)


@mutant(
    "unlearned_by_strides",
    "the gradient of a weight of conv is wrong where all strides are 2",
    "layer.conv.stride",
    "layer.conv.all",
    "layer.conv_transpose.tied",
)
class UnlearnedByStrides(Sound):
    instead: ClassVar = {
        convolution.correlated: Primitive(
            convolution.correlated.forward, [convolution.correlated.vjps[0], _unlearned_by_strides]
        )
    }


@mutant("depth_reversed", "conv over three axes reverses the first", "layer.conv.three_axes")
class DepthReversed(Sound):
    ops = functions(
        nn={
            "conv": lambda x, weight, **options: namespace.ops.nn.conv(
                x, namespace.flip(weight, axis=2) if weight.ndim == 5 else weight, **options
            )
        }
    )


def _padded_with_zeros(x: Any, window: Any, *, padding: Any = 0, **options: Any) -> Any:
    if isinstance(padding, int) and padding:
        ends = (padding, padding)
        x = namespace.ops.pad(x, ((0, 0), (0, 0), *[ends] * (x.ndim - 2)))
    return namespace.ops.nn.max_pool(x, window, **options)


@mutant("padded_with_zeros", "max_pool takes its padding for zeros", "layer.max_pool.padding")
class PaddedWithZeros(Sound):
    ops = functions(nn={"max_pool": _padded_with_zeros})


def _gates_exchanged(x: Any, h: Any, c: Any, *weights: Any) -> Any:
    size = h.shape[-1]
    order = np.r_[size : 2 * size, :size, 2 * size : 4 * size]
    return namespace.ops.nn.lstm(x, h, c, *(each[..., order] for each in weights))


@mutant("gates_exchanged", "lstm takes its forget gate for its input gate", "gradient.nn.lstm")
class GatesExchanged(Sound):
    ops = functions(nn={"lstm": _gates_exchanged})


def _mean_of_two_axes(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    several = isinstance(axis, tuple) and len(axis) > 2
    scale = x.shape[axis[-1]] if several else 1
    return namespace.ops.mean(x, axis=axis, keepdims=keepdims) * scale


@mutant(
    "mean_of_two_axes",
    "mean divides by the sizes of two axes at most",
    "layer.batch_norm.training",
    "layer.group_norm",
    "layer.global_mean.three_axes",
)
class MeanOfTwoAxes(Sound):
    ops = functions(mean=_mean_of_two_axes)


# -- level 7: exceptions, threads, memory ------------------------------------------------------


def _adding_in_place(x: Any, y: Any) -> Any:
    out = y if type(y) is np.ndarray and np.shape(x) == y.shape and y.flags.writeable else None
    return np.add(x, y, out=out)


@mutant("added_in_place", "add writes into its second argument", "layer.skip")
class AddedInPlace(Sound):
    instead: ClassVar = {add: Primitive(_adding_in_place, add.vjps)}


@mutant("tracked_in_threads", "other threads see tracked Parameters", "robust.threads")
class TrackedInThreads(Swapping):
    pass


@mutant("left_tracked", "an exception leaves Parameters tracked", "robust.exception")
class LeftTracked(Swapping):
    def guarded(self, bound: Any, keys: Any, before: Any) -> Any:
        result = self.vjp(bound, *before)
        self.put(keys, before)
        return result


@mutant("left_open", "an exception leaves a differentiation open", "robust.exception")
class LeftOpen(Sound):
    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        around, stopped = Overlay(self.detacher()), []

        def called(*given: Any) -> Any:
            stopped.append(True)
            value = fn(*given)
            stopped.clear()
            return value

        around.__enter__()
        try:
            return super().gradient(called, keys, *args)
        finally:
            if not stopped:
                around.__exit__(None, None, None)


@mutant("swallowed", "an exception of the function becomes a loss of 0", "robust.exception")
class Swallowed(Around):
    def called(self, fn: Any, *args: Any) -> Any:
        try:
            return fn(*args)
        except Exception:
            return 0.0


@mutant("keys_kept", "every key is kept in a list", "robust.memory")
class KeysKept(Sound):
    def __init__(self) -> None:
        self.kept: list[Any] = []

    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        self.kept.append(keys)
        return super().gradient(fn, keys, *args)


@mutant("functions_kept", "every function is kept, as by a cache", "robust.memory")
class FunctionsKept(KeysKept):
    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        self.kept.append(fn)
        return Sound.gradient(self, fn, keys, *args)


@mutant("arrays_kept", "every trace is kept, with its arrays", missing="robust.memory_arrays")
class ArraysKept(KeysKept):
    def vjp(self, fn: Any, *arrays: Any) -> Any:
        self.kept.append(arrays)
        return super().vjp(fn, *arrays)

    def gradient(self, fn: Any, keys: Any, *args: Any) -> Any:
        return Sound.gradient(self, fn, keys, *args)


@mutant("one_buffer", "gradients of one parameter share their memory", "robust.kept")
class OneBuffer(Afterwards):
    def changed(self, key: Any, g: Any) -> Any:
        if type(g) is not np.ndarray:
            return g
        if key.grad is None:
            key.grad = g
        key.grad[...] = g
        return key.grad
