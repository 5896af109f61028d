"""Flax's own way of training a classifier, on scikit-learn's digits; one line is optshare's.

Run it with `python examples/flax_digits.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from sklearn.datasets import load_digits

import optshare

jax.config.update("jax_enable_x64", True)


class Net(nnx.Module):
    def __init__(self, rngs):
        self.conv1 = nnx.Conv(1, 8, (3, 3), padding="VALID", param_dtype=jnp.float64, rngs=rngs)
        self.conv2 = nnx.Conv(8, 16, (3, 3), padding="VALID", param_dtype=jnp.float64, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.fc1 = nnx.Linear(256, 64, param_dtype=jnp.float64, rngs=rngs)
        self.fc2 = nnx.Linear(64, 10, param_dtype=jnp.float64, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.conv1(x))
        x = nnx.relu(self.conv2(x))
        x = self.dropout(x.reshape(len(x), -1))
        return self.fc2(nnx.relu(self.fc1(x)))


def datasets():
    images, labels = load_digits(return_X_y=True)
    x = images.reshape(-1, 8, 8, 1) / 16
    train, test = np.split(np.random.default_rng(0).permutation(len(x)), [1438])
    return (x[train], labels[train]), (x[test], labels[test])


def batches(x, y, rng, size=64):
    order = rng.permutation(len(x))
    for start in range(0, len(x) - size + 1, size):
        part = order[start : start + size]
        yield x[part], y[part]


def loss_fn(model, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()


@nnx.jit
def loss_and_gradients(model, x, y):
    return nnx.value_and_grad(loss_fn)(model, x, y)


def train(model, train_set, optimizer, rng):
    model.train()
    losses = []
    for x, y in batches(*train_set, rng):
        loss, gradients = loss_and_gradients(model, x, y)
        optimizer.update(model, gradients)
        losses.append(float(loss))
    return losses


@nnx.jit
def predict(model, x):
    return model(x).argmax(1)


def test(model, test_set):
    model.eval()
    x, y = test_set
    return float((predict(model, x) == y).mean())


def adam(model):
    # return nnx.Optimizer(model, optax.adam(3e-3), wrt=nnx.Param)
    return optshare.Adam(model, lr=3e-3)


def main(make_optimizer=adam, epochs=3):
    train_set, test_set = datasets()
    model = Net(nnx.Rngs(0))
    optimizer = make_optimizer(model)
    rng = np.random.default_rng(0)
    curve = []
    for epoch in range(1, epochs + 1):
        losses = train(model, train_set, optimizer, rng)
        curve += losses
        mean, accuracy = sum(losses) / len(losses), test(model, test_set)
        print(f"epoch {epoch}: loss {mean:.6f}, accuracy {accuracy:.4f}")
    return curve


if __name__ == "__main__":
    main()
