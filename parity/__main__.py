"""Entry point of the command `parity`, and of `python -m parity`."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

_EXIT_INTERRUPTED = 130
"""As in `parity/interrupts.py`, whose imports take a while."""


def main() -> NoReturn:
    """Run the command line. Ctrl-C ends it without a traceback from the first moment on, while modules are loaded."""
    signal.signal(signal.SIGINT, _end_early)
    from parity.main import main as run  # noqa: PLC0415 - what takes long comes behind the line above

    run()
    sys.exit()


def _end_early(_number: int, _frame: object) -> NoReturn:
    os.write(2, b"interrupted\n")
    os._exit(_EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
