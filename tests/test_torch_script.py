"""PyTorch's own way of training, with one line changed."""

import numpy as np
import torch

from tests.scripts import script


def test_a_training_script_with_one_line_changed_has_pytorchs_loss_curve(capsys):
    main = script("torch_digits").main
    ours = main()
    theirs = main(lambda model: torch.optim.Adam(model.parameters(), lr=3e-3))
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    assert len(ours) == 3 * 23
    assert "epoch 3: loss 0." in capsys.readouterr().out
