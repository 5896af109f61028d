import pytest

import optshare
from optshare import Parameter
from optshare.errors import EmptyModelError


def test_inside_a_with_a_part_is_frozen_and_afterwards_as_it_was():
    one, other = Parameter([1.0]), Parameter([2.0])
    optshare.freeze([other])
    with optshare.frozen([one, other]):
        assert (one.frozen, other.frozen) == (True, True)
        assert optshare.params([one]) == [one]
    assert (one.frozen, other.frozen) == (False, True)


def test_an_exception_ends_it_too():
    p = Parameter([1.0])
    with pytest.raises(ZeroDivisionError), optshare.frozen([p]):
        _ = 1 // 0
    assert not p.frozen


def test_what_has_no_parameters_is_refused():
    with (
        pytest.raises(
            EmptyModelError, match="builtin_function_or_method holds no Parameter to freeze"
        ),
        optshare.frozen(len),
    ):
        pass
