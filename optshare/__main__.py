"""`python -m optshare`: the demo, and the list of backends."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optshare import registry
from optshare.backend import Backend, Capabilities
from optshare.errors import OptshareError
from optshare.narrowing import is_sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it went well, 1 with the reason on stderr if not."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help()
        return 0
    try:
        if given.command == "backends":
            backends()
        elif given.command == "conformance":
            return conformance(given.backend, given.level, given.json)
        else:
            demo(given.engines, given.epochs, given.picture)
    except OptshareError as error:
        print(f"optshare: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m optshare",
        description="One optimizer and one set of layers for every AD engine.",
    )
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("backends", help="list each backend with its capabilities, or its reason")
    kit = commands.add_parser("conformance", help="hold a backend to the protocol")
    kit.add_argument("backend")
    kit.add_argument("--level", type=int, choices=range(8), default=7, help="the last level to run")
    kit.add_argument("--json", type=Path, metavar="FILE", help="where to write the outcomes")
    demo = commands.add_parser("demo", help="train one model on digits, on every engine")
    demo.add_argument("engines", nargs="*", help="which engines; all that are installed by default")
    demo.add_argument("--epochs", type=_positive, default=20)
    demo.add_argument("--picture", default="demo.png", help="where to draw the loss curves")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, at least 1")
    return int(text)


def backends() -> None:
    """Print each installed backend with its capabilities, each unavailable one with its reason."""
    for name, found in registry.report().items():
        print(name)
        if isinstance(found, Capabilities):
            for capability, value in found.declared().items():
                print(f"  {capability}: {', '.join(value) if is_sequence(value) else 'yes'}")
        else:
            print(f"  unavailable: {found}")


def conformance(backend: str, level: int, path: Path | None) -> int:
    """Run the conformance suite; 1 if a check failed."""
    from optshare.testing import report, suite  # noqa: PLC0415 # only this command needs it

    registry.load(backend)
    if path is not None and not path.resolve().parent.is_dir():
        raise OptshareError(f"there is no folder for {path}")
    outcomes = suite.Run(backend).outcomes(level)
    print(report.summary(backend, outcomes))
    if path is not None:
        path.write_text(json.dumps(report.as_json(backend, outcomes), indent=2) + "\n")
    return int(any(each.status == "failed" for each in outcomes))


def demo(engines: Sequence[str], epochs: int, picture: str) -> None:
    """Train the model on each engine; print the table, and draw the picture."""
    from optshare import demo as show  # noqa: PLC0415 # only the demo needs it
    from optshare.demo.digits import require  # noqa: PLC0415 # only the demo needs it

    registry.preferred()  # a wrong OPTSHARE_BACKEND is said before anything is done
    _require_picture(Path(picture))
    names = list(dict.fromkeys(engines)) or _engines()
    for name in names:
        _require_arrays(registry.load(name))
    digits = show.load_digits()
    print(f"{len(digits.train_x)} digits to train on, {len(digits.test_x)} to test on")
    runs: list[show.Run] = []
    for name in names:
        with require("tqdm").tqdm(total=epochs, desc=f"{name:>12}", unit="epoch") as bar:
            runs.append(show.train(name, digits, epochs, bar.update))
    print(f"\n{show.table(runs)}\n")
    print(f"deviation: of the parameters after {min(5, epochs)} epochs from those of {names[0]}")
    show.draw(runs, picture)
    print(f"loss curves: {picture}")


def _engines() -> list[str]:
    """The backends that load and can train."""
    able: list[str] = []
    for name, found in registry.report().items():
        try:
            if isinstance(found, Capabilities):
                _require_arrays(registry.load(name))
                able.append(name)
        except OptshareError as error:
            print(f"{name} is left out: {error}")
    return able


def _require_arrays(backend: Backend) -> None:
    """Raise unless a backend makes float64 arrays of NumPy's its own."""
    try:
        array: Any = backend.ops.asarray(np.zeros(1))
    except OptshareError:
        raise
    except Exception as error:  # whatever a stranger's function raises
        raise OptshareError(f"backend {backend.name!r} makes no arrays: {error}") from error
    if backend.name not in registry.claimants(array.__class__):
        raise OptshareError(
            f"backend {backend.name!r} does not claim the arrays that its ops makes"
        )


def _require_picture(path: Path) -> None:
    if not path.resolve().parent.is_dir():
        raise OptshareError(f"there is no folder for the picture {path}")
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise OptshareError(f"the picture {path} must end in .png, .svg or .pdf")


if __name__ == "__main__":
    sys.exit(main())
