"""Cases of the recurrent layers: over sequences and step by step, several and both ways."""

# Lambdas in a table are not annotated.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

from optshare.layers import GRU, LSTM, RNN, relu
from optshare.testing.layer_cases.case import Case, case


def run(layer: Any, x: Any, *state: Any) -> Any:
    """The outputs of sequences that begin with a state, and the state after them."""
    outputs, after = layer.run(x, state or None)
    return outputs, *after


def step(layer: Any, x: Any, *state: Any) -> Any:
    """The output of one step, and the state after it."""
    output, after = layer.step(x, state or None)
    return output, *after


def _of(name: str, kind: type, kept: int) -> dict[str, Case]:
    """What each kind does; a cell keeps so many arrays."""
    state = [(4, 2)] * kept
    both: dict[str, Any] = {"layers": 2, "bidirectional": True}
    return {
        name: case(lambda: kind(3, 2), (4, 5, 3)),
        f"{name}.state": case(lambda: kind(3, 2), (4, 3, 3), *state, call=run),
        f"{name}.both_ways": case(lambda: kind(3, 2, **both), (1, 4, 3), call=run),
        f"{name}.last": case(
            lambda: kind(3, 2, bidirectional=True, return_sequences=False), (2, 3, 3)
        ),
        f"{name}.layers": case(lambda: kind(3, 2, layers=2, dropout=0.5, bias=False), (2, 3, 3)),
        f"{name}.step": case(lambda: kind(3, 2), (4, 3), *state, call=step),
        f"{name}.empty": case(lambda: kind(3, 2), (0, 5, 3), call=run),
    }


CASES: dict[str, Case] = {
    **_of("rnn", RNN, 1),
    "rnn.relu": case(lambda: RNN(3, 2, relu), (4, 5, 3)),
    **_of("lstm", LSTM, 2),
    **_of("gru", GRU, 1),
}
