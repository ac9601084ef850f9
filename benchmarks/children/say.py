"""Write to standard output whole: with PYTHONUNBUFFERED a large write to a pipe stops where the pipe is full."""

import sys


def say(data: bytes) -> None:
    """Write all of the bytes, however many it takes the pipe to swallow at once."""
    sys.stdout.flush()
    with open(1, "wb", closefd=False) as out:
        out.write(data)
