"""Losses of device arrays: the numbers of NumPy, whichever side the rest of the arguments is on."""

import numpy as np
import pytest

import optshare
from tests.unit.losses.references import CASES
from tests.unit.losses.test_ctc import LABELS, LENGTHS, SCORES


@pytest.mark.parametrize("side", ["host", "device"])
@pytest.mark.parametrize("name", CASES)
def test_a_loss_on_a_device_is_that_of_numpy(name, side, library, backend):
    case = CASES[name]
    place = np.asarray if side == "host" else library.place
    weight, mask = case.given(True, True)
    wanted = optshare.value_and_gradient(
        lambda p: case.ours(p, weight=weight, mask=mask), case.prediction
    )
    found = optshare.value_and_gradient(
        lambda p: case.loss(
            p, place(case.target), weight=place(weight), mask=place(mask), **case.options
        ),
        library.place(case.prediction),
    )
    library.assert_same(found[0], wanted[0])
    library.assert_same(found[1][0], wanted[1][0])


def test_sequences_on_a_device_are_those_of_numpy(library, backend):
    wanted = optshare.value_and_gradient(lambda s: optshare.ctc(s, LABELS, **LENGTHS), SCORES)
    found = optshare.value_and_gradient(
        lambda s: optshare.ctc(s, LABELS, **LENGTHS), library.place(SCORES)
    )
    library.assert_same(found[0], wanted[0])
    library.assert_same(found[1][0], wanted[1][0])
