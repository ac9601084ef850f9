"""A copy of a database has the same bytes and the same holes, else its size on disk would be another engine's."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.database import copy_with_holes


@pytest.mark.parametrize(
    "pieces",
    [[], [(0, b"x" * 5_000)], [(0, b"a"), (1 << 20, b"b" * 3_000_000), (1 << 24, b"c")], [(1 << 20, b"z")]],
    ids=["empty", "dense", "pieces", "starts with a hole"],
)
def test_bytes_and_holes_are_kept(tmp_path: Path, pieces: list[tuple[int, bytes]]) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        for place, content in pieces:
            file.seek(place)
            file.write(content)
        file.truncate((1 << 25) if pieces else 0)
    copy_with_holes(str(source), str(target))
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks <= source.stat().st_blocks + 8
