"""Level 5: the weights of a model, in a file and back."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from optshare import layers
from optshare.initializers import seed
from optshare.moving import to
from optshare.testing.check import check, require, require_close
from optshare.testing.subject import Subject
from optshare.weight_files import load_weights, save_weights

WEIGHTS = "Weights saved from one engine load on another; identities stay."


@check("state.weights", 5, WEIGHTS)
def _weights(subject: Subject) -> None:
    seed(0)
    host = layers.Dense(3, 2, dtype=np.float64)
    moved = to(layers.Dense(3, 2, dtype=np.float64), subject.name)
    key, weight = moved.weight, host.weight.value
    with TemporaryDirectory() as folder:
        path = Path(folder) / "dense.safetensors"
        save_weights(host, path)
        load_weights(moved, path)
        require_close(subject.host(key.value), weight, "the weight that was loaded", rtol=0)
        save_weights(moved, path)
        back = layers.Dense(3, 2, dtype=np.float64)
        load_weights(back, path)
    require(moved.weight is key, "the Parameter is another one")
    require_close(back.weight.value, weight, "the weight that came back", rtol=0)
