"""AMSGrad."""

from __future__ import annotations

from optshare.rules.adam import Adam


class AMSGrad(Adam):
    """Adam that divides by the root of the largest second moment so far: `Adam(amsgrad=True)`.

        g = gradient + weight_decay * value
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        largest = max(largest, v)
        value -= lr * (m / (1 - beta1**t)) / (sqrt(largest / (1 - beta2**t)) + eps)

    The largest is corrected afterwards, as in PyTorch.

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        amsgrad: divide by the root of the largest second moment; without it this is Adam.
        amsgrad_corrected: of the largest corrected one, as optax does.
        eps_hat: correct the step instead of the moments, as Keras does.
        eps_root: added under the root, at least 0, as optax does.
        bias_correction: divide by `1 - beta**t`; Flux does not.
        initial_accumulator_value: what the moments begin with, at least 0.
        weight_decay: L2 regularisation, at least 0.
        decoupled_weight_decay: shrink the value instead, by lr * weight_decay.
        decay_without_lr: shrink it by weight_decay; needs decoupled_weight_decay.
        decay_after_step: shrink it after the step; needs decoupled_weight_decay.
        complex_as_reals: treat a complex number as two real ones, as PyTorch does.

    The state arrays have PyTorch's names: `exp_avg` is m, `exp_avg_sq` is v,
    `max_exp_avg_sq` the largest v.

    Raises:
        HyperparameterError: a value out of range, or options that contradict.

    Source: Reddi et al., On the Convergence of Adam and Beyond, 2018,
    https://openreview.net/forum?id=ryQu7f-RZ

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.])
    >>> opt = optshare.AMSGrad([w], lr=0.1, betas=(0.0, 0.5), eps=0.0)
    >>> for g in (1.0, 0.25): opt.update([np.array([g])])
    >>> w
    Parameter(array([0.86938138]))
    """

    amsgrad: bool = True
