"""What fits a terminal of 40, 80 and 120 columns, and what programs read: nothing is cut off, nothing is wider."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from parity.doctor_cli import Finding, lines_of
from parity.main import run
from parity.requirements_cli import chosen
from terminal.lines import wrapped

SNAPSHOTS = Path(__file__).parent / "terminal"


@pytest.fixture(params=[40, 80, 120])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("NO_COLOR", "1")
    return int(request.param)


def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(list(arguments)) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)


def words(text: str) -> str:
    """What a text says, whatever the layout: no blanks, no lines."""
    return re.sub(r"[\s─━│┃┏┓└┘┗┛┡┩┳┴╇┼]+", "", text)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("stores-list", ("stores", "list")), ("requirements", ("requirements", "DUP-*", "--step", "CheckDuplicate"))],
)
def test_a_terminal_shows_what_its_snapshot_shows(
    name: str,
    arguments: tuple[str, ...],
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stores.listing.unavailable", lambda _: None)
    shown = typed(capsys, monkeypatch, *arguments)
    assert max(map(len, shown.splitlines())) <= columns
    assert "…" not in shown
    assert shown == (SNAPSHOTS / f"{name}-{columns}.txt").read_text(encoding="utf-8")


def test_no_width_cuts_anything(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    for number in (40, 80, 120):
        monkeypatch.setenv("COLUMNS", str(number))
        shown.append(words(typed(capsys, monkeypatch, "requirements", "RPC-*", "DUP-*")))
    assert shown[0] == shown[1] == shown[2]
    assert run(["requirements", "RPC-*", "DUP-*"]) == 0


FINDINGS = (
    Finding("Python", there=True, purpose="all of Parity", detail="3.12.1", needed=True),
    Finding(
        "strace",
        there=False,
        purpose="durability proven by the system's calls",
        detail="strace is not installed",
        mend="apt-get install strace",
    ),
)
WIDE = """\
ok       Python: 3.12.1
missing  strace, for durability proven by the system's calls
         strace is not installed
         mend: apt-get install strace"""
NARROW = """\
ok       Python: 3.12.1
missing  strace, for durability proven
by the system's calls
         strace is not installed
         mend: apt-get install strace"""


@pytest.mark.parametrize(("number", "expected"), [(40, NARROW), (80, WIDE), (120, WIDE), (None, WIDE)])
def test_the_doctor_fits(number: int | None, expected: str) -> None:
    assert "\n".join(lines_of(FINDINGS, number)) == expected


def test_the_doctor_looks_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.doctor_cli.strace_refusal", lambda: "strace hangs")
    assert run(["doctor", "-o", "json"]) == 0
    told = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(told["strace"]) == {"name", "there", "purpose", "detail", "mend", "needed"}
    assert (told["strace"]["there"], told["strace"]["detail"]) == (False, "strace hangs")
    assert told["Python"]["there"] is True
    assert {"store leveldb", "store sqlite", "go", "disk", "Chromium", "native program"} <= set(told)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("parity.doctor_cli.PYTHON_MIN", (9, 0))
    assert run(["doctor", "--fsync", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "missing  Python, for all of Parity" in out
    assert "an fsync takes" in out
    assert list(tmp_path.iterdir()) == []


def test_requirements_are_chosen() -> None:
    nothing = {"step": "", "operation": "", "level": "", "profile": ""}
    everything = chosen((), **nothing)
    by_step = chosen((), **{**nothing, "step": "CheckDuplicate"})
    assert {row.step for row in by_step} == {"CheckDuplicate"}
    assert "DUP-SLUG" in {row.id for row in by_step}
    assert {row.level for row in chosen((), **{**nothing, "level": "SHOULD"})} == {"SHOULD"}
    assert {row.operation for row in chosen((), **{**nothing, "operation": "agent.create"})} == {"agent.create"}
    oss = {row.id for row in chosen((), **{**nothing, "profile": "oss"})}
    assert "DUP-KIND" in oss
    assert "DUP-ORG" not in oss
    assert 0 < len(oss) < len(everything)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--step", "Dupes"), "There are: ValidateFieldConstraints, Authorize"),
        (("--operation", "agent"), "agent.create"),
        (("--level", "MAY"), "There are: MUST, SHOULD"),
        (("--profile", "both"), "There are: cloud, oss"),
        (("DUP-SLUGS",), "DUP-SLUG,"),
        (("NOTHING",), "names them all"),
        (("DUP-ORG", "--profile", "oss"), "no requirement fits"),
    ],
)
def test_a_wrong_choice_is_told_what_there_is(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["requirements", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_requirements_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["requirements", "DUP-*", "-o", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"id", "level", "profiles", "operation", "step", "sentence", "source"} <= set(rows[0])
    assert "example" not in rows[0]


def test_one_requirement_is_shown_with_an_example_from_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["requirements", "DUP-SLUG"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("DUP-SLUG\n  A create whose slug is taken")
    assert "  step: CheckDuplicate\n" in out
    assert "Example, from the reference server in the oss profile (PASS):" in out
    assert "answered: ALREADY_EXISTS" in out
    assert run(["requirements", "DUP-SLUG", "--no-example"]) == 0
    assert "Example" not in capsys.readouterr().out


def test_an_example_of_the_cloud_profile_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["requirements", "DUP-ORG", "-o", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert {exchange["code"] for exchange in row["example"]} >= {"OK"}
    assert "token" not in json.dumps(row["example"]).lower()


def test_stores_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stores", "list", "-o", "json"]) == 0
    rows = {row["scheme"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows["sqlite"]) == {"scheme", "url", "summary", "options", "available", "reason", "install"}
    assert rows["sqlite"]["options"]["durability"] == ["durable", "relaxed"]


def test_words_longer_than_a_line_are_broken() -> None:
    assert list(wrapped("x" * 25, 12, "  ")) == ["  " + "x" * 10, "  " + "x" * 10, "  xxxxx"]
    assert list(wrapped("a b", None, "  ")) == ["  a b"]
