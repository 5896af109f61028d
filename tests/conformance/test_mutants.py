"""Every deliberate fault is seen, by the checks that are listed beside it.

A mutant with `missing` is seen by none: write that check, and list its id instead.
"""

import contextvars
import sys
from types import ModuleType, SimpleNamespace

import pytest

from optshare.extend import hookimpl
from optshare.registry import Registry
from optshare.testing import CHECKS, Run
from optshare.testing.suite import LAST, NEEDS
from tests.conformance.mutants import HOME, MUTANTS, Sound, described

SEEN = [pytest.param(each, id=each.name) for each in MUTANTS if not each.missing]
UNSEEN = [pytest.param(each, id=each.name) for each in MUTANTS if each.missing]

OUTCOMES = {}
"""What became of the checks of a mutant, for every test that asks."""


@pytest.fixture
def conformance(monkeypatch, replace_registry):
    """Runs every check of a backend that is the only one installed."""

    def run(engine, description):
        if (engine, description.capabilities) not in OUTCOMES:
            OUTCOMES[engine, description.capabilities] = ran(engine, description)
        return OUTCOMES[engine, description.capabilities]

    def ran(engine, description):
        home = ModuleType(HOME)
        setattr(home, engine.__name__, engine())
        monkeypatch.setitem(sys.modules, HOME, home)
        home.optshare_backend = hookimpl(lambda: description)
        entry = SimpleNamespace(name="it", value=HOME, dist=None, load=lambda: home)
        replace_registry(Registry(lambda: [entry]))
        run = Run(description.name)
        return contextvars.copy_context().run(run.outcomes)  # whatever a mutant leaves open

    return run


def lowest_failed(outcomes):
    """The ids of the failed checks of the lowest level that has any."""
    failed = [each.check for each in outcomes if each.status == "failed"]
    lowest = min((each.level for each in failed), default=None)
    return {each.id for each in failed if each.level == lowest}


def levels_above(failed):
    """The levels that need one of these, however far below."""
    found = set()
    for level in range(LAST + 1):
        if not (failed | found).isdisjoint(NEEDS[level]):
            found.add(level)
    return found


@pytest.mark.parametrize("mutant", SEEN)
def test_the_checks_beside_a_mutant_fail_on_it(mutant, conformance):
    found = lowest_failed(conformance(mutant.engine, mutant.description))
    assert mutant.caught_by, "no check is listed beside it"
    assert set(mutant.caught_by) <= found


@pytest.mark.parametrize("mutant", SEEN)
def test_what_needs_a_failed_level_is_blocked_and_nothing_else_is(mutant, conformance):
    outcomes = conformance(mutant.engine, mutant.description)
    failed = {each.check.level for each in outcomes if each.status == "failed"}
    hindered = [each.check for each in outcomes if each.status == "blocked"]
    ids = {each.check.id for each in outcomes if each.status == "failed"}
    blocked = {each.level for each in hindered if each.after not in ids}
    assert blocked == levels_above(failed)
    assert failed.isdisjoint(blocked)
    assert not any(each.status == "passed" for each in outcomes if each.check.level in blocked)


@pytest.mark.xfail(strict=True, reason="no check sees it yet")
@pytest.mark.parametrize("mutant", UNSEEN)
def test_a_check_sees_every_mutant(mutant, conformance):
    assert lowest_failed(conformance(mutant.engine, mutant.description))


def test_the_names_of_mutants_differ_and_what_should_catch_them_exists():
    assert len({each.name for each in MUTANTS}) == len(MUTANTS)
    assert all(each in CHECKS for mutant in MUTANTS for each in mutant.caught_by)


def test_the_engine_that_the_mutants_break_passes_every_check(conformance):
    outcomes = conformance(Sound, described("sound", Sound))
    assert [each for each in outcomes if each.status != "passed"] == []


def test_what_works_undeclared_is_skipped_with_a_note(conformance):
    undeclared = described("sound", Sound, higher_order=False, dtypes=("float64",))
    outcomes = conformance(Sound, undeclared)
    skipped = {each.check.id: each.reason for each in outcomes if each.status == "skipped"}
    assert skipped["order.second"] == "higher_order is not declared, but it works"
    assert skipped["dtype.float32"] == "float32 is not declared, but it works"
    assert all(each.endswith("not declared, but it works") for each in skipped.values())
    assert {each.status for each in outcomes} == {"passed", "skipped"}


def test_what_is_neither_declared_nor_there_is_skipped_without_a_note(conformance):
    (mutant,) = (each for each in MUTANTS if each.name == "constant_gradients")
    undeclared = described(mutant.name, mutant.engine, higher_order=False)
    outcomes = conformance(mutant.engine, undeclared)
    skipped = {each.check.id: each.reason for each in outcomes if each.status == "skipped"}
    assert skipped == {
        "order.second": "higher_order is not declared",
        "order.mixed": "higher_order is not declared",
        "complex.second": "higher_order is not declared",
    }
    assert lowest_failed(outcomes) == {"order.refused"}
