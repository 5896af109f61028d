"""Kernels: what applies a recorded rule to arrays."""
