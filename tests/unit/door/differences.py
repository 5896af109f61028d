"""A stranger's engine in a dozen lines: central differences over plain NumPy arrays."""

import numpy as np

from optshare.extend import BackendDescription, BaseBackend, Capabilities, complete, hookimpl


class Differences(BaseBackend):
    name = "differences"
    ops = complete(np)

    def vjp(self, fn, *arrays):
        def slope(place, index, h=1e-6):
            ends = [[np.array(each) for each in arrays] for _ in "+-"]
            ends[0][place][index] += h
            ends[1][place][index] -= h
            return (fn(*ends[0]) - fn(*ends[1])) / (2 * h)

        def pullback(g):
            return [
                np.reshape([np.sum(g * slope(i, j)) for j in np.ndindex(each.shape)], each.shape)
                for i, each in enumerate(arrays)
            ]

        return fn(*arrays), pullback


backend = Differences()


@hookimpl
def optshare_backend():
    return BackendDescription(
        name="differences",
        array_types=("numpy.ndarray", "numpy.generic"),
        load="differences:backend",
        priority=-1,
        capabilities=Capabilities(vjp=True),
    )
