"""What the demo shows: a table, and a picture of the loss curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optshare.demo.digits import require
from optshare.demo.training import Run, deviation


def table(runs: Sequence[Run]) -> str:
    """A row for each run: loss by epoch, accuracy, seconds, deviation from the first."""
    count = len(runs[0].losses)
    shown = sorted({1, 2, 5, 10, 15, count} & set(range(1, count + 1)))
    head = ["engine", *(f"loss {epoch}" for epoch in shown), "accuracy", "seconds", "deviation"]
    rows = [_row(run, shown, runs[0]) for run in runs]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("  ".join(map(str.rjust, line, widths)) for line in lines)


def _row(run: Run, shown: Sequence[int], first: Run) -> list[str]:
    return [
        run.backend,
        *(f"{run.losses[epoch - 1]:.6f}" for epoch in shown),
        f"{run.accuracy:.4f}",
        f"{run.seconds:.2f}",
        f"{deviation(first.compared, run.compared):.1e}",
    ]


def draw(runs: Sequence[Run], path: str) -> None:
    """Draw the loss curves into a file; equal curves stay visible as rings around each other."""
    require("matplotlib").use("Agg")
    pyplot: Any = require("matplotlib.pyplot")
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for place, run in enumerate(runs):
        width = 2 + 3 * (len(runs) - 1 - place)
        label = f"{run.backend} ({run.accuracy:.1%} on the test digits)"
        axes.plot(range(1, len(run.losses) + 1), run.losses, linewidth=width, label=label)
    axes.set(xlabel="epoch", ylabel="training loss", yscale="log", title="One model, one Adam")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
