"""Ctrl-C: the first ends a command, which keeps and names what is finished; the second ends the process at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

EXIT_INTERRUPTED = 130
"""What a shell expects of a program that SIGINT ended: 128 and the signal's number."""
AGAIN_SECONDS = 0.3
"""A terminal and the command that started this one both send the first; what comes so soon is the same one."""
END_SECONDS_MAX = 10.0
"""A command that still hasn't ended then is ended without its doing. That is late: a busy machine may only be slow in
writing down what is finished, and who is in a hurry presses Ctrl-C again."""
CALL_IS_MADE = ("grpc._channel", "create")
"""Module and function in which gRPC registers a call and then starts the thread that attends to it. An exception in
between leaves a channel that can't be closed: closing waits for that call for ever (gRPC 1.85)."""
LATER_SECONDS = 0.002
Handler = Callable[[int, FrameType | None], None]


class _Interrupt:
    """When the first SIGINT came; None: not yet."""

    at: float | None = None


def install() -> None:
    """Handle SIGINT in this process, which must be in its main thread. `serve` sets its own handler."""
    signal.signal(signal.SIGINT, when_no_call_is_made(_handle))


def when_no_call_is_made(handler: Handler) -> Handler:
    """Return a handler that may raise: at once, or a moment later if gRPC is just making a call."""

    def handle(number: int, frame: FrameType | None) -> None:
        if _makes_call(frame):
            threading.Timer(LATER_SECONDS, os.kill, (os.getpid(), number)).start()
        else:
            handler(number, frame)

    return handle


def _makes_call(frame: FrameType | None) -> bool:
    while frame is not None:
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) == CALL_IS_MADE:
            return True
        frame = frame.f_back
    return False


def interrupted() -> bool:
    """Whether somebody asked this process to end."""
    return _Interrupt.at is not None


def _handle(_number: int, _frame: FrameType | None) -> None:
    now = time.monotonic()
    if _Interrupt.at is not None:
        if now - _Interrupt.at > AGAIN_SECONDS:
            end_now(EXIT_INTERRUPTED)
        return
    _Interrupt.at = now
    watchdog = threading.Timer(END_SECONDS_MAX, end_now, (EXIT_INTERRUPTED,))
    watchdog.daemon = True
    watchdog.start()
    raise KeyboardInterrupt


def end_now(code: int) -> NoReturn:
    """End this process and all that it has started, without further ado."""
    for pid in descendants(os.getpid(), _parents()):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def descendants(root: int, parents: dict[int, int]) -> Iterable[int]:
    """Return what a process has started, and what that has started; `parents` holds the parent of each process."""
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return found - {root}


def _parents() -> dict[int, int]:
    """Return the parent of each process; nothing without /proc."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            fields = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            found[int(folder.name)] = int(fields[1])
    return found
