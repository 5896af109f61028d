"""The pages of rules are what docstrings and dialects say now; the table of proofs is complete."""

import re

import pytest

from tests.unit.rules.proofs import PROOFS
from tests.unit.rules.write_pages import COMMAND, DOCS, PROOF, faces, page, path_of, proof_page

NUMBER = re.compile(r"\d\.\de[-+]\d\d")
"""A measured deviation, which differs from machine to machine in its last bits."""


@pytest.mark.parametrize("name", faces())
def test_the_page_of_a_rule_is_not_stale(name):
    assert path_of(name).read_text() == page(name), f"run {COMMAND}"


def test_every_rule_has_a_page_and_no_other_has():
    assert {path.name for path in (DOCS / "rules").iterdir()} == {
        path_of(name).name for name in faces()
    }


@pytest.mark.parametrize("name", faces())
def test_the_page_of_a_rule_is_linked(name):
    assert f"(rules/{path_of(name).name})" in (DOCS / "rules.md").read_text()


def test_the_table_of_proofs_is_complete():
    told, now = PROOF.read_text(), proof_page(lambda proof: 0.0)
    assert NUMBER.sub("#", told) == NUMBER.sub("#", now), f"run {COMMAND}"
    assert len(NUMBER.findall(told)) >= len({proof[:2] for proof in PROOFS})


def test_no_deviation_in_the_table_is_above_the_limit():
    assert max(map(float, NUMBER.findall(PROOF.read_text()))) <= 1e-12


@pytest.mark.parametrize("name", faces())
def test_a_docstring_names_every_hyperparameter(name):
    said = faces()[name].__doc__
    assert [each for each in faces()[name]().hyperparameters() if f"{each}: " not in said] == []
