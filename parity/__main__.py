"""Entry point of the command `parity`, and of `python -m parity`."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` loads `enum` and more first, and Ctrl-C may come meanwhile
import os
import sys

_EXIT_INTERRUPTED = 130
"""As in `parity/interrupts.py`, whose imports take a while."""


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback from the first moment on, while modules are loaded."""
    _signal.signal(_signal.SIGINT, _end_early)
    from parity.main import main as run  # noqa: PLC0415 - what takes long comes behind the line above

    run()
    sys.exit()


def _end_early(_number: int, _frame: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(_EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
