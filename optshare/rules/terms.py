"""The terms of a recorded rule, as formulas that people read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from optshare.kernels.expression import Expression
from optshare.kernels.infix import infix, mentions
from optshare.kernels.program import Graph, graph_of
from optshare.rules.base import Rule

Terms = dict[str, str]
"""The formula of each term, by what it is."""
Names = dict[int, str]

GRADIENT, STEP, DECAY = "the gradient g that enters", "the step", "the weight decay"
NUMERATOR, DENOMINATOR = "the numerator of the step", "the denominator of the step"
SHARED = re.compile(r"c\d+")
"""The names of formulas that are shared."""
LONG = 3
"""The operations of scalars from which on a formula that is used twice has a name."""


def is_recorded(rule: Rule) -> bool:
    """Whether a rule is recorded as one graph of expressions: not an array rule, nor a chain."""
    return type(rule).step is not Rule.step and not hasattr(rule, "pieces")


def terms_of(rule: Rule, beside: Rule) -> tuple[Terms, Terms]:
    """The terms of two rules, cut up alike; `c1`, `c2` ... are in both the same formulas.

    >>> from optshare.rules import SGD
    >>> terms_of(SGD(momentum=0.9), SGD())[0]
    {'the gradient g that enters': 'gradient',
     'momentum_buffer': 'momentum * old_momentum_buffer + g',
     'the step': 'lr * momentum_buffer'}
    """
    graphs = graph_of(rule), graph_of(beside)
    shared: dict[str, str] = {}
    for graph in graphs:
        _abbreviate(graph, shared)
    names = [_names(graph, shared) for graph in graphs]
    divided = all(map(_is_quotient, graphs, names))
    one, other = (_terms(g, n, divided) for g, n in zip(graphs, names, strict=True))
    both = set(graphs[0].new) & set(graphs[1].new)
    return one | _beginnings(rule, both), other | _beginnings(beside, both)


def _terms(graph: Graph, names: Names, divided: bool) -> Terms:
    entering = (infix(each, {}) for each in _nodes(graph) if _is_decayed(each))
    terms = {GRADIENT: next(entering, "gradient")}
    for name, each in graph.new.items():
        terms[name] = infix(each, {at: n for at, n in names.items() if at != id(each)})
    main, decay = _parted(graph.step, names)
    if divided:
        above, below = main.operands
        terms |= {NUMERATOR: infix(above, names), DENOMINATOR: infix(below, names)}
    else:
        terms[STEP] = infix(main, names)
    if decay is not None:
        terms[DECAY] = infix(decay, {**names, id(main): "step"})
    for each in _nodes(graph):
        if SHARED.fullmatch(names.get(id(each), "")):
            terms[names[id(each)]] = infix(each, {k: n for k, n in names.items() if k != id(each)})
    return terms


def _beginnings(rule: Rule, names: set[str]) -> Terms:
    begins = rule.initial_values()
    return {f"what {name} begins with": repr(begins.get(name, 0.0)) for name in sorted(names)}


def _is_quotient(graph: Graph, names: Names) -> bool:
    main = _parted(graph.step, names)[0]
    return isinstance(main, Expression) and main.name == "divide" and main.operands[1].on_arrays


def _names(graph: Graph, shared: dict[str, str]) -> Names:
    """By id: the new state, the old one, the gradient that enters, what is shared."""
    names: Names = {}
    for each in _nodes(graph):
        if not each.operands and each.name in graph.new:
            names[id(each)] = f"old_{each.name}"
        elif _is_decayed(each) or (not each.operands and each.name == "gradient"):
            names[id(each)] = "g"
        elif infix(each, {}) in shared:
            names[id(each)] = shared[infix(each, {})]
    return names | {id(e): name for name, e in graph.new.items() if getattr(e, "operands", ())}


def _abbreviate(graph: Graph, shared: dict[str, str]) -> None:
    """Give a name to each long formula of scalars that is used twice."""
    users: dict[str, set[tuple[str, int]]] = {}
    kept = {id(each) for each in graph.new.values()}
    for parent in _nodes(graph):
        for place, each in enumerate(parent.operands):
            if _operations(each) >= LONG and not each.on_arrays and id(each) not in kept:
                users.setdefault(infix(each, {}), set()).add((infix(parent, {}), place))
    for text in sorted(users, key=len):
        if len(users[text]) > 1:
            shared.setdefault(text, f"c{len(shared) + 1}")


def _operations(expression: Any) -> int:
    operands = expression.operands if isinstance(expression, Expression) else ()
    return bool(operands) + sum(map(_operations, operands))


def _nodes(graph: Graph) -> Iterator[Expression]:
    """All expressions of a graph, each once."""
    waiting, seen = [graph.step, *graph.new.values()], set[int]()
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, Expression) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += each.operands


def _is_decayed(expression: Expression) -> bool:
    """Whether it is the gradient with L2 regularisation."""
    return expression.name == "add" and infix(expression, {}) == "gradient + weight_decay * value"


def _parted(step: Any, names: Names) -> tuple[Any, Any]:
    """The step without what is added to it in proportion to the value, and that."""
    if isinstance(step, Expression) and step.name == "add":
        first, second = step.operands
        if mentions(second, "value", names):
            return first, second
    return step, None
