"""What is built from Go is built once, however many ask for it at the same time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stores.go_build import GoBuild

GO = """#!/bin/sh
echo built >> "{log}"
while [ "$1" != -o ]; do shift; done
sleep 0.2
echo program > "$2"
"""


def test_those_who_ask_at_the_same_time_share_one_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, log, go = tmp_path / "program", tmp_path / "log", tmp_path / "go"
    sources.mkdir()
    (sources / "main.go").write_text("package main")
    go.write_text(GO.format(log=log))
    go.chmod(0o755)
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    thing = GoBuild("thing", "a thing", "build it", sources, "thing", "1.24", needs_compiler=False)
    assert thing.missing() == "a thing isn't built; `build it` builds it (Go needed)"
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: thing.build(), range(3)))
    assert found == [thing.path()] * 3
    assert thing.missing() is None
    assert log.read_text().splitlines() == ["built"]
    thing.build(force=True)
    assert len(log.read_text().splitlines()) == 2
