"""The command of `parity stores` that reads databases of the migration to BadgerDB."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stores.engines.badger.legacy import LegacyDatabase, import_legacy
from stores.registry import open_store


def import_legacy_command(
    folder: Annotated[Path, typer.Argument(help="Folder of the old database: keys Kind/id, raw protobuf values.")],
    url: Annotated[str, typer.Argument(help="Store to write to, for example leveldb:PATH or badger:PATH.")],
    *,
    recover: Annotated[
        bool, typer.Option(help="Open the old database for writing, to complete what a killed process left.")
    ] = False,
    skip_unknown: Annotated[bool, typer.Option(help="Pass over keys that aren't Kind/id of a known kind.")] = False,
) -> None:
    """Import a BadgerDB database with keys `Kind/id` into a store. The old one is only read."""
    source = LegacyDatabase(folder, recover=recover)
    try:
        with open_store(url, create=True) as target:
            imported = import_legacy(source, target, skip_unknown=skip_unknown)
    finally:
        source.close()
    for kind in sorted({*imported.written, *imported.present}):
        print(f"{kind}: {imported.written.get(kind, 0)} written, {imported.present.get(kind, 0)} there already")
    print(f"{sum(imported.written.values())} resources written to {url}")
