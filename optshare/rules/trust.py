"""LARS and LAMB: steps as long as the weights that they change."""

from __future__ import annotations

from typing import Any, ClassVar

from optshare.errors import HyperparameterError
from optshare.orientation import Site
from optshare.rules.adam import Adam
from optshare.rules.array import ArrayRule, counted, norm
from optshare.rules.base import Arrays, Number, Rule, decayed, shrunk
from optshare.rules.sgd import SGD


def trust_ratio(ops: Any, over: Any, under: Any, coefficient: Any = 1.0, eps: Any = 0.0) -> Any:
    """`coefficient * over / (under + eps)` of two norms; 1 where either is 0.

    >>> import numpy as np
    >>> one, two, none = np.float64(1.0), np.float64(2.0), np.float64(0.0)
    >>> float(trust_ratio(np, one, two)), float(trust_ratio(np, one, none))
    (0.5, 1.0)
    """
    both = (over > 0) & (under > 0)
    unit = ops.ones_like(over)
    return ops.where(both, coefficient * over / ops.where(both, under + eps, unit), unit)


class LARS(ArrayRule):
    """Momentum whose steps are in proportion to the norm of each array.

        ratio = trust_coefficient * |value| / (|gradient| + weight_decay * |value| + eps)
        b = momentum * b + lr * ratio * (gradient + weight_decay * value)
        value -= b                                                            (plain)
        value -= momentum * b + lr * ratio * (gradient + weight_decay * value)   (nesterov)

    The ratio is 1 where |value| or |gradient| is 0. With `joint_norm`, as in optax, it is
    `trust_coefficient * |value| / (|gradient + weight_decay * value| + eps)`.

    Args:
        lr: the learning rate, at least 0.
        momentum: in [0, 1); 0 keeps no buffer.
        weight_decay: L2 regularisation, at least 0.
        nesterov: look ahead; needs momentum.
        trust_coefficient: how long a step is, as a part of the weights; at least 0.
        eps: added to the divisor, at least 0.
        joint_norm: divide by the norm of the gradient with its weight decay.

    The state array: `momentum_buffer` is b, which holds steps: lr is inside it.

    Raises:
        HyperparameterError: a value out of range.

    Source: You et al., Large Batch Training of Convolutional Networks, 2017,
    https://arxiv.org/abs/1708.03888

    >>> import numpy as np, optshare
    >>> rule = optshare.LARS(lr=1.0, trust_coefficient=0.1)
    >>> value, gradient = np.array([3.0, 4.0]), np.array([0.0, 2.0])
    >>> state = rule.initial_state(np, value, optshare.rules.Site(0, "w"))
    >>> rule.array_step(np, value, gradient, state, 1)[1]
    array([0. , 0.5])
    """

    lr: Number = 1e-3
    momentum: Number = 0.9
    weight_decay: Number = 0.0
    nesterov: bool = False
    trust_coefficient: Number = 1e-3
    eps: Number = 0.0
    joint_norm: bool = False

    _LIMITS: ClassVar[dict[str, tuple[float, float]]] = {
        **Rule._LIMITS,
        "trust_coefficient": Rule._LIMITS["lr"],
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise HyperparameterError("LARS: nesterov=True needs a momentum above 0, such as 0.9")

    def state_names(self) -> tuple[str, ...]:
        """The momentum buffer, if there is momentum."""
        return self._descent().state_names()

    def initial_state(self, ops: Any, value: Any, site: Site) -> Arrays:
        """The buffer begins as zeros."""
        return {name: ops.zeros_like(value) for name in self.state_names()}

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """The new buffer, and the step."""
        g = decayed(gradient, value, self.weight_decay)
        weights, under = norm(ops, value), norm(ops, g if self.joint_norm else gradient)
        more = self.eps if self.joint_norm else self.eps + self.weight_decay * weights
        ratio = trust_ratio(ops, weights, under, self.trust_coefficient, more)
        return self._descent().step(value, ratio * g, state, t)

    def _descent(self) -> SGD:
        """What follows the scaled gradient."""
        return SGD(lr=self.lr, momentum=self.momentum, nesterov=self.nesterov, lr_in_buffer=True)


class LAMB(ArrayRule):
    """Adam whose steps are in proportion to the norm of each array.

        r = Adam's direction, mhat / (sqrt(vhat) + eps)
        u = r + weight_decay * value
        value -= lr * |value| / |u| * u

    The ratio |value| / |u| is 1 where either norm is 0. With `decoupled_weight_decay`, as in
    Keras, the weights shrink first, and their decay is outside the ratio:

        value -= lr * weight_decay * value
        value -= lr * |value| / |r| * r

    Args:
        lr: the learning rate, at least 0.
        betas: how much of each moment is kept, in [0, 1).
        eps: added to the root, at least 0.
        weight_decay: at least 0; inside the ratio.
        decoupled_weight_decay: shrink the weights before, outside of the ratio.
        eps_root: added under the root, at least 0, as optax does.

    The state arrays are Adam's: `exp_avg` is m, `exp_avg_sq` is v.

    Raises:
        HyperparameterError: a value out of range.

    Source: You et al., Large Batch Optimization for Deep Learning: Training BERT in 76
    minutes, 2020, https://arxiv.org/abs/1904.00962

    >>> import numpy as np, optshare
    >>> rule = optshare.LAMB(lr=0.1, eps=0.0)
    >>> value, gradient = np.array([3.0, 4.0]), np.array([5.0, -0.1])
    >>> state = rule.initial_state(np, value, optshare.rules.Site(0, "w"))
    >>> rule.array_step(np, value, gradient, state, 1)[1].round(4)
    array([ 0.3536, -0.3536])
    """

    lr: Number = 1e-3
    betas: tuple[Number, Number] = (0.9, 0.999)
    eps: Number = 1e-6
    weight_decay: Number = 0.0
    decoupled_weight_decay: bool = False
    eps_root: Number = 0.0

    def state_names(self) -> tuple[str, ...]:
        """The two moments."""
        return self._adam().state_names()

    def initial_state(self, ops: Any, value: Any, site: Site) -> Arrays:
        """Both moments begin as zeros."""
        return {name: ops.zeros_like(value) for name in self.state_names()}

    def array_step(
        self, ops: Any, value: Any, gradient: Any, state: Arrays, t: Any
    ) -> tuple[Arrays, Any]:
        """The new moments, and the step."""
        new, u = self._adam().adaptive_step(gradient, state, counted(ops, t, value), ops)
        apart = self.weight_decay if self.decoupled_weight_decay else 0.0
        if self.decoupled_weight_decay:
            weights = value - shrunk(0.0, value, self.lr, apart)
        else:
            weights, u = value, decayed(u, value, self.weight_decay)
        ratio = trust_ratio(ops, norm(ops, weights), norm(ops, u))
        return new, shrunk(self.lr * ratio * u, value, self.lr, apart)

    def _adam(self) -> Adam:
        """Whose direction is taken."""
        return Adam(lr=1.0, betas=self.betas, eps=self.eps, eps_root=self.eps_root)
