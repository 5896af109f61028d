"""Which axes of Flax's and Equinox's own weights are inputs, and which outputs."""

from __future__ import annotations

import sys
from typing import Any

from optshare.extend import NO_MATRIX, Fans, first_out
from optshare_jax.library import jax


def fans_of(model: Any) -> dict[str, Fans]:
    """The axes of the weights of a module of Flax or Equinox, by path."""
    nnx, equinox = sys.modules.get("flax.nnx"), sys.modules.get("equinox")
    if nnx is not None and isinstance(model, nnx.Pytree):
        return _named(nnx, [(path, part) for path, part in nnx.iter_graph(model)], _of_flax)
    if equinox is not None and isinstance(model, equinox.Module):
        return _named(equinox, _layers(equinox, model), _of_equinox)
    return {}


def _named(library: Any, parts: list[tuple[Any, Any]], told: Any) -> dict[str, Fans]:
    return {
        ".".join(map(str, (*path, name))): fans
        for path, part in parts
        for name, fans in told(library, part).items()
    }


def _of_flax(nnx: Any, layer: Any) -> dict[str, Fans]:
    """A kernel has its inputs first, (*window, in, out)."""
    if isinstance(layer, nnx.Embed):
        return {"embedding": NO_MATRIX}
    if isinstance(layer, nnx.LayerNorm | nnx.RMSNorm | nnx.BatchNorm | nnx.GroupNorm):
        return {"scale": NO_MATRIX, "bias": NO_MATRIX}
    if isinstance(layer, nnx.LinearGeneral):
        return {"kernel": _general(layer), "bias": NO_MATRIX}
    ndim = _kernel_axes(nnx, layer)
    if ndim is None or layer.kernel.ndim != ndim:
        return {}
    if getattr(layer, "transpose_kernel", False):  # (*window, out, in)
        return {"kernel": ((*range(ndim - 2), ndim - 1), (ndim - 2,))}
    return {"kernel": (tuple(range(ndim - 1)), (ndim - 1,))}


def _kernel_axes(nnx: Any, layer: Any) -> int | None:
    """How many axes the kernel has, unless a transform stacked several."""
    if isinstance(layer, nnx.Linear):
        return 2
    return len(layer.kernel_size) + 2 if isinstance(layer, nnx.Conv | nnx.ConvTranspose) else None


def _general(layer: Any) -> Fans:
    """The kernel is (*batch, *in, *out)."""
    ndim, outs = layer.kernel.ndim, len(layer.out_features)
    first = ndim - outs - len(layer.in_features)
    return tuple(range(first, ndim - outs)), tuple(range(ndim - outs, ndim))


def _of_equinox(equinox: Any, layer: Any) -> dict[str, Fans]:
    """A weight has its outputs first, (out, in, *window)."""
    nn = equinox.nn
    if not isinstance(layer, _kinds(nn)):
        return {}
    if isinstance(layer, nn.Embedding | nn.LayerNorm | nn.RMSNorm | nn.GroupNorm):
        return {"weight": NO_MATRIX, "bias": NO_MATRIX}
    if isinstance(layer, nn.GRUCell | nn.LSTMCell):
        return {"weight_ih": first_out(2), "weight_hh": first_out(2)}
    ndim = 2 + len(getattr(layer, "kernel_size", ()))
    told = {"weight": first_out(ndim)} if getattr(layer.weight, "ndim", 0) == ndim else {}
    return {**told, "bias": NO_MATRIX}  # of a convolution it has as many axes as the weight


def _kinds(nn: Any) -> tuple[type, ...]:
    cells = nn.GRUCell, nn.LSTMCell
    norms = nn.LayerNorm, nn.RMSNorm, nn.GroupNorm
    return nn.Linear, nn.Conv, nn.ConvTranspose, nn.Embedding, *cells, *norms


def _layers(equinox: Any, model: Any) -> list[tuple[Any, Any]]:
    kinds = _kinds(equinox.nn)

    def is_layer(part: Any) -> bool:
        return isinstance(part, kinds)

    pairs = jax.tree_util.tree_flatten_with_path(model, is_leaf=is_layer)[0]
    joined = [(jax.tree_util.keystr(path, simple=True, separator="."), x) for path, x in pairs]
    return [((path,) if path else (), x) for path, x in joined]
