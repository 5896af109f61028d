"""What is compiled is kept in files, found by the next process, and made anew if damaged."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba")

UPDATE = """
import numpy as np
import optshare
from optshare.kernels import modules

parameter = optshare.Parameter(np.ones(40_000, np.float32))
opt = optshare.SGD([parameter], lr=0.5)
for _ in range(4):
    opt.update([np.ones(40_000, np.float32)])
assert (parameter.value == -1).all(), parameter.value
print(modules.directory())
"""


def updated(folder):
    """The folder that a process used, and what it said meanwhile."""
    variables = os.environ | {"OPTSHARE_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", UPDATE],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def compiled(folder):
    """The files of machine code, and when they were written."""
    return {each: each.stat().st_mtime_ns for each in folder.rglob("*.nbc")}


def test_a_second_process_compiles_nothing(tmp_path):
    updated(tmp_path)
    before = compiled(tmp_path)
    assert before
    assert updated(tmp_path) == (str(tmp_path), "")
    assert compiled(tmp_path) == before


@pytest.mark.parametrize("ending", ["py", "nbi", "nbc"])
@pytest.mark.parametrize("damage", [b"", b"\x00 no such thing"])
def test_what_is_damaged_is_made_anew(tmp_path, ending, damage):
    updated(tmp_path)
    files = list(tmp_path.rglob(f"*.{ending}"))
    assert files
    for each in files:
        each.write_bytes(damage)
    updated(tmp_path)


def test_a_folder_that_cannot_be_made_is_replaced_by_a_temporary_one(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    used, _ = updated(tmp_path / "file" / "cache")
    assert "optshare-" in used
