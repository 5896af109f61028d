"""What is measured: sets of parameters, and who updates them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.benchmarks.updates import shapes
from tests.benchmarks.updates.floors import floor
from tests.benchmarks.updates.ours import (
    Ours,
    OverJax,
    OverJaxWithLoss,
    OverTorch,
    stepped,
    updated,
)
from tests.benchmarks.updates.peers import Keras, Thinc, optax_adam, torch_adam
from tests.benchmarks.updates.problem import LR

FLOOR = "floor"
FUSED, DEFAULT = "torch, fused", "torch"
OPTAX, OPTAX_LOSS = "optax, donated", "optax, donated, with the loss"


@dataclass(frozen=True)
class Study:
    """One set, and its contestants: functions of a Problem."""

    name: str
    title: str
    shapes: Callable[[bool], Sequence[tuple[int, ...]]]
    contestants: dict[str, Callable[[Any], Any]]
    compared: Sequence[str]
    notes: str = ""
    tuned: bool = False
    """Whether the allocator keeps what is freed, here and in all studies after it."""


PEERS = {
    FUSED: torch_adam(fused=True),
    DEFAULT: torch_adam(),
    OPTAX: optax_adam(),
}
OTHERS = {
    "optax, not donated": optax_adam(donated=False),
    "Keras on torch": Keras,
    "thinc": Thinc,
}
OURS = {
    "optshare NumPy only, update": updated(Ours, only="numpy"),
    "optshare NumPy only, step()": stepped(Ours, only="numpy"),
    "optshare fast, update": updated(Ours),
    "optshare fast, step()": stepped(Ours),
    "optshare fast, update, nonfinite='raise'": updated(Ours, nonfinite="raise"),
    "optshare torch, update": updated(OverTorch),
    "optshare torch, step()": stepped(OverTorch),
    "optshare JAX, update": updated(OverJax),
}
LOSSES = {
    OPTAX_LOSS: optax_adam(loss=True),
    "optshare JAX, step(fn)": OverJaxWithLoss,
}


def rule(name, **hyperparameters):
    """optshare's rule of a name over Parameters, by `opt.update(gradients)`."""
    return updated(Ours, rule=partial(_rule, name, {"lr": LR, **hyperparameters}))


def _rule(name, hyperparameters):
    import optshare

    return getattr(optshare, name)(**hyperparameters)


FIVE, SEVEN = "floor, 5 streams", "floor, 7 streams"
RULES = {
    "optshare SGD, momentum": (FIVE, rule("SGD", momentum=0.9)),
    "optshare RMSProp": (FIVE, rule("RMSProp")),
    "optshare Lion": (FIVE, rule("Lion")),
    "optshare AdamW": (SEVEN, rule("AdamW")),
}
"""For each rule the floor of its streams, what it reads and what it writes."""

STUDIES = {
    each.name: each
    for each in (
        Study(
            "one-array",
            "One array of 10 million",
            shapes.one_array,
            {FLOOR: floor(3), **PEERS, **OTHERS, **OURS},
            (FLOOR, FUSED),
        ),
        Study(
            "resnet-50",
            "ResNet-50, 25.6 million in 161 arrays",
            shapes.resnet_50,
            {FLOOR: floor(3), **PEERS, **OTHERS, **OURS},
            (FLOOR, FUSED),
        ),
        Study(
            "thousand-arrays",
            "1000 arrays of 64 to 1024",
            shapes.thousand_arrays,
            {FLOOR: floor(3), **PEERS, "Keras on torch": Keras, "thinc": Thinc, **OURS, **LOSSES},
            (FLOOR, FUSED, OPTAX, OPTAX_LOSS),
            notes="*With the loss* is one compiled function, or one `opt.step(fn)`, for half the "
            "sum of all squares, its gradients and the update.",
        ),
        Study(
            "rules",
            "Other rules, one array of 10 million",
            shapes.one_array,
            {FIVE: floor(2), SEVEN: floor(3), **{name: each for name, (_, each) in RULES.items()}},
            (FIVE, SEVEN),
            notes="Parameters, by `opt.update`.",
        ),
        *(
            Study(
                f"{name}-tuned",
                f"{title}, tuned allocator",
                those,
                {FLOOR: floor(3), **PEERS, "optax, not donated": optax_adam(donated=False)},
                (FLOOR, FUSED),
                tuned=True,
            )
            for name, title, those in (
                ("one-array", "One array of 10 million", shapes.one_array),
                ("resnet-50", "ResNet-50", shapes.resnet_50),
            )
        ),
    )
}
