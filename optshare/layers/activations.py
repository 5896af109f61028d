"""Activations: functions of an array of any engine."""

from __future__ import annotations

from typing import Any

from optshare.dispatch import namespace_of


def relu(x: Any) -> Any:
    """max(x, 0); the derivative at 0 is 0.

    >>> import numpy as np
    >>> relu(np.array([-1., 2.]))
    array([0., 2.])
    """
    return namespace_of(x).nn.relu(x)


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """The positive part of x, plus `slope` times the negative part.

    >>> import numpy as np
    >>> leaky_relu(np.array([-1., 2.]))
    array([-0.01,  2.  ])
    """
    return namespace_of(x).nn.leaky_relu(x, slope)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """Positive x as it is, negative x as alpha * (exp(x) - 1).

    >>> import numpy as np
    >>> elu(np.array([0., 2.]))
    array([0., 2.])
    """
    return namespace_of(x).nn.elu(x, alpha)


def selu(x: Any) -> Any:
    """The self-normalising elu (Klambauer et al. 2017).

    >>> import numpy as np
    >>> selu(np.zeros(1))
    array([0.])
    """
    return namespace_of(x).nn.selu(x)


def gelu(x: Any) -> Any:
    """The Gaussian error linear unit, in its tanh form (Hendrycks and Gimpel 2016).

    It is within 0.0005 of the exact form x * Phi(x), which PyTorch's `gelu` has by default.

    >>> import numpy as np
    >>> gelu(np.zeros(1))
    array([0.])
    """
    return namespace_of(x).nn.gelu(x)


def silu(x: Any) -> Any:
    """x * sigmoid(x).

    >>> import numpy as np
    >>> silu(np.zeros(1))
    array([0.])
    """
    return namespace_of(x).nn.silu(x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)).

    >>> import numpy as np
    >>> sigmoid(np.zeros(1))
    array([0.5])
    """
    return namespace_of(x).nn.sigmoid(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)).

    >>> import numpy as np
    >>> softplus(np.zeros(1))
    array([0.69314718])
    """
    return namespace_of(x).nn.softplus(x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent.

    >>> import numpy as np
    >>> tanh(np.zeros(1))
    array([0.])
    """
    return namespace_of(x).nn.tanh(x)


def softmax(x: Any, *, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis.

    >>> import numpy as np
    >>> softmax(np.zeros(2))
    array([0.5, 0.5])
    """
    return namespace_of(x).nn.softmax(x, axis=axis)


def log_softmax(x: Any, *, axis: int = -1) -> Any:
    """x - log(sum(exp(x))) along an axis.

    >>> import numpy as np
    >>> log_softmax(np.zeros(2))
    array([-0.69314718, -0.69314718])
    """
    return namespace_of(x).nn.log_softmax(x, axis=axis)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """Positive x as it is, negative x as alpha * (exp(x / alpha) - 1) (Barron 2017).

    >>> import numpy as np
    >>> celu(np.array([0., 2.]))
    array([0., 2.])
    """
    return namespace_of(x).nn.celu(x, alpha)


def hardsigmoid(x: Any) -> Any:
    """(x + 3) / 6, held between 0 and 1.

    >>> import numpy as np
    >>> hardsigmoid(np.array([-4., 0.]))
    array([0. , 0.5])
    """
    return namespace_of(x).nn.hardsigmoid(x)


def hardswish(x: Any) -> Any:
    """x * hardsigmoid(x) (Howard et al. 2019).

    >>> import numpy as np
    >>> hardswish(np.array([-4., 4.]))
    array([-0.,  4.])
    """
    return namespace_of(x).nn.hardswish(x)


def hardtanh(x: Any) -> Any:
    """x, held between -1 and 1.

    >>> import numpy as np
    >>> hardtanh(np.array([-4., 0.5]))
    array([-1. ,  0.5])
    """
    return namespace_of(x).nn.hardtanh(x)


def logsigmoid(x: Any) -> Any:
    """log(sigmoid(x)).

    >>> import numpy as np
    >>> logsigmoid(np.zeros(1))
    array([-0.69314718])
    """
    return namespace_of(x).nn.logsigmoid(x)


def mish(x: Any) -> Any:
    """x * tanh(softplus(x)) (Misra 2019).

    >>> import numpy as np
    >>> mish(np.zeros(1))
    array([0.])
    """
    return namespace_of(x).nn.mish(x)


def relu6(x: Any) -> Any:
    """x, held between 0 and 6; the derivative at 0 is 0.

    >>> import numpy as np
    >>> relu6(np.array([-1., 8.]))
    array([0., 6.])
    """
    return namespace_of(x).nn.relu6(x)


def softsign(x: Any) -> Any:
    """x / (1 + |x|).

    >>> import numpy as np
    >>> softsign(np.array([-1., 3.]))
    array([-0.5 ,  0.75])
    """
    return namespace_of(x).nn.softsign(x)


def tanhshrink(x: Any) -> Any:
    """x - tanh(x).

    >>> import numpy as np
    >>> tanhshrink(np.zeros(1))
    array([0.])
    """
    return namespace_of(x).nn.tanhshrink(x)
