"""What needs numba: imported when the first compiled kernel is used, never before."""
