"""What a summary consists of, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One layer of a summary."""

    path: str
    layer: str
    output: tuple[int, ...] | None
    """The shape of what it gives; `None` unless that is one array."""
    parameters: int
    """How many numbers its own Parameters hold that no row above has counted."""
    flops: int
    """Of the operations that no layer inside it does."""
    frozen: bool
    """Whether all its parameters are frozen."""
    ties: tuple[str, ...]
    """Where its parameters stand first, if that is in another layer."""


@dataclass(frozen=True)
class Summary:
    """What `summary` gives; printed, it is a table."""

    rows: list[Row]
    parameters: int
    """How many numbers all Parameters hold, each counted once."""
    frozen: int
    """How many of them are frozen."""
    flops: int
    memory: int
    """Bytes of the parameters."""

    def __str__(self) -> str:
        head = ["path", "layer", "output", "parameters", "FLOPs", ""]
        table = [head, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[place]) for line in table) for place in range(len(head))]
        lines = [
            "  ".join(map(_aligned, line, widths, range(len(head)))).rstrip() for line in table
        ]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:], rule, self._totals()])

    def _totals(self) -> str:
        frozen = f", {self.frozen:,} of them frozen" if self.frozen else ""
        return (
            f"{self.parameters:,} parameters{frozen}, {_bytes(self.memory)}; {self.flops:,} FLOPs"
        )


def _cells(row: Row) -> list[str]:
    marks = ["frozen"] * row.frozen + [f"tied to {path}" for path in row.ties]
    return [
        row.path or "(the model)",
        row.layer,
        str(row.output) if row.output is not None else "several",
        f"{row.parameters:,}",
        f"{row.flops:,}",
        ", ".join(marks),
    ]


def _aligned(cell: str, width: int, place: int) -> str:
    return cell.rjust(width) if place in (3, 4) else cell.ljust(width)


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.1f} {unit}" if unit != "B" else f"{count} B"
        count /= 1024
    return f"{count:.1f} GiB"
