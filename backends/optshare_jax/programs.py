"""Traced functions as programs: what they captured becomes inputs, equal ones share a compilation.

JAX keeps the arrays that a function captured as constants, those of an inner
`jit` inside the jaxpr of that call, wherever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, cast

import numpy as np

from optshare.extend import CapabilityError
from optshare_jax.library import jax, jax_core

Arrays = Sequence[Any]
Given = Callable[[Any], Any]
"""What stands for a constant: the input that it became."""


def lifted(closed: Any) -> tuple[Any, list[Any]]:
    """A jaxpr without constants, and the arrays that became its first inputs."""
    found = {id(each): each for each in _constants(closed) if each.size}
    if not found:
        return closed, []
    captured = list(found.values())
    places = {place: i for i, place in enumerate(found)}

    def run(captures: Arrays, *inputs: Any) -> list[Any]:
        def given(constant: Any) -> Any:
            return captures[places[id(constant)]] if constant.size else constant

        return _evaluate(closed, inputs, given)

    return jax.make_jaxpr(run)(captured, *closed.in_avals), captured


def _constants(closed: Any) -> Iterator[Any]:
    yield from closed.consts
    for equation in closed.jaxpr.eqns:
        for inner in _inner(equation.params):
            yield from _constants(inner)


def _inner(params: dict[str, Any]) -> Iterator[Any]:
    """The jaxprs among the parameters of an equation."""
    for value in params.values():
        for each in _several(value):
            if isinstance(each, jax_core.Jaxpr):
                yield jax_core.ClosedJaxpr(each, ())
            elif isinstance(each, jax_core.ClosedJaxpr):
                yield each


def _several(value: Any) -> Sequence[Any]:
    return cast(Sequence[Any], value) if isinstance(value, tuple | list) else (value,)


def _evaluate(closed: Any, inputs: Arrays, given: Given) -> list[Any]:
    """The outputs of a jaxpr, with inputs in the place of its constants, the inner ones too."""
    jaxpr = closed.jaxpr
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, map(given, closed.consts), strict=True))
    known.update(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, jax_core.Literal) else known[atom]

    for equation in jaxpr.eqns:
        values = [*map(read, equation.invars)]
        outputs = _evaluated(equation, values, given)
        known.update(zip(equation.outvars, outputs, strict=True))
    return [*map(read, jaxpr.outvars)]


def _evaluated(equation: Any, values: Arrays, given: Given) -> Arrays:
    primitive, params = equation.primitive, equation.params
    if any(True for inner in _inner(params) for _ in _constants(inner)):
        if primitive.name not in _REBUILT:
            raise CapabilityError(
                f"the function captures an array inside {primitive.name}, from where it cannot "
                f"be made an input; pass it as an argument"
            )
        return _REBUILT[primitive.name](params, values, given)
    with equation.ctx.manager:
        outputs = primitive.bind(*values, **primitive.get_bind_params(params))
    return outputs if primitive.multiple_results else [outputs]


def _inlined(params: dict[str, Any], values: Arrays, given: Given) -> Arrays:
    return _evaluate(next(_inner(params)), values, given)


def _checkpoint(params: dict[str, Any], values: Arrays, given: Given) -> Arrays:
    def run(*each: Any) -> Arrays:
        return _inlined(params, each, given)

    rest = {name: params[name] for name in ("policy", "prevent_cse")}
    return jax.checkpoint(run, **rest)(*values)


def _scan(params: dict[str, Any], values: Arrays, given: Given) -> Arrays:
    fixed, carried = params["num_consts"], params["num_carry"]
    constants, start = values[:fixed], values[fixed : fixed + carried]

    def body(carry: Any, x: Any) -> tuple[Any, Any]:
        outputs = _evaluate(params["jaxpr"], [*constants, *carry, *x], given)
        return outputs[:carried], outputs[carried:]

    rest = {name: params[name] for name in ("length", "reverse", "unroll")}
    last, stacked = jax.lax.scan(body, list(start), list(values[fixed + carried :]), **rest)
    return [*last, *stacked]


def _cond(params: dict[str, Any], values: Arrays, given: Given) -> Arrays:
    def branch(closed: Any) -> Callable[..., Any]:
        return lambda *each: _evaluate(closed, each, given)

    return jax.lax.switch(values[0], [*map(branch, params["branches"])], *values[1:])


def _while(params: dict[str, Any], values: Arrays, given: Given) -> Arrays:
    asking, doing = params["cond_nconsts"], params["body_nconsts"]
    asked, done, start = (
        values[:asking],
        values[asking : asking + doing],
        values[asking + doing :],
    )

    def condition(state: Arrays) -> Any:
        return _evaluate(params["cond_jaxpr"], [*asked, *state], given)[0]

    def body(state: Arrays) -> Arrays:
        return _evaluate(params["body_jaxpr"], [*done, *state], given)

    return jax.lax.while_loop(condition, body, list(start))


_REBUILT: dict[str, Callable[[dict[str, Any], Arrays, Given], Arrays]] = {
    "jit": _inlined,
    "custom_jvp_call": _inlined,
    "custom_vjp_call": _inlined,
    "remat2": _checkpoint,
    "checkpoint": _checkpoint,
    "scan": _scan,
    "cond": _cond,
    "while": _while,
}
"""How an equation around captured arrays is made again; nothing is differentiated any more."""

IRRELEVANT = (
    "jvp",
    "jvp_jaxpr_fun",
    "fwd",
    "bwd",
    "fwd_jaxpr_thunk",
    "out_trees",
    "debug_info",
    "name",
)
"""Parameters that matter for a derivative or a message only."""


def fingerprint(closed: Any) -> Hashable:
    """A key that is equal for jaxprs that compute the same in the same way."""
    jaxpr = closed.jaxpr
    numbers = {var: i for i, var in enumerate([*jaxpr.constvars, *jaxpr.invars])}

    def atom(each: Any) -> Hashable:
        if isinstance(each, jax_core.Literal):
            return str(each.aval), np.asarray(each.val).tobytes()
        return numbers.get(each, -1)

    lines: list[Hashable] = [tuple(str(var.aval) for var in (*jaxpr.constvars, *jaxpr.invars))]
    for equation in jaxpr.eqns:
        read = tuple(map(atom, equation.invars))
        for var in equation.outvars:
            numbers[var] = len(numbers)
        made = tuple(str(var.aval) for var in equation.outvars)
        params = tuple(
            (name, _canonical(value))
            for name, value in sorted(equation.params.items())
            if name not in IRRELEVANT
        )
        lines.append((equation.primitive.name, read, made, params))
    return (*lines, tuple(map(atom, jaxpr.outvars)))


def _canonical(value: Any) -> Hashable:
    if isinstance(value, jax_core.Jaxpr):
        value = jax_core.ClosedJaxpr(value, ())
    if isinstance(value, jax_core.ClosedJaxpr):
        return fingerprint(value)
    if isinstance(value, tuple | list):
        return tuple(map(_canonical, _several(value)))
    return value if isinstance(value, Hashable) else id(value)
