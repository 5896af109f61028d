"""A plugin that fails is listed with its reason, and never breaks the host."""

import sys
import threading

import numpy as np
import pytest

import optshare
from optshare.errors import UnavailableBackendError, UnclaimedArrayError
from optshare.registry import Registry

HOOK = """
from optshare.extend import BackendDescription, Capabilities, hookimpl

@hookimpl
def optshare_backend({parameters}):
    return {answer}
"""


def described(**changes):
    given = {"name": "'bad'", "array_types": "('bad.Array',)", "load": "'bad_engine:backend'"}
    arguments = ", ".join(f"{key}={value}" for key, value in (given | changes).items())
    return HOOK.format(parameters="", answer=f"BackendDescription({arguments})")


def answering(answer, parameters=""):
    return HOOK.format(parameters=parameters, answer=answer)


def assert_only_bad_is_broken(site, *essence):
    """`bad` is unavailable for its own reason; a good one before and after it works."""
    site.backend("acme")
    site.backend("zeta")
    registry = site.registry()
    assert list(registry.report())[:2] == ["acme", "zeta"]
    assert registry.load("acme").name == "acme"
    assert registry.load("zeta").name == "zeta"
    with pytest.raises(UnavailableBackendError, match="'bad' is unavailable"):
        registry.load("bad")
    for part in essence:
        assert part in registry.reasons()["bad"]
    return registry


# -- plugins that cannot be asked -----------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "essence"),
    [
        ("import no_such_framework", "ModuleNotFoundError: No module named 'no_such_framework'"),
        ("raise ImportError('libzip.so is missing')", "ImportError: libzip.so is missing"),
        ("raise SystemExit('go away')", "SystemExit: go away"),
        ("raise SystemExit", "SystemExit"),
        ("raise ZeroDivisionError", "ZeroDivisionError"),
        ("def broken(:", "SyntaxError"),
        ("raise RecursionError('too deep')", "RecursionError: too deep"),
        ("import warnings; warnings.warn('old', DeprecationWarning)", "DeprecationWarning: old"),
        ("class Odd(Exception): pass\nraise Odd('strange')", "Odd: strange"),
    ],
)
def test_a_plugin_that_raises_at_import_is_listed_with_what_it_said(site, source, essence):
    site.plugin("bad", source)
    assert_only_bad_is_broken(site, "bad 1.0", essence)


def test_an_exception_that_cannot_be_shown_is_still_a_reason(site):
    site.plugin(
        "bad",
        "class Odd(Exception):\n"
        "    def __str__(self):\n"
        "        raise RuntimeError('not even this')\n"
        "raise Odd\n",
    )
    assert_only_bad_is_broken(site, "bad 1.0", "Odd")


def test_a_keyboard_interrupt_is_the_users_and_passes(site):
    site.plugin("bad", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        site.registry().descriptions()


def test_an_entry_point_to_no_module_is_listed(site):
    site.distribution("bad", "bad = nowhere.plugin")
    assert_only_bad_is_broken(site, "bad 1.0", "nowhere")


def test_an_entry_point_to_no_attribute_is_listed(site):
    site.write("bad_plugin", "")
    site.distribution("bad", "bad = bad_plugin:missing")
    assert_only_bad_is_broken(site, "bad 1.0", "missing")


@pytest.mark.parametrize("thing", ["None", "3", "'plugin'", "[]", "{}", "object()"])
def test_an_entry_point_to_something_that_is_no_plugin_is_listed(site, thing):
    site.write("bad_plugin", f"plugin = {thing}")
    site.distribution("bad", "bad = bad_plugin:plugin")
    assert_only_bad_is_broken(site, "bad 1.0")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def optshare_backend(): return None",
        "from optshare.extend import hookimpl\n@hookimpl\ndef optshare_backends(): return None",
    ],
)
def test_a_plugin_without_the_hook_is_told_the_hooks_name(site, source):
    site.plugin("bad", source)
    assert_only_bad_is_broken(site, "bad 1.0", "optshare_backend")


def test_a_hook_with_a_parameter_that_is_not_offered_is_listed(site):
    site.plugin("bad", answering("None", parameters="config"))
    assert_only_bad_is_broken(site, "PluginValidationError", "optshare_backend", "config")


@pytest.mark.parametrize("answer", ["1 / 0", "exit(3)", "open('/no/such/file')"])
def test_a_hook_that_raises_is_listed(site, answer):
    site.plugin("bad", answering(answer))
    assert_only_bad_is_broken(site, "bad 1.0")


def test_a_plugin_that_asks_for_a_backend_while_it_is_imported_breaks_nothing(site, monkeypatch):
    site.backend("acme")
    registry = site.registry()
    monkeypatch.setattr(sys.modules[Registry.__module__], "under_test", registry, raising=False)
    source = "from optshare import registry\nregistry.under_test.resolve(())\n"
    site.plugin("hasty", source + described(name="'hasty'"))
    site.backend("zeta")
    assert {"acme", "zeta"} <= set(registry.descriptions())


