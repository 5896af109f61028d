"""Array types of strangers."""

import pytest


@pytest.fixture
def kind():
    """Makes an array type with a dotted name, such as `acme.Array`."""

    def make(dotted, *bases):
        module, _, name = dotted.rpartition(".")
        attributes = {"__module__": module, "shape": (2,), "dtype": "float64"}
        return type(name, bases or (), attributes)

    return make
