"""Random damage: what is untouched is salvaged, what is lost is said, and the source isn't changed."""

from __future__ import annotations

import hashlib
import shutil
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stores.cli import app
from stores.contract import InvalidStoreUrl, StoreLocked, StoreNotFound
from stores.files import size_of
from stores.integrity.findings import REFERENCES
from stores.integrity.verify import verify
from stores.registry import open_store, scheme_of, unavailable
from stores.salvage.salvage import SOURCES, Salvage, salvage
from stores.salvage.tests.damages import Whole, damage, files_of, is_untouched, resources_of
from stores.shadow import copy_sparse, data_of
from stores.suite.furnished import furnish
from stores.transfer import records

AGENTS = 50
OPTIONS = "?codec=protobuf"


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A database of each engine as a killed process leaves it (logs not yet in tables), made when it is asked for."""
    return _Originals(tmp_path_factory.mktemp("originals"))


@cache
def _wholes(scheme: str, path: Path) -> list[Whole]:
    return list(resources_of(scheme, path))


class _Originals(dict[str, Path]):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, scheme: str) -> Path:
        reason = unavailable(scheme_of(scheme))
        if reason:
            pytest.skip(reason)
        path, kept = self._folder / scheme / "live", self._folder / scheme / "db"
        path.parent.mkdir()
        with open_store(f"{scheme}:{path}{OPTIONS}", create=True) as store:
            furnish(store, AGENTS)
            _copy(path, kept)
        self[scheme] = kept
        return kept


def _copy(path: Path, to: Path) -> None:
    if path.is_dir():
        to.mkdir(parents=True)
        for file in path.iterdir():
            copy_sparse(file, to / file.name)
    else:
        to.parent.mkdir(parents=True, exist_ok=True)
        for file in path.parent.glob(path.name + "*"):
            shutil.copy(file, to.with_name(file.name.replace(path.name, to.name, 1)))


def _target(folder: Path) -> str:
    return f"leveldb:{folder / 'new'}?durability=relaxed"


@pytest.mark.parametrize("scheme", SOURCES)
def test_an_undamaged_database_is_taken_whole(scheme: str, originals: dict[str, Path], tmp_path: Path) -> None:
    path = originals[scheme]
    before = _digests(path)
    result = salvage(f"{scheme}:{path}{OPTIONS}", _target(tmp_path))
    assert (result.is_whole, result.doubtful) == (True, [])
    assert _digests(path) == before
    assert verify(_target(tmp_path)) == []
    expected = _wholes(scheme, path)
    assert len(expected) == sum(result.taken.values()) == 4 * AGENTS + 18
    _assert_holds(_target(tmp_path), expected)
    if scheme != "badger":  # as an engine itself lists it
        live = path.parent / "live"
        with open_store(f"{scheme}:{live}{OPTIONS}", read_only=True) as old, open_store(_target(tmp_path)) as new:
            assert [(each.kind, each.id, each.data) for each in records(old)] == [
                (each.kind, each.id, each.data) for each in records(new)
            ]


RANDOM = [
    pytest.param(scheme, seed, marks=[] if seed < 4 and (seed + place) % 2 else pytest.mark.full)
    for place, scheme in enumerate(SOURCES)
    for seed in range(100)
]
"""Two of the four ways of damage for each engine, and the others for the next one; a hundred in the long form."""


@pytest.mark.parametrize(("scheme", "seed"), RANDOM)
def test_what_is_untouched_is_salvaged(scheme: str, seed: int, originals: dict[str, Path], tmp_path: Path) -> None:
    path, hurt = originals[scheme], tmp_path / "db"
    _copy(path, hurt)
    done = damage(hurt, seed)
    before = _digests(hurt)
    result = salvage(f"{scheme}:{hurt}{OPTIONS}", _target(tmp_path))
    assert _digests(hurt) == before, "the source isn't changed"
    wholes = _wholes(scheme, path)
    untouched = [whole for whole in wholes if is_untouched(whole, path, hurt)]
    _assert_holds(_target(tmp_path), untouched)
    if _is_less(_target(tmp_path), wholes):
        assert not result.is_whole, f"{done}: something is lost, and nothing says so"
    _assert_verified(_target(tmp_path), result)


def _digests(path: Path) -> dict[str, str]:
    """What the files hold, holes left out: Badger's logs are 640 MiB of them."""
    digests = {}
    for file in files_of(path):
        digest = hashlib.sha256(str(file.stat().st_size).encode())
        with file.open("rb") as opened:
            for at, block in data_of(opened.fileno()):
                digest.update(b"%d" % at + block)
        digests[file.name] = digest.hexdigest()
    return digests


