"""The command line: `parity COMMAND`. Mounts one command or group per room and tells errors to people."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from parity.errors import told, wants_traceback
from parity.interrupts import EXIT_INTERRUPTED, end_now, install, interrupted, when_no_call_is_made
from parity.lazy import LazyGroup
from stores.cache import cache_folder
from terminal.lines import print_error

application = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_UNWIND_SECONDS_MAX = 20.0
"""A command that is told to end has so long to end what it has started."""


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            print(f"parity {version('agent-parity')}")
        except PackageNotFoundError:
            print("parity (not installed: run from its folder)")
        raise typer.Exit


@application.callback()
def parity(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Prove that agent servers and their stores do what they claim."""


# gRPC writes lines of its own to standard error, which say again what the error says that people are told.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# Hypothesis would keep tables of its own in a folder `.hypothesis` wherever the command is run.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache_folder() / "hypothesis"))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code. Errors go to standard error as sentences, never as tracebacks."""
    try:
        typer.main.get_command(application).main(list(arguments), prog_name="parity")
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        _end_if_interrupted()
        return code
    except Exception as error:
        _end_if_interrupted()
        if wants_traceback():
            raise
        text, code = told(error)
        print_error(f"error: {text}")
        return code
    return 0


def _end_if_interrupted() -> None:
    """End after Ctrl-C, whatever it has become on the way here."""
    if interrupted():
        print("interrupted", file=sys.stderr)
        end_now(EXIT_INTERRUPTED)


def _terminate(number: int, _frame: object) -> None:
    """SIGTERM unwinds like an error, so that whatever a command has started is ended; `serve` sets its own handler."""
    watchdog = threading.Timer(_UNWIND_SECONDS_MAX, os._exit, (128 + number,))
    watchdog.daemon = True
    watchdog.start()
    sys.exit(128 + number)


def main() -> None:
    """Entry point of the installed command."""
    signal.signal(signal.SIGTERM, when_no_call_is_made(_terminate))
    install()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