# -- answers that are no description --------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "essence"),
    [
        ("None", "optshare_backend"),
        ("'bad'", "'bad'"),
        ("{'name': 'bad'}", "not a BackendDescription"),
        ("BackendDescription", "not a BackendDescription"),
        ("[None]", "None"),
        ("[BackendDescription(name='x', array_types=(), load='x:y'), 3]", "3"),
        ("BackendDescription()", "TypeError"),
        ("BackendDescription('bad', (), 'x:y')", "TypeError"),
    ],
)
def test_an_answer_that_is_no_description_is_shown(site, answer, essence):
    site.plugin("bad", answering(answer))
    registry = assert_only_bad_is_broken(site, "bad 1.0", essence)
    assert "x" not in registry.descriptions()


@pytest.mark.parametrize(
    "changes",
    [
        {"array_types": "(dict,)"},
        {"array_types": "('bad.Array', None)"},
        {"array_types": "None"},
        {"array_types": "3"},
        {"array_types": "'bad.Array'"},  # a forgotten comma: ("bad.Array")
        {"priority": "'high'"},
        {"priority": "None"},
        {"capabilities": "{'vjp': True}"},
        {"capabilities": "None"},
        {"load": "None"},
        {"load": "''"},
        {"load": "3"},
    ],
    ids=str,
)
def test_a_description_with_a_field_of_the_wrong_type_is_listed(site, changes):
    site.plugin("bad", described(**changes))
    site.engine("bad")
    assert_only_bad_is_broken(site, "bad 1.0")


@pytest.mark.parametrize("name", ["None", "3", "''", "('bad',)", "[]"])
def test_a_description_without_a_proper_name_is_listed_under_its_entry_point(site, name):
    site.plugin("bad", described(name=name))
    site.engine("bad")
    registry = assert_only_bad_is_broken(site, "bad 1.0")
    with pytest.raises(LookupError, match="choices: acme, zeta"):
        registry.load("unheard-of")


def test_array_types_that_are_no_strings_are_named(site):
    site.plugin("bad", described(array_types="(dict,)"))
    assert_only_bad_is_broken(site, "array_types must be a tuple of dotted strings", "dict")


# -- engines that do not load ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "essence"),
    [
        ("import no_such_framework", "No module named 'no_such_framework'"),
        ("raise SystemExit('no licence')", "SystemExit: no licence"),
        ("raise OSError('libzip.so: wrong ELF class')", "OSError: libzip.so: wrong ELF class"),
        ("", "backend"),
        ("backend = None", "lacks name, ops, params, gradient, update"),
        (
            "class B:\n    name, ops, params = 'bad', None, None\nbackend = B()",
            "lacks gradient, update",
        ),
    ],
)
def test_an_engine_that_does_not_load_is_unavailable_from_then_on(site, kind, engine, essence):
    site.backend("bad", engine=engine)
    site.backend("acme")
    registry = site.registry()
    for _ in range(2):
        with pytest.raises(UnavailableBackendError) as caught:
            registry.load("bad")
        assert "'bad' is unavailable: bad 1.0" in str(caught.value)
        assert essence in str(caught.value)
    assert list(registry.descriptions()) == ["acme"]
    assert essence in registry.report()["bad"]
    with pytest.raises(UnclaimedArrayError, match=r"unavailable: bad \(bad 1\.0"):
        registry.resolve((kind("bad.Array"),))


@pytest.mark.parametrize("load", ["no_such_module:backend", "bad_engine:missing", "bad_engine."])
def test_a_load_target_that_is_not_there_makes_the_backend_unavailable(site, load):
    site.backend("bad", load=load)
    registry = site.registry()
    with pytest.raises(UnavailableBackendError, match=r"'bad' is unavailable: bad 1\.0"):
        registry.load("bad")


def test_the_error_of_an_engine_is_the_cause(site):
    site.backend("bad", engine="raise OSError('wrong ELF class')")
    with pytest.raises(UnavailableBackendError) as caught:
        site.registry().load("bad")
    assert isinstance(caught.value.__cause__, OSError)


def test_an_engine_is_not_tried_twice(site):
    site.write("tries", "count = []")
    site.backend("bad", engine="import tries; tries.count.append(1); raise OSError")
    registry = site.registry()
    for _ in range(3):
        with pytest.raises(UnavailableBackendError):
            registry.load("bad")
        registry.report()
    assert sys.modules["tries"].count == [1]


def test_arrays_of_an_engine_that_does_not_load_go_to_the_next_claimant(site, kind):
    site.backend("bad", array_types=("shared.Array",), priority=9, engine="raise OSError")
    site.backend("acme", array_types=("shared.Array",))
    registry = site.registry()
    assert registry.resolve((kind("shared.Array"),)).name == "acme"
    assert list(registry.descriptions()) == ["acme"]


