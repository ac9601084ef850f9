"""Whether a folder of LevelDB's or RocksDB's may be opened for writing at once, or must be tried on a shadow first.

Opening for writing replays the logs into tables and removes them: a database that is refused only then has lost what
could have been saved from its logs. So where the logs themselves don't show the state that the high-water mark says,
the database is first opened for reading, over a shadow, and refused there if it has to be.
"""

from __future__ import annotations

from os import SEEK_END
from pathlib import Path

from stores.contract import StoreDamaged
from stores.engines.logs import log_files, read_log, value_in
from stores.high_water import FOLDER_MARK, read_mark
from stores.keyvalue import layout

_MAGIC_BYTES = 8
_MAGICS = {0xDB4775248B80FB57.to_bytes(8, "little"), 0x88E241B785F4CFF7.to_bytes(8, "little")}
"""What a table of LevelDB's, and one of RocksDB's, ends with."""


def _tables_have_ends(folder: Path) -> bool:
    """Say whether every table has its end. One that hasn't may be left over: a process was ended while it wrote it."""
    try:
        for table in (*folder.glob("*.ldb"), *folder.glob("*.sst")):
            if not table.is_file():
                return False
            with table.open("rb") as file:
                file.seek(-min(_MAGIC_BYTES, table.stat().st_size), SEEK_END)
                if file.read() not in _MAGICS:
                    return False
    except OSError:
        return False
    return True


def is_vouched_for(folder: Path, meta: bytes) -> bool:
    """Say whether a database of this meta row shows in its logs all that was acknowledged, or there is none.

    Raises StoreDamaged, StoreUnavailable.
    """
    if not (folder / "CURRENT").exists():
        return True
    mark = read_mark(folder / FOLDER_MARK)
    if mark is None or not mark.is_of(meta) or not _tables_have_ends(folder):
        return False
    logs = [read_log(path) for path in log_files(folder)]
    if any(log.torn_at is not None for log in logs):
        return False
    newest = next((log for log in reversed(logs) if log.last_batch), None)
    if newest is None or value_in(newest.first_batch, layout.META_KEY) != meta:
        return False
    state = value_in(newest.last_batch, layout.STATE_KEY)
    try:
        return state is not None and not mark.high_water.is_above(layout.high_water(layout.read_state(state)))
    except StoreDamaged:
        return False
