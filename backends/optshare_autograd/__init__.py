"""HIPS autograd behind optshare's door: its boxes, its derivatives, and the standard's names."""
