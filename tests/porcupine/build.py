"""Builds the Go program of `program/` into the user's cache: `python -m tests.porcupine.build`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import orjson

from stores.go_build import GoBuild

OPINION_SECONDS = 100


def program() -> GoBuild:
    """Return how the program is built."""
    return GoBuild(
        name="porcupine",
        summary="the second opinion on histories",
        command="python -m tests.porcupine.build",
        sources=Path(__file__).parent / "program",
        file="judge-history",
        go_version="1.24",
        needs_compiler=False,
    )


def opinion(history: Path) -> dict[str, str]:
    """Return by key what Porcupine says of a history file: Ok, Illegal or Unknown. Raises BuildFailed."""
    command = [str(program().build()), str(history)]
    done = subprocess.run(command, capture_output=True, timeout=OPINION_SECONDS, check=True)
    rows = [orjson.loads(line) for line in done.stdout.splitlines()]
    return {row["key"]: row["result"] for row in rows}


if __name__ == "__main__":
    program().main()
