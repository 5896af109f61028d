"""What is installed, and which backend owns which array."""

import subprocess
import sys

import numpy as np
import pytest

import optshare
from optshare import registry
from optshare.errors import (
    CapabilityError,
    MixedBackendsError,
    UnclaimedArrayError,
    UnknownBackendError,
)
from optshare.extend import Capabilities
from optshare.registry import Registry

# -- scanning -------------------------------------------------------------------------------


def test_entry_points_are_scanned_at_the_first_question_and_once(site):
    site.backend("acme")
    scans = []

    def counted():
        scans.append(1)
        return site.entry_points()

    registry = Registry(counted)
    assert scans == []
    for _ in range(3):
        registry.descriptions()
        registry.reasons()
        registry.load("acme")
        registry.report()
    assert scans == [1]


@pytest.mark.parametrize(
    "question",
    [
        lambda r: r.descriptions(),
        lambda r: r.reasons(),
        lambda r: r.report(),
        lambda r: r.load("acme"),
        lambda r: r.capabilities("acme"),
        lambda r: r.resolve(()),
        lambda r: r.use("acme"),
    ],
)
def test_any_question_may_be_the_first(site, question):
    site.backend("acme")
    registry = site.registry()
    question(registry)
    assert list(registry.descriptions()) == ["acme"]


def test_a_distribution_on_the_path_is_found_beside_the_bundled_ones(site):
    site.backend("acme", priority=-1)
    found = Registry().descriptions()
    assert [name for name in found if name in ("tape", "functional", "acme")] == [
        "tape",
        "functional",
        "acme",
    ]


def test_entry_points_of_other_groups_are_left_alone(site):
    site.write("other_plugin", "raise RuntimeError('not ours')")
    site.distribution("other", "other = other_plugin", group="optshare.extras")
    assert "other" not in Registry().report()
    assert "other_plugin" not in sys.modules


def test_a_hook_is_called_once(site):
    site.backend("acme")
    registry = site.registry()
    for _ in range(3):
        registry.resolve(())
        registry.report()
    assert sys.modules["acme_plugin"].calls == ["acme"]


def test_each_hook_is_asked_for_itself_alone(site):
    site.backend("acme")
    site.backend("zeta")
    assert list(site.registry().descriptions()) == ["acme", "zeta"]
    assert sys.modules["acme_plugin"].calls == ["acme"]
    assert sys.modules["zeta_plugin"].calls == ["zeta"]


def test_one_plugin_may_describe_several_backends(site):
    site.plugin(
        "acme",
        "from optshare.extend import BackendDescription, hookimpl\n"
        "@hookimpl\n"
        "def optshare_backend():\n"
        "    return [BackendDescription(name=n, array_types=(), load='x:y') for n in 'ab']\n",
    )
    assert list(site.registry().descriptions()) == ["a", "b"]


def test_a_plugin_may_be_an_object_in_a_module(site):
    site.write(
        "acme_plugin",
        "from optshare.extend import BackendDescription, hookimpl\n"
        "class Plugin:\n"
        "    @hookimpl\n"
        "    def optshare_backend(self):\n"
        "        return BackendDescription(name='acme', array_types=(), load='x:y')\n"
        "plugin = Plugin()\n",
    )
    site.distribution("acme", "acme = acme_plugin:plugin")
    assert list(site.registry().descriptions()) == ["acme"]


def test_one_plugin_named_by_two_entry_points_of_one_distribution_is_a_conflict(site):
    site.backend("acme")
    (site.path / "acme-1.0.dist-info" / "entry_points.txt").write_text(
        "[optshare]\nacme = acme_plugin\nagain = acme_plugin\n"
    )
    registry = site.registry()
    assert registry.descriptions() == {}
    assert "several plugins have this name" in registry.reasons()["acme"]


def test_without_any_plugin_the_error_says_that_none_is_installed(kind):
    registry = Registry(list)
    assert registry.report() == {}
    with pytest.raises(UnclaimedArrayError, match="Installed: none"):
        registry.resolve((kind("acme.Array"),))


