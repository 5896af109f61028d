"""The rules as formulas in NumPy, written apart from the rules themselves.

Each takes a value, a gradient, the step count, and a dict of what it remembers,
which begins empty and reads as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

LR = 0.1
Memory = dict[str, Any]
Formula = Callable[[Any, Any, int, Memory], Any]


def _mean(memory: Memory, name: str, x: Any, kept: float) -> Any:
    memory[name] = kept * memory[name] + (1 - kept) * x
    return memory[name]


def sgd(momentum: float = 0.0, decay: float = 0.0, nesterov: bool = False, new: float = 1.0) -> Any:
    """Gradient descent; `new` is how much of a gradient enters the buffer."""

    def formula(w: Any, g: Any, t: int, memory: Memory) -> Any:
        g = g + decay * w
        memory["b"] = momentum * memory["b"] + g * (new if t > 1 else 1.0)
        return w - LR * (g + momentum * memory["b"] if nesterov else memory["b"])

    return formula


def adam(decay: float = 0.0, decoupled: float = 0.0, largest: bool = False) -> Formula:
    """Adam, AdamW, AMSGrad."""

    def formula(w: Any, g: Any, t: int, memory: Memory) -> Any:
        g = g + decay * w
        m, v = _mean(memory, "m", g, 0.9), _mean(memory, "v", g * g, 0.999)
        memory["top"] = np.maximum(memory["top"], v)
        v = memory["top"] if largest else v
        w = w - LR * decoupled * w
        return w - LR * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    return formula


def nadam(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Adam with Nesterov's momentum."""
    mu, after = (0.9 * (1 - 0.5 * 0.96 ** (0.004 * at)) for at in (t, t + 1))
    m, v = _mean(memory, "m", g, 0.9), _mean(memory, "v", g * g, 0.999)
    product = memory["product"] = (memory["product"] or 1.0) * mu
    m = after * m / (1 - product * after) + (1 - mu) * g / (1 - product)
    return w - LR * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def radam(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Rectified Adam."""
    m, v = _mean(memory, "m", g, 0.9), _mean(memory, "v", g * g, 0.999)
    m = m / (1 - 0.9**t)
    whole = 2 / 0.001 - 1
    rho = whole - 2 * t * 0.999**t / (1 - 0.999**t)
    if rho <= 5:
        return w - LR * m
    r = np.sqrt((rho - 4) * (rho - 2) * whole / ((whole - 4) * (whole - 2) * rho))
    return w - LR * m * r * np.sqrt(1 - 0.999**t) / (np.sqrt(v) + 1e-8)


def adamax(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Adam with the maximum norm."""
    m = _mean(memory, "m", g, 0.9)
    memory["u"] = np.maximum(0.999 * memory["u"], np.abs(g) + 1e-8)
    return w - LR / (1 - 0.9**t) * m / memory["u"]


def adabelief(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Adam with the variance about the first moment."""
    m = _mean(memory, "m", g, 0.9)
    s = memory["s"] = _mean(memory, "s", (g - m) ** 2, 0.999) + 1e-16
    return w - LR * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-16)


def oadam(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Optimistic Adam: two steps forward, the one before back."""
    m, v = _mean(memory, "m", g, 0.5), _mean(memory, "v", g * g, 0.9)
    before = memory["step"]
    memory["step"] = LR * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-8)
    return w - 2 * memory["step"] + before


def yogi(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Adam with an additive second moment."""
    m, v = (memory[name] if t > 1 else 1e-6 for name in "mv")
    m = memory["m"] = 0.9 * m + 0.1 * g
    v = memory["v"] = v + 0.001 * np.sign(g * g - v) * g * g
    return w - LR * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-3)


def rmsprop(momentum: float = 0.0, centered: bool = False) -> Formula:
    """Division by the root of the mean square, or by the standard deviation."""

    def formula(w: Any, g: Any, t: int, memory: Memory) -> Any:
        v, a = _mean(memory, "v", g * g, 0.99), _mean(memory, "a", g, 0.99)
        v = v - a * a if centered else v
        memory["b"] = momentum * memory["b"] + g / (np.sqrt(v) + 1e-8)
        return w - LR * memory["b"]

    return formula


def adagrad(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """A sum of squares that begins with 0.5, and a falling learning rate."""
    memory["s"] = (memory["s"] if t > 1 else 0.5) + g * g
    return w - LR / (1 + 0.1 * (t - 1)) * g / (np.sqrt(memory["s"]) + 1e-10)


def adadelta(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Steps as long as earlier ones."""
    v = _mean(memory, "v", g * g, 0.9)
    d = np.sqrt(memory["u"] + 1e-6) / np.sqrt(v + 1e-6) * g
    _mean(memory, "u", d * d, 0.9)
    return w - LR * d


def rprop(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Step sizes that follow the signs of gradients."""
    turn = np.sign(g * memory["g"])
    size = memory["size"] if t > 1 else LR
    memory["size"] = np.clip(size * np.choose((turn + 1).astype(int), [0.5, 1.0, 1.2]), 1e-6, 50)
    memory["g"] = g * (turn >= 0)
    return w - memory["size"] * np.sign(memory["g"])


def lion(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """The sign of a momentum, and decay."""
    direction = np.sign(0.9 * memory["m"] + 0.1 * g)
    _mean(memory, "m", g, 0.99)
    return w - LR * (direction + 0.1 * w)


def schedule_free_sgd(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Descent of z, whose mean is x; the parameter is between them."""
    z = memory["z"] if t > 1 else w
    x = (w - 0.1 * z) / 0.9
    z = memory["z"] = z - LR * (g + 0.1 * w)
    x = x + (z - x) / t
    return 0.9 * x + 0.1 * z


def schedule_free_adamw(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Adam without momentum of z, and a mean weighted by the largest squared lr of a warm-up."""
    z = memory["z"] if t > 1 else w
    x, lr = (w - 0.1 * z) / 0.9, LR * min(t / 4, 1.0)
    v = _mean(memory, "v", g * g, 0.999)
    z = memory["z"] = z - lr * (g / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + 0.1 * w)
    memory["sum"] += lr**2
    x = x + lr**2 / memory["sum"] * (z - x)
    return 0.9 * x + 0.1 * z
