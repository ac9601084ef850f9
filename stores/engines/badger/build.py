"""Builds the Go library behind the engine into the user's cache: `python -m stores.engines.badger.build`.

Beside it stands an extension of this Python that calls it faster than ctypes does, where a C compiler is.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from stores.c_build import compile_shared
from stores.go_build import GoBuild

BUILD_COMMAND = "python -m stores.engines.badger.build"
BADGER_VERSION = "v4.5.0"
SOURCES = Path(__file__).parent / "bridge"
CALLS_SOURCE = Path(__file__).parent / "calls.c"


def library() -> GoBuild:
    """Return how the library is built. Badger v4.5.0 itself needs Go 1.21."""
    return GoBuild(
        name="badger",
        summary="the bridge to BadgerDB",
        command=BUILD_COMMAND,
        sources=SOURCES,
        file=f"libparity_badger{'.dylib' if sys.platform == 'darwin' else '.so'}",
        go_version="1.21",
        flags=("-buildmode=c-shared", "-trimpath", "-mod=readonly", "-ldflags=-s -w"),
        also=(CALLS_SOURCE,),
    )


def library_path() -> Path:
    """Return where the library of these sources is, or would be, on this machine."""
    return library().path()


def calls_path() -> Path:
    """Return where the extension of `calls.c` for this Python is, or would be."""
    return library_path().parent / f"parity_badger_calls{sysconfig.get_config_var('EXT_SUFFIX') or '.so'}"


def missing() -> str | None:
    """Say why the engine can't be used here and which command changes that, or None when it can."""
    if sys.platform == "win32":
        return "the bridge to BadgerDB needs Linux or macOS"
    return library().missing()


def build(*, force: bool = False) -> Path:
    """Build the library unless it is there, and return its path. Raises BuildFailed."""
    target = library().build(force=force)
    if force or not calls_path().is_file():
        build_calls()
    return target


def build_calls() -> str | None:
    """Build the extension for this Python; say why when that isn't possible. The engine works without it as well."""
    target, include = calls_path(), Path(sysconfig.get_path("include"))
    if not (include / "Python.h").is_file():
        return f"Python's headers aren't in {include}"
    undefined = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    return compile_shared(CALLS_SOURCE, target, *undefined, f"-I{include}")


def _after() -> None:
    slow = None if calls_path().is_file() else build_calls()
    if slow:
        sys.stderr.write(f"calls go through ctypes, which costs some µs for each: {slow}\n")


if __name__ == "__main__":
    library().main(_after)
