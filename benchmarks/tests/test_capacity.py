"""What is computed of a store's size goes on from what was measured; the command measures a real store."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import capacity
from benchmarks.capacity import GIB, Measured, Space, compute, main, table
from stores.registry import open_store
from stores.suite.samples import put

ROWS = (
    Measured(1_000, Space(3_000_000, 500_000, 0), 20_000.0, 100.0),
    Measured(11_000, Space(23_000_000, 4_500_000, 0), 21_000.0, 200.0),
)
"""Two thousand bytes an agent, 400 of them in indexes, and a million whoever is in it."""


def test_it_goes_on_at_the_pace_between_the_last_two() -> None:
    (row,) = compute(ROWS, (1_000_000,))
    assert row.size_bytes == 23_000_000 + 989_000 * 2_000
    assert row.index_bytes == 4_500_000 + 989_000 * 400
    assert row.hours == pytest.approx(1_000_000 / 200 / 3600)


def test_what_a_store_does_not_tell_apart_is_left_blank() -> None:
    rows = [Measured(row.agents, Space(row.space.size_bytes), None, row.creates_per_second) for row in ROWS]
    assert [row.index_bytes for row in compute(rows)] == [None] * 3
    assert "| 1,000, measured | 3,000 | - | - | 100 |" in list(table("leveldb", rows))
    computed = next(line for line in table("postgresql", ROWS) if line.startswith("| 100,000,000"))
    size = (23_000_000 + 99_989_000 * 2_000) / GIB
    assert computed.split("|")[2].strip() == f"{size:,.1f} GiB"


@pytest.mark.timeout(120)
def test_a_real_store_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(capacity, "EVENTS_MAX", 5)
    monkeypatch.setattr(sys, "argv", ["capacity", "leveldb:", "--agents", "8", "--agents", "20"])
    assert main() == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "measured" in line]
    assert [line.split()[1] for line in rows] == ["8,", "20,"]
    assert all(int(line.split("|")[2].replace(",", "")) > 1_000 for line in rows)


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--agents", "5"], "two numbers at least"), (["--agents", "5", "--agents", "5"], "must grow")],
)
def test_wrong_numbers_are_refused(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["capacity", "leveldb:", *words])
    assert main() == 2
    assert told in capsys.readouterr().err


def test_a_store_that_holds_agents_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"leveldb:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        store.commit([put("a")])
    monkeypatch.setattr(sys, "argv", ["capacity", url, "--agents", "5", "--agents", "6"])
    assert main() == 2
    assert "holds 1 agents" in capsys.readouterr().err
