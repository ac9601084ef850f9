"""What is begun beside a database and can't be ended leaves nothing: a shadow, and SQLite's own files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stores.contract import StoreUnavailable
from stores.registry import open_store
from stores.shadow import Shadow
from stores.sqlite import connections


@pytest.mark.parametrize("ending", [KeyboardInterrupt, OSError])
def test_a_shadow_that_is_interrupted_is_removed(
    ending: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "file").write_bytes(b"x")

    def files() -> Iterator[Path]:
        yield tmp_path / "file"
        raise ending

    with pytest.raises((KeyboardInterrupt, StoreUnavailable)):
        Shadow(files())
    assert not list((tmp_path / "tmp").iterdir())


def test_sqlite_asks_for_all_file_descriptors_before_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(needed: int) -> None:
        raise StoreUnavailable(f"no {needed} files may be opened")

    monkeypatch.setattr(connections, "check_descriptors", none_left)
    with pytest.raises(StoreUnavailable, match="no 3 files"):
        open_store(f"sqlite:{tmp_path / 'x.db'}", create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.db.lock"], "the lock stands for nothing"


class Interrupted(sqlite3.Connection):
    """A connection whose COMMIT succeeds just before Ctrl-C is noticed."""

    def execute(self, statement: str, values: Any = (), /) -> sqlite3.Cursor:
        done = super().execute(statement, values)
        if statement == "COMMIT":
            raise KeyboardInterrupt
        return done


def test_ctrl_c_right_after_a_new_sqlite_database_was_committed_is_no_error_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Interrupted))
    with pytest.raises(KeyboardInterrupt):
        open_store(f"sqlite:{tmp_path / 'x.db'}", create=True)
