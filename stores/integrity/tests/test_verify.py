"""Each sort of finding is planted, found and, where it can be, repaired; a clean store of each engine has none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stores.cli import app
from stores.integrity.contents import Resource
from stores.integrity.findings import FINDING_KINDS, REFERENCES
from stores.integrity.tests import plants
from stores.integrity.verify import NotRepairable, contents_of, repair, verify
from stores.keyvalue.store import KeyValueStore
from stores.registry import open_store, parse_url, scheme_of, unavailable
from stores.schema import KINDS
from stores.suite.furnished import furnish
from stores.suite.samples import put

URLS = ("leveldb", "rocksdb", "lmdb", "badger", "sqlite", "leveldb?codec=json", "sqlite?codec=protobuf")
AGENTS = 8
BY_DAMAGE = {"area-unreadable", "database-unreadable"}
"""Found after damage to files, not to rows."""
DERIVED = sorted(name for name, kind in FINDING_KINDS.items() if kind.derived)


def _url(scheme: str, folder: Path) -> str:
    name, mark, options = scheme.partition("?")
    return f"{name}:{folder / 'db'}{mark}{options}"


def _furnished(scheme: str, folder: Path) -> str:
    url = _url(scheme, folder)
    with open_store(url, create=True) as store:
        furnish(store, AGENTS, text_bytes=40)
    return url


def _planted(scheme: str, what: str, folder: Path) -> str:
    url = _furnished(scheme, folder)
    if scheme.startswith("sqlite"):
        plants.plant_sqlite(folder / "db", what)
        (folder / "db.mark").unlink()  # it would refuse numbers that are behind, before they are looked at
    else:
        with open_store(url) as store:
            assert isinstance(store, KeyValueStore)
            plants.plant_key_value(store, what)
            store.forget_high_water()
    return url


def _files(folder: Path) -> dict[str, str]:
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("scheme", URLS)
def test_a_clean_store_has_none_and_looking_changes_nothing(scheme: str, tmp_path: Path) -> None:
    reason = unavailable(scheme_of(scheme.partition("?")[0]))
    if reason:
        pytest.skip(reason)
    url = _furnished(scheme, tmp_path)
    before = _files(tmp_path)
    assert verify(url) == []
    assert _files(tmp_path) == before


def test_every_sort_of_finding_is_planted() -> None:
    key_value, sqlite = set(plants.KEY_VALUE), set(plants.SQLITE)
    assert key_value | sqlite | REFERENCES | BY_DAMAGE == set(FINDING_KINDS)
    assert key_value - sqlite == {"position-twice", "order-missing", "order-wrong"}, (
        "SQLite: a position is a row number"
    )
    assert sqlite - key_value == {"tree-index"}


CASES = [("lmdb", what) for what in plants.KEY_VALUE] + [("sqlite?codec=protobuf", what) for what in plants.SQLITE]


@pytest.mark.parametrize(("scheme", "what"), CASES)
def test_planted_damage_is_found_and_repaired(scheme: str, what: str, tmp_path: Path) -> None:
    """What is derived is repaired, and the copy still has the damage; the rest is refused and stays."""
    url = _planted(scheme, what, tmp_path)
    found = verify(url)
    assert what in {finding.what for finding in found}
    before = _files(tmp_path)
    if {finding.what for finding in found} - set(DERIVED) - REFERENCES - {"row-unknown"}:
        with pytest.raises(NotRepairable):
            repair(url, found)
        assert _files(tmp_path) == before
        return
    held = _held(url)
    kept = repair(url, found)
    left = {finding.what for finding in verify(url)}
    assert left <= REFERENCES | {"row-unknown"}
    assert what in {finding.what for finding in verify(str(parse_url(url)).replace(str(tmp_path / "db"), str(kept)))}
    assert _held(url) == held
    with open_store(url) as store:
        store.commit([put("new", when="absent"), put("agt-0003", slug="slug-0003")])
    assert {finding.what for finding in verify(url)} <= REFERENCES | {"row-unknown"}


def _held(url: str) -> list[tuple[str, str, int, int]]:
    """All resources that are there, read past every index."""
    with open_store(url, read_only=True) as store, contents_of(store) as contents:
        return sorted(
            (kind, each.id, each.position, each.revision)
            for kind in KINDS
            for each in contents.resources(kind)
            if isinstance(each, Resource)
        )


@pytest.mark.parametrize("scheme", ["leveldb", "sqlite"])
@pytest.mark.parametrize("what", sorted(REFERENCES))
def test_references(scheme: str, what: str, tmp_path: Path) -> None:
    url = _furnished(scheme, tmp_path)
    with open_store(url) as store:
        plants.plant_reference(store, what)
    found = {finding.what: finding for finding in verify(url)}
    assert what in found
    assert set(found) <= REFERENCES
    assert plants.REFERENCES[what][1] in found[what].detail
    run = CliRunner().invoke(app, ["verify", url], env={"COLUMNS": "200"})
    assert what in run.output
    is_damage = any(not finding.lawful for finding in found.values())
    assert (run.exit_code, "nothing is wrong" in run.output) == (int(is_damage), not is_damage)
    assert found[what].lawful == (what != "agent-gone")


def test_damage_to_files(tmp_path: Path) -> None:
    """A flipped byte in a table of LevelDB, which opens and can't be read on; then a folder that can't be opened."""
    level = f"leveldb:{tmp_path / 'level'}"
    with open_store(level, create=True) as store:
        furnish(store, AGENTS, text_bytes=2000)
        store.compact()
    table = max((tmp_path / "level").glob("*.ldb"), key=lambda file: file.stat().st_size)
    image = bytearray(table.read_bytes())
    image[len(image) // 2] ^= 0x40
    table.write_bytes(image)
    assert "area-unreadable" in {finding.what for finding in verify(level)}
    (tmp_path / "level" / "CURRENT").unlink()
    (finding,) = verify(level)
    assert finding.what == "database-unreadable"
    with pytest.raises(NotRepairable):
        repair(level, [finding])


# ---- the command


def test_command(tmp_path: Path) -> None:
    url = _planted("sqlite?codec=protobuf", "entry-missing", tmp_path)
    run = CliRunner().invoke(app, ["verify", url], env={"COLUMNS": "200"})
    assert run.exit_code == 1
    assert plants.ID in run.output
    assert "entry-missing" in run.output
    run = CliRunner().invoke(app, ["verify", url, "--repair-indexes"], env={"COLUMNS": "200"})
    assert run.exit_code == 0, run.output
    assert "before-repair-1" in run.output
    run = CliRunner().invoke(app, ["verify", url])
    assert (run.exit_code, "nothing is wrong" in run.output) == (0, True)


@pytest.mark.parametrize(
    ("url", "exit_code", "says"),
    [("leveldb:{}/none", 3, "none"), ("memory:", 3, "empty whenever"), ("nope:x", 2, "unknown store")],
)
def test_command_refuses(url: str, exit_code: int, says: str, tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["verify", url.format(tmp_path)], env={"COLUMNS": "300"})
    assert (run.exit_code, says in run.output) == (exit_code, True), run.output
    assert list(tmp_path.iterdir()) == []
