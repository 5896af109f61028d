"""Environments of their own, and commands that know nothing of the checkout."""

import os
import subprocess
import sys


def ended(*command, cwd):
    """A command that has ended; no variable of this environment points it at the checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def run(*command, cwd):
    """What a command prints that succeeds."""
    ran = ended(*command, cwd=cwd)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def interpreter(folder, *distributions):
    """That of a new environment in a folder, which holds these and what they require."""
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", *distributions, cwd=folder)
    return python
