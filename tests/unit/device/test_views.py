"""What the seam gives of arrays on a device."""

import sys

import numpy as np
import pytest

from optshare.backend import Seam
from optshare_functional.backend import backend as functional
from optshare_tape import Variable
from optshare_tape.backend import backend as tape


@pytest.mark.parametrize("seam", [Seam(), tape, functional], ids=["base", "tape", "functional"])
def test_an_array_on_the_device_is_its_own_view(seam, library):
    array = library.place(np.arange(3.0))
    assert seam.device_view(array) is array
    assert seam.host_view(array) is None


def test_a_tracked_value_is_seen_as_the_array_under_it(library):
    array = library.place(np.arange(3.0))
    found = tape.device_view(Variable(array) * 1.0)
    assert library.host(found).tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("seam", [Seam(), tape, functional], ids=["base", "tape", "functional"])
def test_an_array_of_the_host_has_no_view_on_a_device(seam, library):
    assert seam.device_view(np.ones(3)) is None


@pytest.mark.parametrize("missing", [True, False])
def test_without_cupy_nothing_has_a_view_and_cupy_is_not_imported(missing, monkeypatch):
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    if missing:
        monkeypatch.setitem(sys.modules, "cupy", None)
    assert Seam().device_view(np.ones(3)) is None
    assert sys.modules.get("cupy") is None


@pytest.mark.parametrize("seam", [Seam(), tape], ids=["base", "tape"])
def test_cupys_own_stream_stays(seam, library):
    array = library.place(np.arange(3.0))
    with seam.device_stream(array) as entered:
        assert entered is None or entered == array.device
