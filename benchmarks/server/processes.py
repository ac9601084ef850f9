"""Servers as child processes: the reference server by its command line, and the bare one to compare with."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 60.0
STOP_S = 20.0
ORGANIZATION = "bench"
_LISTENING = re.compile(r"^listening on (\S+)$")
_TAIL = 500


class ServerFailed(Exception):
    """A server did not start. The message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server process that answers, and its address."""

    address: str
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self.process.kill()
        self._end()

    def stop(self) -> int:
        """SIGTERM, and wait for the drain, or kill it after STOP_S; return the exit code."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self._end()

    def _end(self) -> int:
        code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def memory_peak_kib(self) -> float | None:
        """Return the most memory that the server held so far, None where the system doesn't tell."""
        status = Path(f"/proc/{self.pid}/status")
        if not status.exists():
            return None
        rows = status.read_text(encoding="ascii", errors="replace").splitlines()
        return next((float(row.split()[1]) for row in rows if row.startswith("VmHWM:")), None)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One caller who may create agents, made for this run: the server's token file and what the caller sends."""

    file: Path
    metadata: dict[str, str]


def make_credentials(folder: Path) -> Credentials:
    """Write a token file that only this user can read."""
    token = secrets.token_urlsafe(24)
    path = folder / "tokens.toml"
    text = f'[[callers]]\nid = "load"\ntoken = "{token}"\nadmin_of = ["{ORGANIZATION}"]\n'
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return Credentials(path, {"authorization": f"Bearer {token}"})


@contextmanager
def reference(
    store_url: str, profile: str, credentials: Credentials, log: Path, *, fast_paths: bool = True
) -> Iterator[Running]:
    """Run the reference server over a store for as long as the block lasts. Raises ServerFailed."""
    command = [sys.executable, "-m", "parity.main", "serve", "--store", store_url, "--profile", profile]
    command += ["--listen", "127.0.0.1:0", "--log-level", "warning"]
    command += ["--tokens", str(credentials.file)] if profile == "cloud" else []
    command += [] if fast_paths else ["--fast-paths", "off"]
    with started(command, log) as running:
        yield running


@contextmanager
def bare(fixed: Path, log: Path) -> Iterator[Running]:
    """Run the bare server, which answers with the bytes of a file, or with the request. Raises ServerFailed."""
    with started([sys.executable, "-m", "benchmarks.children.bare", str(fixed)], log) as running:
        yield running


def start(command: list[str], log: Path) -> Running:
    """Start a server that prints `listening on ADDRESS` once it answers; its stderr goes to `log`. Raises ServerFailed.

    The caller must stop or kill it.
    """
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
    address = _address(process)
    if address is None:
        process.kill()
        process.communicate()
        said = log.read_text(encoding="utf-8", errors="replace").strip()[-_TAIL:]
        raise ServerFailed(f"a server did not start within {START_S:.0f} s: {said or 'it said nothing'}")
    return Running(address, process)


@contextmanager
def started(command: list[str], log: Path) -> Iterator[Running]:
    """Do the same for as long as the block lasts. Raises ServerFailed."""
    running = start(command, log)
    try:
        yield running
    finally:
        running.stop()


def _address(process: subprocess.Popen[str]) -> str | None:
    """Wait for the line that says where the server listens; None if it ends, or takes too long, without one."""
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.start()
    try:
        for line in process.stdout or ():
            if found := _LISTENING.match(line.strip()):
                return found[1]
    finally:
        watchdog.cancel()
    return None
