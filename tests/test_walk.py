"""The map of a create is that of the code: its files, its steps, and how often one climbs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reference_server.pipelines import AGENT_CREATE
from tests.walk import ROOT, Walk, below, imports, walk_create

MAP = (ROOT / "docs" / "how-a-create-flows.md").read_text(encoding="utf-8")
ENTRIES_MAX = 4
"""The method's look-up, the handler, the end of the write, the handler again."""


@pytest.fixture(scope="module")
def walk() -> Walk:
    return walk_create("cloud", "leveldb:")


def test_the_map_shows_every_file_that_is_entered(walk: Walk) -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", MAP))
    missing = [module for module in walk.files if not any(_path(module).match(name) for name in named)]
    assert not missing


def _path(module: str) -> Path:
    return Path("/", *module.split(".")).with_suffix(".py")


def test_the_map_has_the_steps_in_order() -> None:
    rows = re.findall(r"^ *\| (\w+) \| `(\w+)\.py`", MAP, re.MULTILINE)
    assert [name for name, _ in rows] == [step.name for step in AGENT_CREATE]
    for name, file in rows:
        assert "".join(word.capitalize() for word in file.split("_")) == name
        assert (ROOT / "reference_server" / "steps" / f"{file}.py").exists()


def test_the_event_loop_enters_a_lone_create_four_times(walk: Walk) -> None:
    assert len(walk.entries) <= ENTRIES_MAX, walk.entries


def test_nothing_climbs_but_the_pipeline_to_its_steps(walk: Walk) -> None:
    steps = ("reference_server.steps.", "reference_server.fast.")
    others = [pair for pair in walk.climbs if pair[0] != "reference_server.pipeline" or not pair[1].startswith(steps)]
    assert not others


def test_a_climb_would_be_seen() -> None:
    walk = Walk()
    walk.calls["reference_server.unit_of_work", "reference_server.execution.executor"] += 1
    walk.calls["reference_server.execution.executor", "reference_server.unit_of_work"] += 1
    assert list(walk.climbs) == [("reference_server.unit_of_work", "reference_server.execution.executor")]


def test_no_import_goes_in_a_circle() -> None:
    assert not [module for module in imports() if module in below(module)]
