"""PyTorch behind optshare's door: shared layers and optimizers on `torch.Tensor`."""
