"""Every case on both engines against HIPS autograd: value, gradient, Hessian-vector product."""

import pytest

from tests.unit.cases.agreement import assert_agree, by_autograd, by_engine
from tests.unit.cases.tables import TABLES

EVERY = [(table, name) for table, cases in TABLES.items() for name in cases]


@pytest.mark.parametrize(
    ("table", "name"), EVERY, ids=[f"{table}: {name}" for table, name in EVERY]
)
def test_a_case_agrees_with_autograd_to_the_second_order(table, name, engine):
    case = TABLES[table][name]
    assert_agree(by_engine(engine, case), by_autograd(case))
