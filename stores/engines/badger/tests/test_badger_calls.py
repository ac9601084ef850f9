"""Get and commit through the extension and through ctypes: the same answers, and no way to upset the process."""

from __future__ import annotations

import ctypes
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stores.contract import InvalidOperation, StoreClosed
from stores.engines.badger import build
from stores.engines.badger.calls import Calls, CtypesCalls, extension
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.engines.badger.library import load

pytestmark = pytest.mark.usefixtures("library")
Opened = Callable[[], BadgerEngine]
RELAXED = False


def _extension() -> Calls:
    if reason := build.build_calls():
        pytest.skip(f"the extension can't be built here: {reason}")
    addresses = [ctypes.cast(function, ctypes.c_void_p).value or 0 for function in (load().get, load().commit)]
    loaded = extension(build.calls_path(), *addresses)
    assert loaded is not None
    return loaded


@pytest.fixture(params=["extension", "ctypes"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    library = load()
    ways: dict[str, Callable[[], Calls]] = {
        "extension": _extension,
        "ctypes": lambda: CtypesCalls(library.get, library.commit, library.rooms),
    }
    monkeypatch.setattr(library, "calls", ways[request.param]())
    engines: list[BadgerEngine] = []

    def open_() -> BadgerEngine:
        engines.append(BadgerEngine(tmp_path / "db", replace(Settings(sync_writes=False), value_log_mb=64)))
        return engines[-1]

    yield open_
    for engine in engines:
        engine.close()


def test_both_ways_are_there_where_python_can_be_extended() -> None:
    assert not isinstance(_extension(), CtypesCalls)


@pytest.mark.parametrize("size", [0, 1, 64 * 1024 - 20, 64 * 1024, 64 * 1024 + 1, 20 * 1024 * 1024])
def test_values_of_every_size(opened: Opened, size: int) -> None:
    engine = opened()
    value = (bytes(range(256)) * (size // 256 + 1))[:size]
    engine.write(((b"a\0b", value), (b"\xff", b"\0")), sync=False)
    assert engine.get(b"a\0b") == value
    assert engine.get(b"a") is None
    snapshot = engine.snapshot()
    engine.write(iter([(b"a\0b", None)]), sync=True)
    assert engine.get(b"a\0b") is None
    assert snapshot.get(b"a\0b") == value
    snapshot.close()


def test_what_is_refused_writes_nothing_and_says_why(opened: Opened) -> None:
    engine = opened()
    large = [(b"k%d" % number, bytes(1_000_000)) for number in range(20)]
    for bad, words in (
        ((b"", b"v"), "a key is empty"),
        ((b"k" * 65_001, b"v"), "65000 bytes that Badger allows"),
        ((b"v", bytes(65 * 1024 * 1024)), "67108864 bytes that a value log file holds"),
        ((b"v", bytes(50 * 1024 * 1024)), "67108864 bytes that a value log file holds"),
    ):
        with pytest.raises(InvalidOperation, match=words):
            engine.write([*large, bad], sync=False)
        assert engine.get(b"k0") is None
    engine.write([(b"after", b"v")], sync=False)
    engine.close()
    assert opened().get(b"after") == b"v"


def test_a_closed_database_is_refused(opened: Opened) -> None:
    engine = opened()
    engine.close()
    with pytest.raises(StoreClosed):
        engine.get(b"k")
    with pytest.raises(StoreClosed):
        engine.write([(b"k", b"v")], sync=False)


@pytest.mark.parametrize(
    "changes", [None, 7, [b"kv"], [(b"k",)], [(b"k", b"v", b"w")], [("k", b"v")], [(b"k", "v")], [(b"k", 7)]]
)
def test_what_isn_t_bytes_is_a_type_error(tmp_path: Path, changes: object) -> None:
    calls = _extension()
    with pytest.raises(TypeError):
        calls.commit(1, changes, RELAXED)  # type: ignore[arg-type] # that is the point
    for key in (None, "k", 7):
        with pytest.raises(TypeError):
            calls.get(1, 0, key)  # type: ignore[arg-type] # that is the point
    with pytest.raises(TypeError):
        calls.get(1, 0)  # type: ignore[call-arg] # that is the point


def test_nothing_is_kept_of_what_was_handed_over() -> None:
    calls, key, value = _extension(), b"a key", b"a value"
    changes = ((key, value),)
    counts = [sys.getrefcount(each) for each in (key, value, changes)]
    for _ in range(100):
        assert calls.commit(10**9, changes, RELAXED) == (-3, b"the database is closed")
        assert calls.get(10**9, 0, key) == -3
    assert [sys.getrefcount(each) for each in (key, value, changes)] == counts


def test_every_thread_reads_its_own_answer(opened: Opened) -> None:
    engine = opened()
    engine.write([(b"%d" % number, b"%d" % number * 2_000) for number in range(8)], sync=False)
    wrong: list[int] = []

    def work(number: int) -> None:
        for turn in range(300):
            if engine.get(b"%d" % number) != b"%d" % number * 2_000:
                wrong.append(number)
            engine.write([(b"w%d" % number, b"%d" % turn)], sync=False)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert {engine.get(b"w%d" % number) for number in range(8)} == {b"299"}


def test_without_headers_the_builder_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    assert "headers" in (build.build_calls() or "")


def test_an_extension_that_is_none_is_left_aside(tmp_path: Path) -> None:
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    assert extension(broken, 1, 1) is None
    assert extension(tmp_path / "absent.so", 1, 1) is None
