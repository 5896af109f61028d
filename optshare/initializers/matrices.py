"""Initial values with the structure of a matrix: orthogonal, sparse, identity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optshare.errors import InitializerError
from optshare.initializers.fans import require_axes


def orthogonal(
    shape: tuple[int, ...], dtype: Any, rng: np.random.Generator, *, gain: float = 1.0
) -> Any:
    """gain times a matrix with orthonormal rows, or columns if it has more rows.

    It is drawn evenly from all of them: Q of a normal matrix's QR factorization,
    with the signs that make the diagonal of R positive. The axes after the first
    count as one: rows are (in) of Dense's (in, out), and (out) of a convolution's
    (out, in / groups, *window).

    Source: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics
    of learning in deep linear neural networks, 2014; Mezzadri, How to generate
    random matrices from the classical compact groups, 2007.

    Raises:
        InitializerError: the shape has fewer than two axes.

    >>> q = orthogonal((2, 4), np.float64, np.random.default_rng(0))
    >>> bool(np.allclose(q @ q.T, np.eye(2)))
    True
    """
    require_axes(shape)
    rows, columns = shape[0], math.prod(shape[1:])
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return (gain * (q.T if rows < columns else q)).reshape(shape).astype(dtype)


def sparse(
    shape: tuple[int, ...],
    dtype: Any,
    rng: np.random.Generator,
    *,
    sparsity: float = 0.5,
    std: float = 0.01,
) -> Any:
    """Normal, with ceil(sparsity * rows) zeros in each column.

    A column of Dense's (in, out) is what enters one unit, so that each unit
    listens to few inputs, as in the paper. `torch.nn.init.sparse_` does the same
    to a matrix, but a column of PyTorch's (out, in) is what leaves one input.

    Source: Martens, Deep learning via Hessian-free optimization, 2010.

    Raises:
        InitializerError: there are not two axes, or the sparsity is not in [0, 1].

    >>> draw = sparse((10, 3), np.float64, np.random.default_rng(0), sparsity=0.75)
    >>> (draw == 0).sum(axis=0)
    array([8, 8, 8])
    """
    if len(shape) != 2:
        raise InitializerError(f"sparse needs two axes, (in, out), not the shape {shape}")
    if not 0 <= sparsity <= 1:
        raise InitializerError(f"sparse: sparsity must be in [0, 1], not {sparsity!r}")
    draw = rng.normal(0, std, shape)
    first = np.arange(shape[0])[:, None] < math.ceil(sparsity * shape[0])
    draw[rng.permuted(np.broadcast_to(first, shape), axis=0)] = 0
    return draw.astype(dtype)


def identity(
    shape: tuple[int, ...], dtype: Any, rng: np.random.Generator, *, gain: float = 1.0
) -> Any:
    """gain times the map that gives back its input; what does not fit is left out or zero.

    For a matrix it has ones on the diagonal; for a convolution,
    (out, in / groups, *window), ones for equal channels in the middle of the window
    (Dirac's delta). With groups, only the first `in / groups` outputs are filled.

    Raises:
        InitializerError: the shape has fewer than two axes.

    >>> identity((2, 3), np.float64, np.random.default_rng(0))
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    require_axes(shape)
    values = np.zeros(shape)
    diagonal = np.arange(min(shape[:2]))
    values[(diagonal, diagonal, *(size // 2 for size in shape[2:]))] = gain
    return values.astype(dtype)
