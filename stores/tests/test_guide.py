"""The guide's example is a store like any other: it passes the suite that the guide says it passes."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stores import registry
from stores.codecs import ProtobufCodec
from stores.contract import Durability, StoreUnavailable
from stores.keyvalue.store import KeyValueStore
from stores.suite.agreement import check_agreement
from stores.suite.check import Result, StoreCheck, StoreVerdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.samples import ids_of, put
from stores.suite.subject import UrlSubject
from stores.suite.syncs import strace_refusal
from stores.tests.entry_point import install

EXAMPLE = Path(__file__).parents[2] / "docs" / "guides" / "logfile_store.py"
LINES_MAX = 120
ENTRY_POINT = "logfile = logfile_store:SCHEME"


@pytest.fixture
def example(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example as an installed package would be: known by its entry point, here and in other processes."""
    install(tmp_path_factory.mktemp("site") / "packages", monkeypatch, ENTRY_POINT, EXAMPLE.parent)
    return importlib.import_module("logfile_store")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
def test_example_passes_the_suite(example: ModuleType, tmp_path: Path, check: StoreCheck) -> None:
    result = run_check(check, UrlSubject.of("logfile:", tmp_path), check.id)
    unproven = check.id == "durable-syncs" and strace_refusal()
    assert result.verdict is (StoreVerdict.NOT_PROVEN if unproven else StoreVerdict.PASS), result.reason


def test_example_agrees(example: ModuleType, tmp_path: Path) -> None:
    assert check_agreement(UrlSubject.of("logfile:?codec=json", tmp_path), examples=5) == []


def test_example_survives_every_torn_line(example: ModuleType, tmp_path: Path) -> None:
    """The last write cut at any byte: the state before it or, whole, after it."""
    with registry.open_store(f"logfile:{tmp_path / 'db'}", create=True) as store:
        store.commit([put("a")])
        before = (tmp_path / "db" / "log").stat().st_size
        store.commit([put("b")])
    log = (tmp_path / "db" / "log").read_bytes()
    for cut in [*range(before, len(log), 97), len(log) - 1, len(log)]:
        (tmp_path / "db" / "log").write_bytes(log[:cut])
        with registry.open_store(f"logfile:{tmp_path / 'db'}", create=True) as store:
            assert ids_of(store.scan("agent")) == (["a", "b"] if cut == len(log) else ["a"])


def test_example_tells_a_full_disk(example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = example.LogFileEngine(tmp_path / "db")
    store = KeyValueStore(engine, ProtobufCodec(), Durability.DURABLE)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.write", full)
        with pytest.raises(StoreUnavailable, match="No space left"):
            store.commit([put("a")])
    store.close()


def test_the_guides_snippet_proves_the_store(example: ModuleType, tmp_path: Path) -> None:
    """The test that the guide shows, as it stands there; one check stands for all, which are run above."""
    guide = (EXAMPLE.parent / "write-a-store.md").read_text()
    _, _, after = guide.partition("```python\n")
    snippet, _, _ = after.partition("```")
    names: dict[str, Any] = {}
    exec(compile(snippet, "write-a-store.md", "exec"), names)  # noqa: S102 - our own document
    names["CHECKS"] = [check for check in CHECKS if check.id == "resource-put-get"]
    assert names["CHECKS"]
    names["test_store"](tmp_path)
    names["run_check"] = lambda check, *_: Result(check, StoreVerdict.FAIL)
    with pytest.raises(AssertionError):
        names["test_store"](tmp_path / "other")


def test_example_is_short_and_the_guide_names_it() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < LINES_MAX
    guide = (EXAMPLE.parent / "write-a-store.md").read_text()
    assert "logfile_store.py" in guide
    assert "logfile_store:SCHEME" in guide
