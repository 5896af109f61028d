"""A model moved to MyGrad trains as on the tape: the same losses, step by step."""

import numpy as np

import optshare

rng = np.random.default_rng(0)
x = rng.normal(size=(64, 5))
heights = np.sin(x @ rng.normal(size=(5, 2)))
labels = np.argmax(heights, axis=1)


def losses(engine, loss, rule, activation):
    """The losses of 50 steps on one engine, from one beginning."""
    optshare.seed(0)
    start = np.random.default_rng(1)
    model = optshare.Chain(
        optshare.Dense(5, 16, activation, dtype=np.float64, rng=start),
        optshare.Dropout(0.2),
        optshare.Dense(16, 2, dtype=np.float64, rng=start),
    )
    optshare.to(model, engine)
    opt = rule(model, lr=0.05)
    return [float(opt.step(lambda: loss(model(x)))) for _ in range(50)]


def regression(output):
    """The mean squared error."""
    return optshare.mse(output, heights)


def classification(output):
    """The negative log likelihood."""
    return optshare.nll(output, labels)


if __name__ == "__main__":
    for loss in (regression, classification):
        for rule in (optshare.SGD, optshare.Adam):
            for activation in (optshare.tanh, optshare.relu):
                mine, tapes = (losses(on, loss, rule, activation) for on in ("mygrad", "tape"))
                deviation = max(abs(a - b) for a, b in zip(mine, tapes, strict=True))
                print(
                    f"{loss.__name__:15} {rule.__name__:5} {activation.__name__:5}"
                    f" {mine[0]:.4f} -> {mine[-1]:.4f}, off the tape by {deviation:.1e}"
                )
                assert mine[-1] < mine[0]
                assert deviation <= 1e-12
