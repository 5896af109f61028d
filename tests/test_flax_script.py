"""Flax's own way of training, with one line changed."""

import numpy as np
import optax
from flax import nnx

from tests.scripts import script


def test_a_training_script_with_one_line_changed_has_flaxs_loss_curve(capsys):
    main = script("flax_digits").main
    ours = main(epochs=2)
    printed = capsys.readouterr().out
    theirs = main(lambda model: nnx.Optimizer(model, optax.adam(3e-3), wrt=nnx.Param), epochs=2)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    assert len(ours) == 2 * 22
    assert "epoch 2: loss 0." in printed
    assert capsys.readouterr().out == printed
