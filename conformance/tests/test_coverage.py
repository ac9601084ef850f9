"""The coverage grid has no hole, says nothing in vain, and its page is the one in the documents."""

from __future__ import annotations

from pathlib import Path

from conformance.coverage import ASPECTS, RULES, cells, page, rule_of
from conformance.methods import METHODS

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"


def test_every_cell_has_requirements_or_a_reason() -> None:
    filled = list(cells())
    assert len(filled) == len(METHODS) * len(ASPECTS)
    assert [(cell.method, cell.aspect) for cell in filled if bool(cell.requirements) == bool(cell.reason)] == []


def test_every_rule_makes_a_cell() -> None:
    used = {rule_of(method, aspect) for method in METHODS for aspect in ASPECTS}
    assert [rule for rule in RULES if rule not in used] == []


def test_the_page_is_what_the_command_prints() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m conformance.coverage > docs/coverage.md"
