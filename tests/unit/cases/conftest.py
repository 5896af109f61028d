"""Both engines."""

import pytest

import optshare_functional
import optshare_tape


@pytest.fixture(params=[optshare_tape, optshare_functional], ids=["tape", "functional"])
def engine(request):
    """The module of an engine."""
    return request.param
