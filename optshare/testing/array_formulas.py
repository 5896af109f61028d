"""The rules that see whole arrays, as formulas in NumPy, written apart from the rules themselves.

Of the kind of `rule_formulas`: each takes a value, a gradient, the step count and its memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optshare.testing.rule_formulas import LR, Memory

COEFFICIENTS = 3.4445, -4.7750, 2.0315


def _length(x: Any) -> float:
    return float(np.linalg.norm(np.ravel(x)))


def lars(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Momentum whose steps are a tenth of the weights long, with weight decay."""
    ratio = 0.1 * _length(w) / (_length(g) + 0.1 * _length(w))
    memory["b"] = 0.9 * memory["b"] + LR * ratio * (g + 0.1 * w)
    return w - memory["b"]


def lamb(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """Adam whose steps are as long as the weights, with weight decay inside."""
    memory["m"] = 0.9 * memory["m"] + 0.1 * g
    memory["v"] = 0.999 * memory["v"] + 0.001 * g * g
    r = memory["m"] / (1 - 0.9**t) / (np.sqrt(memory["v"] / (1 - 0.999**t)) + 1e-6)
    u = r + 0.1 * w
    return w - LR * _length(w) / _length(u) * u


def adafactor(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """A second moment of rows and columns, and decay."""
    fresh, eps = t**-0.8, np.finfo(np.float64).eps
    memory["rows"] = (1 - fresh) * memory["rows"] + fresh * np.mean(g**2, axis=1)
    memory["columns"] = (1 - fresh) * memory["columns"] + fresh * np.mean(g**2, axis=0)
    v = np.outer(memory["rows"], memory["columns"]) / max(
        _length(memory["rows"] ** 0.5) ** 2 / len(w), eps
    )
    u = g / np.sqrt(np.maximum(v, eps**2))
    rate = min(LR, t**-0.5) * max(1e-3, _length(w) / w.size**0.5)
    return (1 - LR * 0.1) * w - rate * u / max(1.0, _length(u) / u.size**0.5)


def muon(w: Any, g: Any, t: int, memory: Memory) -> Any:
    """A momentum whose singular values s become p(p(p(p(p(s))))), and decay."""
    memory["m"] = 0.95 * memory["m"] + 0.05 * g
    left, s, right = np.linalg.svd(0.95 * memory["m"] + 0.05 * g, full_matrices=False)
    s, (a, b, c) = s / _length(s), COEFFICIENTS
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    return (1 - LR * 0.1) * w - LR * 0.2 * max(w.shape) ** 0.5 * (left * s) @ right
