"""`parity backup` and `parity restore`: from a server that runs into a file, and from files into a database."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from parity.problems import Problem
from protos.parity.v1.admin_pb2 import DESCRIPTOR as ADMIN_FILE
from protos.parity.v1.admin_pb2 import BackupHeader, BackupRequest
from reference_server.client.failures import Unreachable
from reference_server.client.server import DEFAULT_ADDRESS, Endpoint, Server
from stores.backup.restore import CHECKING, RESTORING, Restored, check_file
from stores.backup.restore import restore as restore_files
from stores.backup.snapshot import contract_digest
from terminal.progress import progress_of, progress_of_stages

NOT_WHOLE = 1
NAMES_SHOWN = 10
POSITION_MAX = 2**63 - 1
"""Of a store's positions, which are 64-bit numbers with a sign in the databases."""
BACKUP_METHOD = ADMIN_FILE.services_by_name["AdminService"].methods_by_name["Backup"]


def backup(
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    address: Annotated[
        str, typer.Option("--address", "-a", envvar="PARITY_ADDRESS", help="HOST:PORT, grpc(s)://HOST:PORT, unix:PATH.")
    ] = DEFAULT_ADDRESS,
    token: Annotated[
        str, typer.Option("--token", envvar="PARITY_TOKEN", help="An operator's; the oss profile needs none.")
    ] = "",
    tls_ca: Annotated[
        Path | None, typer.Option("--tls-ca", envvar="PARITY_TLS_CA", help="Speak TLS, trusting this PEM file.")
    ] = None,
    since: Annotated[
        int,
        typer.Option("--since", min=0, max=POSITION_MAX, help="Only what changed since the backup with this position."),
    ] = 0,
    timeout: Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds to wait for the next bytes.")] = 60,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there, by a whole one.")] = False,
) -> None:
    """Take a backup of a server that runs, as it is at one moment. The file appears when it is whole and checked."""
    console = Console(emoji=False)
    with (
        Server(Endpoint(address, token, tls_ca, timeout)) as server,
        progress_of("bytes received", left="no file is left") as advance,
    ):

        def pieces() -> Iterable[bytes]:
            received = 0
            for data in _received(server, since):
                received += len(data)
                advance("receiving", received, 0)  # a server can't tell how many there will be
                yield data

        header = write_checked(out, pieces(), force=force)
    what = f"changes since position {since}" if since else f"{sum(each.resources for each in header.counts)} resources"
    console.print(
        f"{what} written to {escape(str(out))}: {out.stat().st_size} bytes, position {header.position}; "
        f"the next increment is taken with --since {header.position}",
        soft_wrap=True,
        highlight=False,
    )


def _received(server: Server, since: int) -> Iterator[bytes]:
    """Yield what a server sends. Raises Unreachable if nothing comes for the server's time-out; Refused."""
    stream = server.stream(BACKUP_METHOD, BackupRequest(since_position=since))
    try:
        while (response := stream.next(server.timeout_s)) is not None:
            yield response.data
    finally:
        stream.close()
    if not stream.has_ended:
        raise Unreachable(
            f"{server.address} sent nothing for {server.timeout_s:g} seconds",
            hint="Give it more with --timeout SECONDS.",
        )


def write_checked(out: Path, pieces: Iterable[bytes], *, force: bool) -> BackupHeader:
    """Write pieces to a file beside `out`, read it back and check it, and give it its name.

    Raises Problem if `out` is there without `force`; BadBackupFile; OSError. Then `out` is as it was.
    """
    if not force and out.exists():
        raise _there_already(out)
    if not out.absolute().parent.is_dir():
        raise Problem(f"{out.parent}: no such folder", hint="make it first")
    number, name = tempfile.mkstemp(prefix=f".{out.name}.", suffix=".partial", dir=out.absolute().parent)
    partial = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        header = check_file(partial)
        _named(partial, out, force=force)
    finally:
        partial.unlink(missing_ok=True)
    return header


def _named(partial: Path, out: Path, *, force: bool) -> None:
    if force:
        partial.replace(out)
    else:
        try:
            out.hardlink_to(partial)  # unlike a renaming, this never replaces what came there meanwhile
        except FileExistsError:
            raise _there_already(out) from None
    folder = os.open(out.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _there_already(out: Path) -> Problem:
    return Problem(f"{out} is there already", hint="name another file, or replace it with --force")


def restore(
    files: Annotated[list[Path], typer.Argument(help="A backup, then its increments in order.")],
    to: Annotated[str, typer.Option("--to", help="Store URL of the new database, for example leveldb:PATH.")],
    partial: Annotated[
        bool, typer.Option("--partial", help="Take what is whole of a damaged backup, and say what is missing.")
    ] = False,
) -> None:
    """Make a new database of a backup and its increments. It appears at its place when it is whole.

    Exit code 1: not all that was backed up is in it, and the output says what is missing.
    """
    console = Console(emoji=False)
    with progress_of_stages("restore", {CHECKING: 1, RESTORING: 3}, left="no database is left") as within:
        restored = restore_files(
            files, to, partial=partial, progress=lambda stage, done, total: within(stage)("", done, total)
        )
    for line in _lines(restored):
        console.print(line, soft_wrap=True, highlight=False)
    console.print(f"{restored.records} records restored to {escape(to)}", soft_wrap=True, highlight=False)
    if not restored.is_whole:
        raise typer.Exit(NOT_WHOLE)


def _lines(restored: Restored) -> Iterable[str]:
    for damage in restored.damages:
        yield f"[red]damaged[/red]: {escape(damage)}"
    for kind, number in restored.missing.items():
        yield f"[red]missing[/red]: {number} of kind {escape(kind)}"
    for kind, id_ in restored.changed[:NAMES_SHOWN]:
        yield f"[red]changed[/red]: {escape(kind)} {escape(id_)}: the target's codec keeps no unknown fields"
    if len(restored.changed) > NAMES_SHOWN:
        yield f"[red]changed[/red]: and {len(restored.changed) - NAMES_SHOWN} more"
    if restored.contract not in {"", contract_digest()}:
        yield "the contract has changed since the backup was taken; the messages are kept as they were"
