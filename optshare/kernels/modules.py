"""Modules whose source was generated, kept in files so that what is compiled can be kept too."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from types import ModuleType

VARIABLE = "OPTSHARE_CACHE_DIR"
PATIENCE = 1.0
"""In seconds; who waits longer is told for what."""


def loaded(source: str, title: str) -> ModuleType:
    """The module of a source; says what it does where it takes longer than `PATIENCE`.

    Args:
        source: of which the file's name has a digest.
        title: what it is, for who waits.
    """
    source = f'"""{title}; made by optshare, for numba {metadata.version("numba")}."""\n{source}'
    name = f"optshare_{sha256(source.encode()).hexdigest()[:24]}"
    file = _kept(directory(), name, source)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None, file
    assert spec.loader is not None, file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where what was compiled looks for it
    with announced(f"optshare is compiling {title}, once; it is kept in {file.parent}"):
        try:
            spec.loader.exec_module(module)
        except Exception:  # whatever unpickling a damaged file raises
            _forget_compiled(file)
            spec.loader.exec_module(module)
    return module


@cache
def directory() -> Path:
    """Where the files are: `OPTSHARE_CACHE_DIR`, else in the user's cache, else a temporary one."""
    given = os.environ.get(VARIABLE)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    wanted = Path(given) if given else Path(home) / "optshare"
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError:
        return Path(tempfile.mkdtemp(prefix="optshare-"))


def _kept(folder: Path, name: str, source: str) -> Path:
    """The file of a source, written at once where it is missing or another one."""
    file = folder / f"{name}.py"
    with suppress(OSError):
        if file.read_text() == source:
            return file  # as old as it was, for what was compiled belongs to that age
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False) as new:
        new.write(source)
    Path(new.name).replace(file)
    return file


def _forget_compiled(file: Path) -> None:
    """Remove what numba kept of a module's functions: a damaged file cannot be read again."""
    for kept in (file.parent / "__pycache__").glob(f"{file.stem}.*.nb[ic]"):
        kept.unlink(missing_ok=True)


@contextmanager
def announced(message: str) -> Generator[None]:
    """A `with` that prints a message to the standard error stream if it lasts too long."""
    timer = threading.Timer(PATIENCE, print, [f"{message} ..."], {"file": sys.stderr})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
