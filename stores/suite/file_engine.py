"""An engine that writes all rows to one file with each batch, the plain way: for trials of power failures."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from pathlib import Path

from sortedcontainers import SortedDict

from stores.keyvalue.engine import EngineCorrupt
from stores.suite.dict_engine import DictEngine


class FileEngine(DictEngine):
    """Writes a new file, syncs it, renames it over the old one, and syncs the folder; then the batch is durable."""

    name = "file"

    def __init__(self, path: Path) -> None:
        """Read the file `rows` of a folder, if there is one with anything in it. Raises EngineCorrupt."""
        path.mkdir(parents=True, exist_ok=True)
        self._folder = path
        self._file = path / "rows"
        rows = SortedDict()
        if self._file.exists() and self._file.stat().st_size:
            try:
                held = json.loads(self._file.read_bytes())
            except ValueError as error:
                raise EngineCorrupt(f"{self._file} can't be read: {error}") from error
            rows.update({base64.b64decode(key): base64.b64decode(value) for key, value in held.items()})
        super().__init__(rows)

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """See `Engine`."""
        super().write(changes, sync=sync)
        held = {base64.b64encode(key).decode(): base64.b64encode(value).decode() for key, value in self.rows_kept()}
        self.keep(json.dumps(held).encode())

    def rows_kept(self) -> Iterable[tuple[bytes, bytes]]:
        """Return the rows that the file is to hold."""
        return list(self.rows.items())

    def keep(self, data: bytes) -> None:
        """Make these the file's contents, durably."""
        new = self._folder / "rows.new"
        new.write_bytes(data)
        self.sync(new)
        new.replace(self._file)
        self.sync(self._folder)

    def sync(self, path: Path) -> None:
        """Sync a file or folder."""
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
