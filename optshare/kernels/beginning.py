"""What a rule keeps for a parameter before the first update."""

from __future__ import annotations

from typing import Any

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
    return {**dict.fromkeys(rule.scalar_names(), 0.0), **fresh, **scheduled}
