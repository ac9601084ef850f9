"""A command and all that it has started, wherever that went: into other process groups or sessions, or to init.

What a command starts inherits its environment. A mark in there finds all of it, which groups and parents don't: start
scripts put servers into the background, into sessions of their own, and end.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

_MARK = "PARITY_STARTED"


REAP_SECONDS = 5.0
"""What was killed is gone at once, but for a process that the kernel holds."""


class ProcessTree:
    """A command that runs. Without /proc it is the command's process group alone."""

    def __init__(self, words: Sequence[str], stderr: IO[bytes] | None) -> None:
        """Start it. Raises OSError."""
        self._mark = secrets.token_hex(16)
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            env={**os.environ, _MARK: self._mark},
        )

    def signal(self, number: int) -> None:
        """Send a signal to all of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        for pid in self._marked():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL all of it, until none is left that it could start more with."""
        while True:
            self.signal(signal.SIGKILL)
            self.process.poll()
            if not any(_runs(pid) for pid in self._marked()):
                break
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(REAP_SECONDS)

    def _marked(self) -> Iterator[int]:
        wanted = f"{_MARK}={self._mark}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended, or is somebody else's
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)


def _runs(pid: int) -> bool:
    """Say whether a process isn't only waiting to be reaped."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