# -- loading --------------------------------------------------------------------------------


def test_an_engine_is_imported_when_it_is_loaded_and_not_before(site):
    site.backend("acme")
    registry = site.registry()
    registry.descriptions()
    assert "acme_plugin" in sys.modules
    assert "acme_engine" not in sys.modules
    registry.load("acme")
    assert "acme_engine" in sys.modules


def test_a_backend_is_loaded_once(site):
    site.backend("acme")
    registry = site.registry()
    assert registry.load("acme") is registry.load("acme")


def test_resolving_loads_the_owner_only(site, kind):
    site.backend("acme")
    site.backend("zeta")
    assert site.registry().resolve((kind("acme.Array"),)).name == "acme"
    assert "zeta_engine" not in sys.modules


def test_an_unknown_name_is_answered_with_the_choices_and_the_nearest(site):
    site.backend("acme")
    site.backend("zeta")
    with pytest.raises(
        UnknownBackendError, match=r"'acne'; choices: acme \(did you mean this\?\), zeta"
    ):
        site.registry().load("acne")


def test_capabilities_are_those_that_the_description_declares(site):
    site.backend("acme")
    assert site.registry().capabilities("acme") == Capabilities()
    assert Registry().capabilities("tape").accumulates_grad is True


def test_the_report_lists_capabilities_or_the_reason_the_preferred_first(site):
    site.backend("acme", priority=1)
    site.backend("zeta", priority=2)
    site.plugin("broken", "raise ImportError('no libzip')")
    report = site.registry().report()
    assert list(report) == ["zeta", "acme", "broken"]
    assert report["zeta"] == Capabilities()
    assert "no libzip" in report["broken"]


# -- resolution -----------------------------------------------------------------------------


def test_an_array_belongs_to_the_backend_that_claims_its_type(site, kind):
    site.backend("acme")
    site.backend("zeta")
    registry = site.registry()
    assert registry.resolve((kind("acme.Array"),)).name == "acme"
    assert registry.resolve((kind("zeta.Array"),)).name == "zeta"


def test_a_subclass_belongs_to_the_backend_of_its_base(site, kind):
    site.backend("acme")
    derived = kind("elsewhere.Special", kind("elsewhere.Middle", kind("acme.Array")))
    assert site.registry().resolve((derived,)).name == "acme"


@pytest.mark.parametrize("dotted", ["zeta.Array", "acme.sub.Array", "acme.array", "acme.Arrays"])
def test_a_type_of_another_dotted_name_is_not_claimed(site, kind, dotted):
    site.backend("acme")
    with pytest.raises(UnclaimedArrayError):
        site.registry().resolve((kind(dotted),))


@pytest.mark.parametrize(("one", "other", "first"), [(1, 2, "zeta"), (2, 1, "acme")])
def test_of_several_claimants_the_highest_priority_is_taken(site, kind, one, other, first):
    site.backend("acme", array_types=("shared.Array",), priority=one)
    site.backend("zeta", array_types=("shared.Array",), priority=other)
    registry = site.registry()
    assert registry.resolve((kind("shared.Array"),)).name == first
    assert registry.claimants(kind("shared.Array"))[0] == first


def test_types_of_one_backend_may_be_mixed(site, kind):
    site.backend("acme", array_types=("acme.Array", "acme.Scalar"))
    found = site.registry().resolve((kind("acme.Array"), kind("acme.Scalar")))
    assert found.name == "acme"


def test_the_backend_that_claims_every_type_wins_over_the_preferred_of_one(site, kind):
    site.backend("acme", array_types=("shared.Array",), priority=9)
    site.backend("zeta", array_types=("shared.Array", "zeta.Array"))
    assert site.registry().resolve((kind("shared.Array"), kind("zeta.Array"))).name == "zeta"


