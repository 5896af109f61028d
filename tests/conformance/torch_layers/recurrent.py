"""What the recurrent layers are in PyTorch: its modules' functions, with weights transposed."""

from functools import partial

import torch

FUNCTIONS = {"rnn": torch.rnn_tanh, "lstm": torch.lstm, "gru": torch.gru}


def cells(w):
    """For each layer and direction its weights, as PyTorch has them: two biases, if any."""
    place = 0
    while f"cells.{place}.input_weight" in w:
        at, place = f"cells.{place}.", place + 1
        bias = w.get(f"{at}bias")
        biases = [] if bias is None else [bias, w.get(f"{at}hidden_bias", torch.zeros_like(bias))]
        yield [w[f"{at}input_weight"].T, w[f"{at}hidden_weight"].T, *biases]


def outputs(w, x, *state, function, layers=1, both=False):
    """The outputs, and the state after them: for each cell h and, of an LSTM, c."""
    found = list(cells(w))
    kept = 2 if function is torch.lstm else 1
    begin = state or [x.new_zeros(len(x), found[0][1].shape[1])] * (kept * len(found))
    begin = [torch.stack(begin[k::kept]) for k in range(kept)]
    flat = [each for cell in found for each in cell]
    options = len(found[0]) == 4, layers, 0.0, False, both, True
    y, *after = function(x, begin if kept == 2 else begin[0], flat, *options)
    return [y, *(each[place] for place in range(len(found)) for each in after)]


def last(w, x, function, both=True):
    _, *after = outputs(w, x, function=function, both=both)
    return torch.cat(after[:: len(after) // 2], -1)


def step(w, x, *state, function):
    y, *after = outputs(w, x[:, None], *state, function=function)
    return [y[:, 0], *after]


def _of(name, function):
    run = partial(outputs, function=function)
    return {
        name: lambda w, x: run(w, x)[0],
        f"{name}.state": run,
        f"{name}.both_ways": partial(run, layers=2, both=True),
        f"{name}.last": partial(last, function=function),
        f"{name}.layers": lambda w, x: run(w, x, layers=2)[0],
        f"{name}.step": partial(step, function=function),
        f"{name}.empty": run,
    }


COUNTERPARTS = {
    **{key: value for name, fn in FUNCTIONS.items() for key, value in _of(name, fn).items()},
    "rnn.relu": lambda w, x: outputs(w, x, function=torch.rnn_relu)[0],
}
