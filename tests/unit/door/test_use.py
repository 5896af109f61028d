"""Which of several claimants: priority, `use(name)`, and `OPTSHARE_BACKEND`."""

import subprocess
import sys
import threading
import weakref
from contextvars import copy_context

import numpy as np
import pytest

import optshare
from optshare.errors import UnavailableBackendError, UnknownBackendError

SHARED = "shared.Array"


@pytest.fixture
def shared(site):
    """Three backends that claim one type: `first` by priority, then `second`, then `third`."""
    for priority, name in enumerate(("third", "second", "first")):
        site.backend(name, array_types=(SHARED,), priority=priority)
    return site.registry()


@pytest.fixture
def chosen(shared, kind):
    array = kind(SHARED)
    return lambda: shared.resolve((array,)).name


def in_a_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


# -- called ---------------------------------------------------------------------------------


def test_without_use_the_priority_decides(chosen):
    assert chosen() == "first"


def test_called_it_sets_the_default_of_the_process(shared, chosen):
    shared.use("second")
    assert chosen() == "second"
    assert in_a_thread(chosen) == "second"


def test_the_last_call_counts(shared, chosen):
    shared.use("second")
    shared.use("third")
    assert chosen() == "third"


def test_a_preferred_backend_that_does_not_claim_the_array_is_passed_over(shared, site, kind):
    site.backend("other")
    registry = site.registry()
    registry.use("other")
    assert registry.resolve((kind(SHARED),)).name == "first"


def test_an_unknown_name_is_refused_with_the_choices_and_changes_nothing(shared, chosen):
    shared.use("second")
    with pytest.raises(UnknownBackendError, match=r"'secnd'; choices: second \(did you mean"):
        shared.use("secnd")
    assert chosen() == "second"


def test_an_unavailable_one_is_refused_with_its_reason_and_changes_nothing(site, kind):
    site.backend("good", array_types=(SHARED,))
    site.backend("bad", array_types=(SHARED,), engine="raise OSError('wrong ELF class')")
    registry = site.registry()
    with pytest.raises(UnavailableBackendError, match="wrong ELF class"):
        registry.use("bad")
    assert registry.resolve((kind(SHARED),)).name == "good"


# -- as a context manager -------------------------------------------------------------------


def test_as_a_context_manager_it_ends(shared, chosen):
    with shared.use("second"):
        assert chosen() == "second"
    assert chosen() == "first"


def test_contexts_nest(shared, chosen):
    with shared.use("second"):
        with shared.use("third"):
            assert chosen() == "third"
        assert chosen() == "second"
    assert chosen() == "first"


def test_a_context_ends_with_an_exception(shared, chosen):
    with pytest.raises(ZeroDivisionError), shared.use("second"):
        raise ZeroDivisionError
    assert chosen() == "first"


def test_after_a_context_the_default_of_the_process_is_what_it_was(shared, chosen):
    shared.use("third")
    with shared.use("second"):
        assert chosen() == "second"
        assert in_a_thread(chosen) == "third"
    assert chosen() == "third"


def test_other_threads_do_not_see_a_context(shared, chosen):
    with shared.use("second"):
        assert in_a_thread(chosen) == "first"


