"""What the command line itself refuses."""

from __future__ import annotations


class Problem(Exception):
    """Something that the person who typed the command can mend. `hint` says how."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
