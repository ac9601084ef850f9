"""Processes that a command starts and must not leave behind, whatever ends the command."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import IO, Self

from parity.errors import EXIT_UNREACHABLE

STOP_SECONDS = 20.0
"""Time that a process gets to end what it started itself, before it is killed."""

INTERRUPT_SECONDS = 0.5
"""Time that a process gets after Ctrl-C, before it is told to end: people wait no longer than a second."""


class Children:
    """Runs processes to their end, from any thread. Leaving the context ends those that still run."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def run(self, command: Sequence[str], *, stdout: IO[str], stderr: IO[str] | None = None, seconds: float) -> int:
        """Run a command; return its exit code, negative for a signal, 3 when it took longer than `seconds`.

        After the context was left nothing is started any more, and the code is that of a process that was ended.
        """
        with self._lock:
            if self._closed:
                return EXIT_UNREACHABLE
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
            self._running.add(process)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            print(f"did not end within {seconds:.0f} s and was ended", file=stdout, flush=True)
            return EXIT_UNREACHABLE
        finally:
            if process.poll() is None:
                _end(process)
            with self._lock:
                self._running.discard(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
            left = list(self._running)
        if kind is KeyboardInterrupt:
            _interrupt(left)
        for process in left:
            process.terminate()
        for process in left:
            _end(process)


def _interrupt(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Hand Ctrl-C on: a command of ours keeps what it has finished and ends."""
    for process in processes:
        process.send_signal(signal.SIGINT)
    until = time.monotonic() + INTERRUPT_SECONDS
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(until - time.monotonic(), 0))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, then make it."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
