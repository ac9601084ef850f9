"""What the system says of files, in words: without the number of the error, and with the path once."""

from __future__ import annotations


def reason_of(error: Exception) -> str:
    """Return why, where the path is told already."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def path_and_reason_of(error: OSError) -> str:
    """Return which path, if that is known, and why."""
    return f"{error.filename}: {reason_of(error)}" if error.filename else reason_of(error)
