"""What a backend's `ops` is: the Array API standard's functions, with `nn` and `random`."""
