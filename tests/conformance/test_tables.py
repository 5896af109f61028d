"""The generated parts of docs/conformance.md are what the kit says now."""

import pytest

from tests.conformance import write_tables as tables

SLOW = ["results", "layers"]
"""They run the checks on every engine; JAX compiles for most of the time."""


@pytest.mark.parametrize(
    "part", ["checks", *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW)]
)
def test_a_generated_part_of_the_page_is_not_stale(part):
    text = tables.PAGE.read_text()
    assert not tables.stale(text, part), (
        f"the part {part!r} of docs/conformance.md is stale; run {tables.COMMAND}"
    )


def test_every_part_is_tested():
    assert set(tables.PARTS) == {"checks", *SLOW}


def test_a_part_that_differs_is_stale():
    text = tables.PAGE.read_text()
    assert tables.stale(tables.written(text, "checks", "something else"), "checks")


def test_a_page_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="has no part <!-- checks -->"):
        tables.written("no marks", "checks", "")


def test_a_stale_part_is_named_and_the_page_left_alone(tmp_path, monkeypatch, capsys):
    page = tmp_path / "conformance.md"
    page.write_text("<!-- checks -->\nold\n<!-- /checks -->\n")
    monkeypatch.setattr(tables, "PAGE", page)
    monkeypatch.setattr(tables, "PARTS", {"checks": lambda: "new"})
    assert tables.main(["--check"]) == 1
    assert "the part 'checks' is stale; run python tests" in capsys.readouterr().err
    assert "old" in page.read_text()
    assert tables.main([]) == 0
    assert tables.main(["--check"]) == 0
    assert page.read_text() == "<!-- checks -->\n\nnew\n\n<!-- /checks -->\n"
