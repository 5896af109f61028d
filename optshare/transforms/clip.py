"""Clipping all gradients by their common norm."""

from __future__ import annotations

from dataclasses import field

from optshare.norms import global_norm
from optshare.rules.base import Number
from optshare.rules.transform import Given, Transform, Transformed


class ClipGlobalNorm(Transform):
    """Scale all gradients together so that their common norm is at most `max_norm`.

        norm = sqrt(sum of |g|**2 over all parameters)
        g *= min(1, max_norm / (norm + eps))

    Args:
        max_norm: the largest norm, at least 0.
        eps: added to the norm, at least 0; PyTorch has 1e-6, optax and Keras 0.

    Raises:
        HyperparameterError: a value out of range.

    Source: Pascanu et al., On the difficulty of training recurrent neural networks,
    2013, https://arxiv.org/abs/1211.5063; `torch.nn.utils.clip_grad_norm_`

    >>> import numpy as np, optshare
    >>> v, w = optshare.Parameter([0.0]), optshare.Parameter([0.0])
    >>> chain = optshare.OptimizerChain(ClipGlobalNorm(max_norm=0.5, eps=0.0), optshare.SGD(lr=1.0))
    >>> optshare.Optimizer([v, w], chain).update([np.array([3.0]), np.array([4.0])])
    >>> v, w
    (Parameter(array([-0.3])), Parameter(array([-0.4])))
    """

    max_norm: Number = field(default=1.0, kw_only=False)
    eps: Number = 1e-6

    def transform(self, given: list[Given], numbers: dict[str, float]) -> Transformed:
        """The gradients, scaled."""
        norm = global_norm(given) + self.eps
        if norm <= self.max_norm:
            return Transformed(given, {})
        return Transformed(given, {}, factor=self.max_norm / norm)
