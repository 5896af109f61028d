"""What a rule keeps for a parameter before the first update."""

from __future__ import annotations

from typing import Any

from optshare.dtypes import is_complex
from optshare.kernels.kinds import complex_names
from optshare.kernels.mathematics import Mathematics


def begun(
    rule: Mathematics, numbers: Mathematics, ops: Any, value: Any, dtype: Any, site: Any
) -> dict[str, Any]:
    """What a rule keeps for a parameter at the beginning: arrays and numbers, by name.

    Args:
        rule: the rule; a hyperparameter with a schedule counts as not 0.
        numbers: the rule with numbers in place of schedules.
        ops: the array functions of the value's memory.
        value: the parameter's array.
        dtype: that of the state.
        site: where the parameter stands.
    """
    fresh = numbers.begin(ops, value, dtype, site)
    lacking = [name for name in rule.state_names() if name not in fresh]
    scheduled = {name: ops.zeros_like(value, dtype=dtype) for name in lacking}
    state = {**dict.fromkeys(rule.scalar_names(), 0.0), **fresh, **scheduled}
    return _of_parts(rule, ops, state) if is_complex(dtype) else state


def _of_parts(rule: Mathematics, ops: Any, state: dict[str, Any]) -> dict[str, Any]:
    """The state with real arrays where only the others are complex."""
    real = set(rule.state_names()) - complex_names(rule)
    return {name: ops.real(each) + 0 if name in real else each for name, each in state.items()}
