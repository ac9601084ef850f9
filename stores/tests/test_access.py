"""What a store is opened for: reading changes nothing, and only `create` makes a database."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stores.contract import (
    FormatMismatch,
    InvalidOperation,
    StoreDamaged,
    StoreError,
    StoreLocked,
    StoreNotFound,
    StoreReadOnly,
)
from stores.registry import SCHEMES, open_store, unavailable
from stores.shadow import data_of
from stores.suite.samples import agent, fill, put

SCHEME_NAMES = [scheme.name for scheme in SCHEMES if scheme.needs_path]
WAYS = [(True, False), (False, False), (False, True)]
"""To open a store: `create` and `read_only`."""
_KILLED = """
import os, sys
from stores.registry import open_store
from stores.suite.samples import fill
store = open_store(sys.argv[1], create=True)
fill(store, ["a", "b"])
os._exit(0)
"""


@pytest.fixture(params=SCHEME_NAMES)
def scheme(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    reason = unavailable(next(scheme for scheme in SCHEMES if scheme.name == name))
    if reason:
        pytest.skip(reason)
    return name


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    """All that is in a folder: sizes, modes and digests."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, "" if path.is_dir() else _digest(path))
        for path in sorted(folder.rglob("*"))
    }


def _digest(path: Path) -> str:
    digest = hashlib.sha256(str(path.stat().st_size).encode())
    with path.open("rb") as file:
        for at, block in data_of(file.fileno()):
            digest.update(b"%d" % at + block)
    return digest.hexdigest()


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("name", ["none", "none/below", "empty"])
def test_a_mistyped_path_makes_nothing(scheme: str, name: str, read_only: bool, tmp_path: Path) -> None:
    if scheme != "sqlite":
        (tmp_path / "empty").mkdir()
    with pytest.raises(StoreNotFound, match="there is no") as refusal:
        open_store(f"{scheme}:{tmp_path / name}", read_only=read_only)
    assert refusal.value.hint
    assert [path.name for path in tmp_path.rglob("*")] == ([] if scheme == "sqlite" else ["empty"])


@pytest.mark.parametrize("ended", ["closed", "killed"])
def test_reading_changes_nothing(scheme: str, ended: str, tmp_path: Path) -> None:
    url = f"{scheme}:{tmp_path / 'db'}"
    if ended == "killed":
        subprocess.run([sys.executable, "-c", _KILLED, url], check=True, timeout=60)
    else:
        with open_store(url, create=True) as store:
            fill(store, ["a", "b"])
    before = contents(tmp_path)
    with open_store(url, read_only=True) as store:
        assert [record.id for record in store.scan("agent")] == ["a", "b"]
        assert store.get("agent", "b") == agent("b")
        with pytest.raises(StoreReadOnly):
            store.commit([put("c")])
        with pytest.raises(StoreReadOnly):
            store.compact()
        assert contents(tmp_path) == before
    assert contents(tmp_path) == before
    with open_store(url) as store:
        store.commit([put("c")])
        assert store.count("agent") == 3


def test_reading_and_writing_keep_each_other_out(scheme: str, tmp_path: Path) -> None:
    url = f"{scheme}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        fill(store, ["a"])
        with pytest.raises(StoreLocked):
            open_store(url, read_only=True)
        store.commit([put("b")])
        other = [sys.executable, "-c", _KILLED, url]
        refused = subprocess.run(other, check=False, capture_output=True, text=True, timeout=60)
        assert "StoreLocked" in refused.stderr, "the refused reader took the lock of this process with it"
    with open_store(url, read_only=True):
        refused = subprocess.run(other, check=False, capture_output=True, text=True, timeout=60)
        assert "StoreLocked" in refused.stderr
    with open_store(url) as store:
        assert store.count("agent") == 2


