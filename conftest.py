"""The Python code in README and docs runs as tests, each document in a folder of its own."""

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


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=NORMALIZE_WHITESPACE), SkipParser()],
    patterns=["README.md", "docs/*.md"],
    setup=setup,
    teardown=teardown,
).pytest()
