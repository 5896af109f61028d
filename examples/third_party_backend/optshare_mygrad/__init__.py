"""MyGrad as a backend of optshare."""
