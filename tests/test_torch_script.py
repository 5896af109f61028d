"""PyTorch's own way of training, with one line changed."""

import importlib.util
from pathlib import Path

import numpy as np
import torch

SCRIPT = Path(__file__).parents[1] / "examples" / "torch_digits.py"


def test_a_training_script_with_one_line_changed_has_pytorchs_loss_curve(capsys):
    spec = importlib.util.spec_from_file_location("torch_digits", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    ours = script.main()
    theirs = script.main(lambda model: torch.optim.Adam(model.parameters(), lr=3e-3))
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    assert len(ours) == 3 * 23
    assert "epoch 3: loss 0." in capsys.readouterr().out
