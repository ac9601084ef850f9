"""Builds the Go program of `program/` into the user's cache: `python -m benchmarks.native.build`, or `make native`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from protos.ai.stigmer.agentic.agent.v1 import api_pb2
from protos.go_code import generator_request
from stores.go_build import GoBuild

MODULE = "parity/benchmarks/native"
SOURCES = Path(__file__).parent / "program"


MODERNC = "sqlite-modernc"
"""The engine that a build of its own holds: its driver would be in the start and the memory of the others."""


def program(engine: str = "") -> GoBuild:
    """Return how the program for an engine is built: with the agent's messages. Rules of validation aren't measured."""
    plain = _program()
    return (
        replace(plain, name="native-modernc", flags=(*plain.flags, "-tags", "modernc")) if engine == MODERNC else plain
    )


def _program() -> GoBuild:
    return GoBuild(
        name="native",
        summary="the native program of the claims",
        command="python -m benchmarks.native.build",
        sources=SOURCES,
        file="native",
        go_version="1.24",
        messages=generator_request([api_pb2.DESCRIPTOR], MODULE, options=False),
        generators=("google.golang.org/protobuf/cmd/protoc-gen-go",),
    )


def missing(engine: str = "") -> str:
    """Say why an engine can't be measured in Go here and which command changes that; nothing when it can."""
    if not sys.platform.startswith("linux"):
        return "the native program reads its memory from /proc, so it needs Linux"
    return program(engine).missing() or ""


if __name__ == "__main__":
    program().main(after=lambda: sys.stdout.writelines([f"{program(MODERNC).build()}\n"]))
