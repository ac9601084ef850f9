"""What this room refuses, in words for the person who asked for a report."""

from __future__ import annotations


class RunUnreadable(Exception):
    """A run directory, or a file in it, can't be read. The message names the file; `hint` says what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ReportUnwritable(Exception):
    """A report can't be written where it was wanted. The message names the file; `hint` says what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