@pytest.mark.parametrize("scheme", ["leveldb", "rocksdb"])
@pytest.mark.parametrize(
    "named", [b"", b"MANIFEST-000004", b"../other/MANIFEST-000004\n", b"MANIFEST-" + b"9" * 4000, b"\0\n"]
)
def test_what_names_no_manifest_is_damage(named: bytes, scheme: str, tmp_path: Path) -> None:
    """The engines say of some of these that the disk is full, and look for the others elsewhere."""
    url = f"{scheme}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        fill(store, ["a"])
    (tmp_path / "db" / "CURRENT").write_bytes(named)
    before = contents(tmp_path)
    for create, read_only in WAYS:
        with pytest.raises(StoreDamaged, match="CURRENT names no MANIFEST"):
            open_store(url, create=create, read_only=read_only)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("length", [1, 4096, 4100, 8192])
def test_a_file_of_lmdb_that_ends_in_its_first_pages_is_told_in_words(length: int, tmp_path: Path) -> None:
    url = f"lmdb:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        fill(store, ["a"])
    os.truncate(tmp_path / "db" / "data.mdb", length)
    with pytest.raises(StoreDamaged, match=r"cut|end of the file|meta page|no LMDB|root") as refusal:
        open_store(url)
    assert "unpack" not in str(refusal.value)


@pytest.mark.parametrize("text", ["notes", "a file that is longer than the header of a database" * 4])
def test_a_file_of_something_else_is_no_database_and_gets_no_lock(text: str, tmp_path: Path) -> None:
    (tmp_path / "db").write_text(text, encoding="utf-8")
    for create, read_only in WAYS:
        with pytest.raises(FormatMismatch, match="is no SQLite database"):
            open_store(f"sqlite:{tmp_path / 'db'}", create=create, read_only=read_only)
    assert [path.name for path in tmp_path.iterdir()] == ["db"]
    assert (tmp_path / "db").read_text(encoding="utf-8") == text


def test_two_may_read(scheme: str, tmp_path: Path) -> None:
    if scheme == "lmdb":
        pytest.skip("LMDB opens a database once in a process")
    url = f"{scheme}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        fill(store, ["a"])
    with open_store(url, read_only=True) as store, open_store(url, read_only=True) as second:
        assert store.count("agent") == second.count("agent") == 1


def test_create_and_read_only_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidOperation):
        open_store(f"leveldb:{tmp_path / 'db'}", create=True, read_only=True)


def test_a_memory_store_has_nothing_to_read() -> None:
    with pytest.raises(StoreNotFound):
        open_store("memory:", read_only=True)


@pytest.mark.parametrize(("scheme", "head"), [("leveldb", "CURRENT"), ("rocksdb", "CURRENT"), ("badger", "MANIFEST")])
def test_a_database_without_its_head_is_damaged(scheme: str, head: str, tmp_path: Path) -> None:
    reason = unavailable(next(row for row in SCHEMES if row.name == scheme))
    if reason:
        pytest.skip(reason)
    url = f"{scheme}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        fill(store, ["a"])
    (tmp_path / "db" / head).unlink()
    before = contents(tmp_path)
    for create, read_only in WAYS:
        with pytest.raises(StoreDamaged, match=f"{head} is missing") as refusal:
            open_store(url, create=create, read_only=read_only)
        assert "salvage" in refusal.value.hint
    assert contents(tmp_path) == before


@pytest.mark.parametrize("other", SCHEME_NAMES)
def test_another_engines_database_is_left_alone(scheme: str, other: str, tmp_path: Path) -> None:
    if scheme == other:
        pytest.skip("it is its own")
    if unavailable(next(row for row in SCHEMES if row.name == other)):
        pytest.skip(f"there is no {other} here to make a database with")
    with open_store(f"{other}:{tmp_path / 'db'}", create=True) as store:
        fill(store, ["a"])
    before = contents(tmp_path)
    for create, read_only in WAYS:
        with pytest.raises(StoreError) as refusal:
            open_store(f"{scheme}:{tmp_path / 'db'}", create=create, read_only=read_only)
        assert isinstance(refusal.value, FormatMismatch), refusal.value
    assert contents(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_folder_that_may_not_be_written_can_be_read(scheme: str, tmp_path: Path) -> None:
    url = f"{scheme}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        fill(store, ["a"])
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with open_store(url, read_only=True) as store:
        assert store.count("agent") == 1
