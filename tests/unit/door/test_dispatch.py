"""`ops` and `namespace_of`: resolved by the arguments, without hooks or imports in a step."""

import builtins
import sys
from importlib import metadata

import numpy as np
import pytest

import optshare
from optshare import dispatch, registry
from optshare.errors import CapabilityError, ImplicitUnwrapError, MixedBackendsError

x = np.array([-1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda ops: ops.exp(np.zeros(2)), [1.0, 1.0]),
        (lambda ops: ops.sum(x), 1.0),
        (lambda ops: ops.concat([x, x]), [-1.0, 2.0, -1.0, 2.0]),
        (lambda ops: ops.stack((x, x), axis=1), [[-1.0, -1.0], [2.0, 2.0]]),
        (lambda ops: ops.where(x > 0, x, 0.0), [0.0, 2.0]),
        (lambda ops: ops.nn.relu(x), [0.0, 2.0]),
        (lambda ops: ops.nn.elu(x, alpha=2.0), [2 * np.expm1(-1.0), 2.0]),
        (lambda ops: ops.random.bernoulli((1,), 1.0, x), [1.0, 1.0]),
        (lambda ops: ops.zeros_like(x, dtype=np.dtype("float32")), [0.0, 0.0]),
        (lambda ops: ops.astype(x, np.int64), [-1, 2]),
        (lambda ops: ops.arange(3), [0, 1, 2]),
        (lambda ops: ops.asarray([1.0, 2.0]), [1.0, 2.0]),
        (lambda ops: ops.exp(0.0), 1.0),
        (lambda ops: ops.maximum(x, 0.0), [0.0, 2.0]),
    ],
)
def test_ops_forwards_to_the_namespace_of_its_arguments(call, expected):
    assert np.asarray(call(optshare.ops)).tolist() == expected


def test_every_function_of_the_protocol_is_there_on_the_bundled_engines():
    from optshare.namespace.protocol import NN, Namespace, Random

    for kind, part in ((Namespace, optshare.ops), (NN, optshare.ops.nn)):
        for name in kind.__annotations__:
            assert callable(getattr(part, name)) or name in ("nn", "random")
    available = [name for name, each in registry.report().items() if not isinstance(each, str)]
    assert {"tape", "functional"} <= set(available)
    for name in available:
        found = registry.load(name).ops
        missing = [each for each in Namespace.__annotations__ if not hasattr(found, each)]
        missing += [each for each in NN.__annotations__ if not hasattr(found.nn, each)]
        missing += [each for each in Random.__annotations__ if not hasattr(found.random, each)]
        assert missing == []


def test_namespace_of_gives_the_ops_of_the_owner():
    assert optshare.namespace_of(x) is registry.load("tape").ops
    with optshare.use("functional"):
        assert optshare.namespace_of(x) is registry.load("functional").ops


def test_a_function_of_ops_is_looked_up_once():
    assert optshare.ops.exp is optshare.ops.exp
    assert optshare.ops.exp.__name__ == "exp"


def test_the_namespace_is_resolved_at_each_call(door, site, kind):
    engine = (
        "from types import SimpleNamespace\n"
        "class Engine:\n"
        "    name = {name!r}\n"
        "    ops = SimpleNamespace(exp=lambda x: ('theirs', x))\n"
        "    params = gradient = update = None\n"
        "backend = Engine()\n"
    )
    site.backend("acme", engine=engine)
    theirs = kind("acme.Array")()
    exp = optshare.ops.exp
    assert exp(theirs) == ("theirs", theirs)
    assert exp(np.zeros(1)).tolist() == [1.0]


def test_arrays_in_nested_lists_and_in_keywords_count(door, site, kind):
    site.backend("acme")
    theirs = kind("acme.Array")()
    for call in (
        lambda: optshare.ops.concat([x, [theirs]]),
        lambda: optshare.ops.clip(x, max=theirs),
    ):
        with pytest.raises(MixedBackendsError, match="acme"):
            call()


@pytest.mark.parametrize("box", [optshare.Parameter([1.0]), optshare.Buffer([1.0])])
def test_a_box_is_refused_with_the_fix(box):
    for call in (
        lambda: optshare.ops.exp(box),
        lambda: optshare.ops.concat([x, box]),
        lambda: optshare.relu(box),
    ):
        with pytest.raises(ImplicitUnwrapError, match=r"p\.value"):
            call()


def test_a_function_that_no_engine_has_is_refused_by_name():
    with pytest.raises(CapabilityError, match="no function 'fourier'"):
        optshare.ops.fourier(x)


def test_a_special_name_is_no_function():
    assert not hasattr(optshare.ops, "__array_namespace_info__")


def test_a_facade_of_its_own_is_independent():
    assert dispatch._facade().exp is not optshare.ops.exp


# -- nothing but arithmetic in a step -------------------------------------------------------


class Watch:
    """Counts imports, hook calls and scans of entry points inside its `with`."""

    def __init__(self, monkeypatch):
        self.seen = []
        importing = builtins.__import__

        def imported(name, *args, **kwargs):
            if not name.startswith("numpy."):  # NumPy's C code looks its own helpers up so
                self.seen.append(f"import {name}")
            return importing(name, *args, **kwargs)

        def scanned(**kwargs):
            self.seen.append("scan")
            return ()

        monkeypatch.setattr(builtins, "__import__", imported)
        monkeypatch.setattr(metadata, "entry_points", scanned)

    def __enter__(self):
        self.seen.clear()
        sys.setprofile(self._called)
        return self.seen

    def __exit__(self, *error):
        sys.setprofile(None)

    def _called(self, frame, event, argument):
        if event == "call" and "pluggy" in frame.f_code.co_filename:
            self.seen.append(f"hook {frame.f_code.co_name}")


@pytest.fixture
def watch(monkeypatch):
    return Watch(monkeypatch)


def test_the_watch_sees_a_hook_call_an_import_and_a_scan(site, watch):
    site.backend("acme")
    with watch as seen:
        import json  # noqa: F401 # to be seen

        site.registry().descriptions()
        registry.Registry().descriptions()
    assert "import json" in seen
    assert "scan" in seen
    assert any(each.startswith("hook") for each in seen)


@pytest.mark.parametrize("engine", ["tape", "functional"])
def test_no_hook_call_and_no_import_is_inside_a_step(watch, engine):
    model = optshare.Chain(optshare.Dense(2, 3, optshare.relu), optshare.Dropout(0.5))
    opt = optshare.Adam(model)
    inputs, labels = np.ones((4, 2), np.float32), np.zeros(4, int)
    with optshare.use(engine):
        opt.step(lambda x, y: optshare.nll(model(x), y), inputs, labels)
        with watch as seen:
            for _ in range(3):
                opt.step(lambda x, y: optshare.nll(model(x), y), inputs, labels)
                optshare.gradient(lambda x: optshare.ops.sum(x * x), inputs)
    assert seen == []
