"""How the commands of `parity stores` tell what is wrong: a sentence on standard error, and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from stores.contract import InvalidStoreUrl, StoreError
from stores.export_file import BadExport
from terminal.interrupt import interrupts_first
from terminal.lines import print_error
from terminal.system_errors import path_and_reason_of

DAMAGED = 1
USAGE = 2
UNREACHABLE = 3


@contextmanager
def told_errors() -> Iterator[None]:
    """Turn what is wrong with a URL, a file or a store into a sentence on standard error and an exit code."""
    try:
        with interrupts_first():
            yield
    except (InvalidStoreUrl, BadExport) as error:
        stop(str(error), error.hint, USAGE)
    except StoreError as error:
        stop(str(error), error.hint, UNREACHABLE)
    except OSError as error:
        stop(path_and_reason_of(error), "check the path", USAGE)


def stop(problem: str, hint: str, code: int) -> NoReturn:
    """Say what is wrong and what to do, and end with an exit code."""
    print_error(f"error: {problem}" + (f"\nhint: {hint}" if hint else ""))
    raise typer.Exit(code)
