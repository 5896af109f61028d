"""Flax's own way of training, with one line changed."""

import importlib.util
from pathlib import Path

import numpy as np
import optax
from flax import nnx

SCRIPT = Path(__file__).parents[1] / "examples" / "flax_digits.py"


def test_a_training_script_with_one_line_changed_has_flaxs_loss_curve(capsys):
    spec = importlib.util.spec_from_file_location("flax_digits", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    ours = script.main(epochs=2)
    printed = capsys.readouterr().out
    theirs = script.main(
        lambda model: nnx.Optimizer(model, optax.adam(3e-3), wrt=nnx.Param), epochs=2
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    assert len(ours) == 2 * 22
    assert "epoch 2: loss 0." in printed
    assert capsys.readouterr().out == printed