def test_threads_have_contexts_of_their_own(shared, chosen):
    def inside(name):
        with shared.use(name):
            together.wait()
            seen = chosen()
            together.wait()
        return name, seen

    together = threading.Barrier(2)
    found = []
    names = ("second", "third")
    threads = [threading.Thread(target=lambda n=n: found.append(inside(n))) for n in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(found) == [("second", "second"), ("third", "third")]


def test_contexts_entered_side_by_side_leave_the_default_as_it_was(shared, chosen):
    one, other = copy_context(), copy_context()  # two threads, step by step
    second = one.run(shared.use, "second")
    third = other.run(shared.use, "third")
    one.run(second.__enter__)
    other.run(third.__enter__)
    assert (one.run(chosen), other.run(chosen)) == ("second", "third")
    one.run(second.__exit__, None, None, None)
    other.run(third.__exit__, None, None, None)
    assert chosen() == "first"


def test_what_is_called_inside_a_context_outlives_it(shared, chosen):
    with shared.use("second"):
        shared.use("third")
    assert chosen() == "third"


def test_the_context_wins_over_a_default_that_is_set_inside_it(shared, chosen):
    with shared.use("second"):
        shared.use("third")
        assert chosen() == "second"


def test_contexts_that_have_ended_are_forgotten(shared, chosen):
    with shared.use("second") as use:
        first = weakref.ref(use)
    del use
    for _ in range(3):
        with shared.use("second"):
            chosen()
    assert first() is None


def test_a_choice_may_be_entered_again_and_inside_itself(shared, chosen):
    choice = shared.use("second")
    for _ in range(2):
        with choice:
            with choice:
                assert chosen() == "second"
            assert chosen() == "second"
        assert chosen() == "first"


def test_a_thread_that_copies_the_context_is_inside_it(shared, chosen):
    with shared.use("second"):
        context = copy_context()
    assert context.run(chosen) == "second"


# -- the environment ------------------------------------------------------------------------


def test_the_variable_sets_the_first_default(shared, chosen, monkeypatch):
    monkeypatch.setenv("OPTSHARE_BACKEND", "second")
    assert chosen() == "second"
    shared.use("third")
    assert chosen() == "third"


def test_a_context_wins_over_the_variable_and_gives_it_back(shared, chosen, monkeypatch):
    monkeypatch.setenv("OPTSHARE_BACKEND", "second")
    with shared.use("third"):
        assert chosen() == "third"
    assert chosen() == "second"


def test_an_empty_variable_says_nothing(chosen, monkeypatch):
    monkeypatch.setenv("OPTSHARE_BACKEND", "")
    assert chosen() == "first"


def test_an_unknown_name_in_the_variable_is_refused_naming_variable_and_choices(
    chosen, monkeypatch
):
    monkeypatch.setenv("OPTSHARE_BACKEND", "firrst")
    with pytest.raises(UnknownBackendError) as caught:
        chosen()
    assert "OPTSHARE_BACKEND=firrst" in str(caught.value)
    assert "first (did you mean this?), second, third" in str(caught.value)


def test_an_unavailable_one_in_the_variable_is_refused_with_its_reason(site, kind, monkeypatch):
    site.backend("bad", engine="raise OSError('wrong ELF class')")
    site.backend("good", array_types=(SHARED,))
    monkeypatch.setenv("OPTSHARE_BACKEND", "bad")
    registry = site.registry()
    for _ in range(2):
        with pytest.raises(
            UnavailableBackendError, match=r"OPTSHARE_BACKEND=bad: .*wrong ELF class"
        ):
            registry.resolve((kind(SHARED),))


@pytest.mark.parametrize(
    ("value", "essence"),
    [("functional", "functional"), ("", "tape"), ("tap", "tape (did you mean this?)")],
)
def test_the_variable_acts_on_a_new_process_at_the_first_question(value, essence):
    code = (
        "import optshare; print('imported')\n"
        "from optshare import registry; import numpy as np\n"
        "print(registry.owner(np.ones(1)).name)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"OPTSHARE_BACKEND": value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.startswith("imported")
    assert essence in (ran.stdout + ran.stderr)


# -- the face -------------------------------------------------------------------------------


def test_the_face_chooses_the_engine_that_differentiates(door):
    def engine():
        kinds = []

        def loss(x):
            kinds.append(type(x).__module__.partition(".")[0])
            return (x * x).sum()

        (found,) = optshare.gradient(loss, np.array([1.0, 2.0]))
        assert found.tolist() == [2.0, 4.0]
        return kinds[0]

    assert engine() == "optshare_tape"
    with optshare.use("functional"):
        assert engine() == "optshare_functional"
    assert engine() == "optshare_tape"
    optshare.use("functional")
    assert engine() == "optshare_functional"


def test_the_face_refuses_an_unknown_backend(door):
    with pytest.raises(UnknownBackendError, match=r"'zygote'; choices: .*functional.*tape"):
        optshare.use("zygote")
    assert door.preferred() is None


def test_a_thousand_defaults_keep_one(shared):
    for _ in range(1000):
        shared.use("second")
    shared.use("first")
    assert shared._still_chosen().before is None or shared._still_chosen().before.before is None
