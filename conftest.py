"""The Python code in README and docs runs as tests, each document in a folder of its own.

JAX is told, before it is imported, to have float64 and two CPU devices.
"""

import os
from doctest import NORMALIZE_WHITESPACE
from tempfile import TemporaryDirectory

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from optshare import registry


def setup(namespace):
    """Enter an empty folder."""
    folder = TemporaryDirectory()
    namespace["_left"] = folder, os.getcwd(), registry._registry._chosen
    os.chdir(folder.name)


def teardown(namespace):
    """Leave it, and undo a document's `use`."""
    folder, before, registry._registry._chosen = namespace["_left"]
    os.chdir(before)
    folder.cleanup()


os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=NORMALIZE_WHITESPACE), SkipParser()],
    patterns=["README.md", "docs/*.md"],
    setup=setup,
    teardown=teardown,
).pytest()
