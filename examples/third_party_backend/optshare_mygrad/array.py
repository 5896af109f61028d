"""MyGrad's tensor, taught three manners: Parameters, weak scalars, and `abs`."""

import mygrad as mg
import numpy as np

from optshare.extend import Box


class Array(mg.Tensor):
    """A tensor whose operators read Parameters, and keep its dtype beside Python's numbers."""

    device = "cpu"  # the Array API's attribute, by which p.value = [1.0, 2.0] finds its place

    @classmethod
    def _op(cls, Op, *operands, **options):  # noqa: N803 (MyGrad's name)
        """Record one operation; every operator of a tensor comes through here."""
        return array(super()._op(Op, *weak(operands), **options))

    def __abs__(self):
        return array(mg.abs(self))

    def __deepcopy__(self, memo):
        return constant(self.data.copy())


def constant(x):
    """An Array over the same memory that is not differentiated."""
    return array(mg.Tensor(plain(x), constant=True, copy=False))


def array(tensor):
    """The same tensor as an Array: MyGrad's own functions give its own class."""
    tensor.__class__ = Array
    return tensor


def plain(x):
    """NumPy's array behind a tensor; anything else as it is."""
    return x.data if isinstance(x, mg.Tensor) else x


def weak(operands):
    """The operands as MyGrad may see them: no Parameter, no Python number beside an array."""
    values = [each.value if isinstance(each, Box) else each for each in operands]
    dtypes = [each.dtype for each in values if hasattr(each, "dtype")]
    floats = [each for each in dtypes if each.kind == "f"]
    if not floats:
        return values
    dtype = np.result_type(*dtypes)
    return [np.asarray(x, dtype) if isinstance(x, int | float) else x for x in values]