def test_what_was_resolved_before_an_engine_broke_still_is(site, kind):
    site.backend("bad", engine="raise OSError")
    site.backend("acme")
    registry = site.registry()
    before = registry.resolve((kind("acme.Array"),))
    with pytest.raises(UnavailableBackendError):
        registry.load("bad")
    assert registry.resolve((kind("acme.Array"),)) is before


def test_recording_passes_over_an_engine_that_does_not_load(site, door):
    from optshare.extend import Capabilities

    site.backend("bad", priority=99, capabilities=Capabilities(accumulates_grad=True), engine="x")
    assert door.recorder().name == "tape"


def test_many_threads_may_ask_first(site):
    site.backend("acme")
    site.write("tries", "count = []")
    site.backend(
        "zeta",
        engine="import time, tries; time.sleep(0.05); tries.count.append(1)\n"
        "from acme_engine import backend\n",
    )
    registry = site.registry()
    together = threading.Barrier(8)
    found = []

    def ask():
        together.wait()
        found.append((list(registry.descriptions()), registry.load("zeta")))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [names for names, _ in found] == [["acme", "zeta"]] * 8
    assert len({id(backend) for _, backend in found}) == 1
    assert sys.modules["tries"].count == [1]


# -- names ----------------------------------------------------------------------------------


def test_two_plugins_of_one_name_are_both_refused_naming_their_distributions(site, kind):
    site.backend("same", dist="alpha")
    site.backend("same", dist="beta")
    site.backend("acme")
    registry = site.registry()
    assert list(registry.descriptions()) == ["acme"]
    with pytest.raises(UnavailableBackendError) as caught:
        registry.load("same")
    assert "alpha 1.0" in str(caught.value)
    assert "beta 1.0" in str(caught.value)
    with pytest.raises(UnclaimedArrayError):
        registry.resolve((kind("same.Array"),))


def test_a_higher_priority_does_not_win_a_name(site):
    site.backend("same", dist="alpha", priority=1)
    site.backend("same", dist="beta", priority=2)
    assert site.registry().descriptions() == {}


def test_three_plugins_of_one_name_are_all_refused_naming_all(site):
    for dist in ("alpha", "beta", "gamma"):
        site.backend("same", dist=dist)
    registry = site.registry()
    assert registry.descriptions() == {}
    for dist in ("alpha 1.0", "beta 1.0", "gamma 1.0"):
        assert dist in registry.reasons()["same"]


def test_one_plugin_that_describes_a_name_twice_is_refused(site):
    twice = "[BackendDescription(name='same', array_types=(), load='x:y') for _ in range(3)]"
    site.plugin("alpha", answering(twice))
    registry = site.registry()
    assert registry.descriptions() == {}
    assert "alpha 1.0" in registry.reasons()["same"]


def test_a_stranger_of_a_bundled_backends_name_takes_only_that_one_down(door, site):
    site.backend("tape", dist="impostor")
    assert door.resolve((np.ndarray,)).name == "functional"
    assert "impostor 1.0" in door.reasons()["tape"]
    assert "optshare-ad" in door.reasons()["tape"]


@pytest.mark.parametrize("dist", ["alpha", "zulu"])
def test_a_broken_plugin_with_the_entry_name_of_a_good_backend_leaves_it_alone(site, kind, dist):
    site.write(f"{dist}_plugin", "raise ImportError('nothing here')")
    site.distribution(dist, f"good = {dist}_plugin")
    site.backend("good")
    registry = site.registry()
    assert registry.load("good").name == "good"
    assert registry.resolve((kind("good.Array"),)).name == "good"
    (listed,) = registry.reasons()
    assert listed != "good"
    assert dist in listed
    assert "nothing here" in registry.reasons()[listed]


def test_two_broken_plugins_of_one_entry_name_are_both_listed(site):
    for dist in ("alpha", "beta"):
        site.write(f"{dist}_plugin", f"raise ImportError('{dist} fails')")
        site.distribution(dist, f"bad = {dist}_plugin")
    reasons = " ".join(site.registry().reasons().values())
    assert "alpha fails" in reasons
    assert "beta fails" in reasons


def test_the_host_trains_beside_every_kind_of_broken_plugin(door, site):
    site.plugin("bad", "raise SystemExit")
    site.plugin("mute", "")
    site.plugin("odd", answering("3"))
    site.backend("heavy", array_types=("numpy.ndarray",), priority=99, engine="raise OSError")
    w = optshare.Parameter([3.0])
    opt = optshare.SGD([w], lr=0.5)
    assert opt.step(lambda: (w * w).sum()) == 9.0
    assert w.value.tolist() == [0.0]
    assert {"bad", "mute", "odd", "heavy"} <= set(door.reasons())
