"""Strangers to hold to the protocol: the tape under another name, with a twist."""

import contextlib
import io
import textwrap

import pytest

from optshare.backend import Capabilities

ENGINE = """
from optshare.errors import BackendError, OptshareError
from optshare_tape.backend import TapeBackend, backend as tape


class Ops:
    def __getattr__(self, name):
        return getattr(tape.ops, name)


class Engine(TapeBackend):
    name = {name!r}
    ops = Ops()


class Twist:
    pass
{twist}

for function, twisted in vars(Twist).items():
    if not function.startswith("__"):
        owner = Engine if hasattr(Engine, function) or not hasattr(tape.ops, function) else Ops
        setattr(owner, function, twisted)

backend = Engine()
"""

CLAIMED = ("numpy.ndarray", "numpy.generic", "optshare_tape.values.Value")
ABLE = Capabilities(
    vjp=True,
    higher_order=True,
    inplace=True,
    complex=True,
    dtypes=("float16", "float32", "float64", "complex64", "complex128"),
)

TWISTS = {
    "nothing": "",
    "another name": "    name = 'impostor'",
    "parameters backwards": """
        def params(self, model):
            return TapeBackend.params(self, model)[::-1]
    """,
    "exp has another slope": """
        @staticmethod
        def exp(x):
            return tape.ops.exp(x) + 0.5 * (x - tape.ops.stop_gradient(x))
    """,
    "exp has a slope that is off by 1e-10": """
        @staticmethod
        def exp(x):
            return tape.ops.exp(x) + 1e-10 * (x - tape.ops.stop_gradient(x))
    """,
    "exp has another value": """
        @staticmethod
        def exp(x):
            return tape.ops.exp(x) + 0.5
    """,
    "exp has no gradient": """
        @staticmethod
        def exp(x):
            return tape.ops.exp(tape.ops.stop_gradient(x))
    """,
    "exp gives NaN": """
        @staticmethod
        def exp(x):
            return tape.ops.exp(x) * float("nan")
    """,
    "the gradient of flip is not flipped": """
        @staticmethod
        def flip(x, **axis):
            stop = tape.ops.stop_gradient
            return stop(tape.ops.flip(x, **axis)) + (x - stop(x))
    """,
    "the gradient of softmax is zero": """
        class nn:
            def __getattr__(self, name):
                return getattr(tape.ops.nn, name)

            def softmax(self, x):
                return tape.ops.nn.softmax(tape.ops.stop_gradient(x)) + 0 * x
        nn = nn()
    """,
    "exp raises": """
        @staticmethod
        def exp(x):
            raise ZeroDivisionError("no exponentials today")
    """,
    "update does nothing": """
        def update(self, key, new_value):
            pass
    """,
    "update takes any shape": """
        def update(self, key, new_value):
            try:
                TapeBackend.update(self, key, new_value)
            except OptshareError:
                pass
    """,
    "no gradient of a number": """
        def gradient(self, fn, keys, *args):
            value, found = TapeBackend.gradient(self, fn, keys, *args)
            return value, [g if key.shape else None for key, g in zip(keys, found)]
    """,
    "no gradient within a gradient": """
        depth = [0]

        def gradient(self, fn, keys, *args):
            if self.depth[0]:
                raise BackendError("once is enough")
            self.depth[0] += 1
            try:
                return TapeBackend.gradient(self, fn, keys, *args)
            finally:
                self.depth[0] -= 1
    """,
    "parameters out of nothing": """
        from optshare import Parameter
        found = Parameter([1.0, 2.0])

        def params(self, model):
            return TapeBackend.params(self, model) or [("phantom", self.found)]
    """,
}


def engine(twist):
    """The source of an engine, which still wants its name."""
    body = textwrap.indent(textwrap.dedent(TWISTS[twist]), "    ") if twist else ""
    if not TWISTS[twist].startswith("\n"):
        body = TWISTS[twist]
    return ENGINE.replace("{twist}", body)


@pytest.fixture
def install(site):
    """Puts the tape with a twist into `site`; gives its name."""

    def install(twist="nothing", name="twisted", **description):
        given = {"array_types": CLAIMED, "capabilities": ABLE} | description
        site.backend(name, engine=engine(twist), **given)
        return name

    return install


@pytest.fixture
def stranger(door, install):
    """The tape with a twist, installed and known to the process."""
    return install


@pytest.fixture
def execute():
    """Runs a program in a fresh namespace; gives what it printed."""

    def execute(program):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(program, "<program>", "exec"), {"__name__": "program"})
        return printed.getvalue()

    return execute
