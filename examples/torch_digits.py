"""PyTorch's own way of training a classifier, on scikit-learn's digits; one line is optshare's.

Run it with `python examples/torch_digits.py`.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import optshare


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3)
        self.conv2 = nn.Conv2d(8, 16, 3)
        self.fc1 = nn.Linear(256, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        x = torch.flatten(x, 1)
        return self.fc2(torch.relu(self.fc1(x)))


def datasets():
    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images).reshape(-1, 1, 8, 8) / 16
    everything = TensorDataset(x, torch.tensor(labels, dtype=torch.int64))
    split = torch.Generator().manual_seed(0)
    return torch.utils.data.random_split(everything, [0.8, 0.2], split)


def train(model, train_loader, optimizer):
    model.train()
    losses = []
    for data, target in train_loader:
        optimizer.zero_grad()
        loss = cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def test(model, test_loader):
    model.eval()
    correct = sum((model(data).argmax(1) == target).sum().item() for data, target in test_loader)
    return correct / len(test_loader.dataset)


def adam(model):
    # return torch.optim.Adam(model.parameters(), lr=3e-3)
    return optshare.Adam(model, lr=3e-3)


def main(make_optimizer=adam, epochs=3):
    torch.manual_seed(0)
    train_set, test_set = datasets()
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=256)
    model = Net().double()
    optimizer = make_optimizer(model)
    curve = []
    for epoch in range(1, epochs + 1):
        losses = train(model, train_loader, optimizer)
        curve += losses
        mean, accuracy = sum(losses) / len(losses), test(model, test_loader)
        print(f"epoch {epoch}: loss {mean:.6f}, accuracy {accuracy:.4f}")
    return curve


if __name__ == "__main__":
    main()