def _assert_holds(url: str, expected: list[Whole]) -> None:
    with open_store(url, read_only=True) as store:
        absent = [(whole.kind, whole.id) for whole in expected if store.get_bytes(whole.kind, whole.id) != whole.data]
    assert absent == []


def _is_less(url: str, wholes: list[Whole]) -> bool:
    with open_store(url, read_only=True) as store:
        return any(store.get_bytes(whole.kind, whole.id) != whole.data for whole in wholes)


def _assert_verified(url: str, result: Salvage) -> None:
    """The new store holds together, but for what names a resource that was lost."""
    found = verify(url)
    lost = {loss.id for loss in result.lost}
    for finding in found:
        assert finding.what in REFERENCES, finding
        assert finding.detail.split()[-1] in lost or result.missing or result.areas, finding


# ---- the command, and what is refused


def _flip(path: Path, text: bytes) -> None:
    """Flip a bit of every copy of a text in a database."""
    found = 0
    for file in files_of(path):
        image = file.read_bytes()
        found += image.count(text)
        file.write_bytes(image.replace(text, bytes((text[0] ^ 1,)) + text[1:]))
    assert found


@pytest.mark.parametrize(("scheme", "gone"), [("lmdb", "db/data.mdb"), ("sqlite", "db")])
def test_where_the_file_itself_is_gone_the_mark_says_how_much_was_there(
    scheme: str, gone: str, originals: dict[str, Path], tmp_path: Path
) -> None:
    """LMDB has nothing else; of SQLite its write-ahead log is left, and what that holds is taken."""
    _copy(originals[scheme], tmp_path / "db")
    (tmp_path / gone).unlink()
    result = salvage(f"{scheme}:{tmp_path / 'db'}{OPTIONS}", _target(tmp_path))
    assert not result.is_whole
    known = result.taken.total() + len(result.lost) + result.missing.total()
    assert known + result.uncounted == 4 * AGENTS + 18
    assert (result.taken.total() > 0) is (scheme == "sqlite")
    assert (tmp_path / gone).exists() is False


@pytest.mark.parametrize(
    ("scheme", "says"), [("leveldb", "lost: 1 agent more, whose ids nothing tells"), ("sqlite", "agt-0041")]
)
def test_command_says_what_is_lost(scheme: str, says: str, originals: dict[str, Path], tmp_path: Path) -> None:
    """LevelDB loses the whole batch, and with it what names the agent; SQLite's other pages name it."""
    hurt = tmp_path / "db"
    _copy(originals[scheme], hurt)
    _flip(hurt, b"0041 says ")
    if hurt.is_dir():
        (hurt / "CURRENT").unlink()
    run = CliRunner().invoke(app, ["salvage", f"{scheme}:{hurt}", "--to", _target(tmp_path)], env={"COLUMNS": "200"})
    assert run.exit_code == 1, run.output
    assert says in run.output
    assert "49 agent" in run.output
    assert not (hurt / "CURRENT").exists()


def test_command_of_a_whole_database(
    originals: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(app, ["salvage", f"sqlite:{originals['sqlite']}", "--to", "lmdb:new"])
    assert (run.exit_code, "nothing is lost" in run.output) == (0, True), run.output
    assert "lmdb:new: 50 agent" in run.output


def test_refusals(originals: dict[str, Path], tmp_path: Path) -> None:
    url = f"leveldb:{originals['leveldb']}"
    with pytest.raises(InvalidStoreUrl, match="is part of the database"):
        salvage(url, url)
    with pytest.raises(InvalidStoreUrl, match="can't be salvaged"):
        salvage("memory:", _target(tmp_path))
    with pytest.raises(StoreNotFound):
        salvage(f"leveldb:{tmp_path / 'none'}", _target(tmp_path))
    with open_store(_target(tmp_path), create=True) as store:
        furnish(store, 1, compact=False)
        with pytest.raises(StoreLocked):
            salvage(_target(tmp_path), f"lmdb:{tmp_path / 'none'}")
    with pytest.raises(InvalidStoreUrl, match="isn't empty"):
        salvage(url, _target(tmp_path))
    assert size_of(tmp_path / "none").apparent_bytes == 0
    assert not (tmp_path / "none").exists()