def test_arrays_of_two_backends_are_refused_naming_types_and_owners(site, kind):
    site.backend("acme")
    site.backend("zeta")
    with pytest.raises(MixedBackendsError) as caught:
        site.registry().resolve((kind("acme.Array"), kind("zeta.Array")))
    assert "acme.Array (acme)" in str(caught.value)
    assert "zeta.Array (zeta)" in str(caught.value)


def test_an_array_that_nobody_claims_names_the_type_the_installed_and_the_unavailable(site, kind):
    site.backend("acme")
    site.plugin("broken", "raise ImportError('torch is not installed')")
    with pytest.raises(UnclaimedArrayError) as caught:
        site.registry().resolve((kind("zeta.Array"),))
    said = str(caught.value)
    assert said.startswith("No backend owns Array.")
    assert "Installed: acme" in said
    assert "unavailable: broken" in said
    assert "torch is not installed" in said


def test_what_nobody_claims_is_asked_again_each_time(site, kind):
    site.backend("acme")
    registry = site.registry()
    foreign = kind("zeta.Array")
    for _ in range(2):
        with pytest.raises(UnclaimedArrayError):
            registry.resolve((foreign,))


def test_two_types_of_one_dotted_name_are_both_claimed(site, kind):
    site.backend("acme")
    registry = site.registry()
    assert registry.resolve((kind("acme.Array"),)) is registry.resolve((kind("acme.Array"),))


# -- the process's door ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "array", [np.ones(2), np.float32(1), np.ones(2).view(np.matrix), np.ma.ones(2), np.array(True)]
)
def test_numpys_arrays_belong_to_the_tape_by_default(door, array):
    assert door.resolve((type(array),)).name == "tape"


class Foreign:
    shape = (2,)
    dtype = "float64"


@pytest.mark.parametrize(
    "call",
    [
        lambda: optshare.gradient(lambda x: x.sum(), Foreign()),
        lambda: optshare.ops.exp(Foreign()),
        lambda: optshare.relu(Foreign()),
        lambda: optshare.namespace_of(np.ones(2), Foreign()),
        lambda: optshare.Adam([optshare.Parameter([1.0])]).step(lambda x: x, Foreign()),
    ],
)
def test_every_face_refuses_an_array_that_nobody_claims(call):
    with pytest.raises(UnclaimedArrayError, match=r"No backend owns Foreign\. Installed: tape, "):
        call()


def test_one_gradient_of_arrays_of_two_backends_is_refused(door, site, kind):
    site.backend("acme")
    theirs = kind("acme.Array")()
    with pytest.raises(MixedBackendsError, match=r"numpy\.ndarray .*tape.*acme\.Array \(acme\)"):
        optshare.gradient(lambda x, y: x, np.ones(2), theirs)


def test_recording_needs_a_backend_that_declares_it(site):
    site.backend("acme")
    with pytest.raises(CapabilityError, match="accumulates_grad"):
        site.registry().recorder()


def test_recording_takes_the_backend_that_declares_it(door):
    assert door.recorder().name == "tape"


def test_recording_with_a_preferred_backend_that_cannot_says_so(door):
    with (
        door.use("functional"),
        pytest.raises(CapabilityError, match="'functional' does not declare 'accumulates_grad'"),
    ):
        door.recorder()


def test_a_strangers_backend_of_a_higher_priority_leaves_models_of_numpy_alone(door, site):
    site.backend("acme", priority=100)
    w = optshare.Parameter([1.0])
    opt = optshare.SGD([w], lr=0.5)
    assert opt.step(lambda: (w * w).sum()) == 1.0
    assert w.value.tolist() == [0.0]


def test_a_stranger_enters_a_new_process_as_the_bundled_ones_do(site):
    site.backend("acme")
    code = "from optshare import registry; print(*sorted(registry.report()))"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(site.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["acme", "autograd", "functional", "jax", "tape", "torch"]


def test_the_module_functions_are_those_of_one_registry():
    assert registry.load("tape") is registry.resolve((np.ndarray,))
    assert registry.owner(np.ones(1), np.ones(2)) is registry.load("tape")
    assert list(registry.descriptions())[:2] == ["tape", "functional"]
