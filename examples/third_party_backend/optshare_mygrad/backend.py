"""The verbs: `vjp`, from which `gradient` is derived, and the way to MyGrad's memory."""

from contextlib import contextmanager
from contextvars import ContextVar

import mygrad as mg

from optshare.extend import BaseBackend, FreedRecordError
from optshare_mygrad.array import Array, array, constant, plain
from optshare_mygrad.functions import ops

# It makes the arrays of a living graph read-only, by counts that two threads can spoil.
mg.turn_memory_guarding_off()
inside = ContextVar("inside", default=False)


class MyGradBackend(BaseBackend):
    """MyGrad, whose tensors hold NumPy's arrays."""

    name = "mygrad"
    ops = ops

    def vjp(self, fn, *arrays):
        """The value of a function and its pullback, which can be called once."""
        leaves = [Array(plain(each), constant=False, copy=False) for each in arrays]
        with self.first_order():
            output = fn(*(array(mg.positive(each)) for each in leaves))  # copies it may write into
        if not isinstance(output, mg.Tensor):
            return output, lambda g: [None] * len(arrays)
        unused = [output]

        def pullback(g):
            if not unused:
                raise FreedRecordError("MyGrad frees a graph once it was differentiated")
            unused.pop().backward(plain(g))
            return [like(leaf.grad, each) for leaf, each in zip(leaves, arrays, strict=True)]

        return constant(output), pullback

    @contextmanager
    def first_order(self):
        """Refuse to differentiate inside: MyGrad's backward pass records nothing."""
        if inside.get():
            self.lacks("higher_order")
        token = inside.set(True)
        try:
            yield
        finally:
            inside.reset(token)

    def detacher(self):
        """Constants of tensors; NumPy's arrays stay what they are."""
        return lambda x: constant(x) if isinstance(x, mg.Tensor) else x

    def outside(self, array):
        """A user's own tensor reads as a constant, which MyGrad does not follow."""
        return array if isinstance(array, Array) else constant(array)

    def host_view(self, array):
        """The memory behind a tensor."""
        return super().host_view(plain(array))

    def adopt(self, view):
        """A constant over memory that nobody will write again."""
        return constant(view)

    def memory(self, array):
        """What tensors over the same memory have in common."""
        return super().memory(plain(array))


def like(gradient, given):
    """A gradient as a tensor where a tensor was given."""
    return constant(gradient) if gradient is not None and isinstance(given, mg.Tensor) else gradient


backend = MyGradBackend()
