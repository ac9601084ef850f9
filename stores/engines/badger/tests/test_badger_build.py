"""What is pinned, what the builder says when something is missing, and that both sides of the bridge agree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stores.contract import StoreUnavailable
from stores.engines.badger import build
from stores.engines.badger.build import BADGER_VERSION, BUILD_COMMAND, SOURCES
from stores.engines.badger.library import _SIGNATURES, Library, load
from stores.engines.badger.rooms import Code
from stores.go_build import BuildFailed, find_go, go_environment
from stores.registry import open_store, scheme_of, unavailable


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path / "cache"))
    load.cache_clear()
    return tmp_path / "cache"


def test_badger_is_pinned_with_hashes() -> None:
    assert f"github.com/dgraph-io/badger/v4 {BADGER_VERSION}\n" in (SOURCES / "go.mod").read_text()
    sums = (SOURCES / "go.sum").read_text()
    assert f"github.com/dgraph-io/badger/v4 {BADGER_VERSION} h1:" in sums
    assert f"github.com/dgraph-io/badger/v4 {BADGER_VERSION}/go.mod h1:" in sums


def test_codes_are_the_same_on_both_sides() -> None:
    stated = re.findall(r"^\s+code(\w+)\s+code = (-\d+)$", (SOURCES / "errors.go").read_text(), re.MULTILINE)
    snake = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper(): int(number) for name, number in stated}
    assert snake == {code.name: code.value for code in Code}


def test_signatures_are_the_same_on_both_sides() -> None:
    source = (SOURCES / "main.go").read_text() + (SOURCES / "dispatch.c").read_text()
    for name, signature in _SIGNATURES.items():
        arguments = re.search(rf"(?:func|int64_t) parity_badger_{name}\(([^)]*)\)", source)
        assert arguments, name
        assert arguments[1].count(",") + 1 == len(signature), name


def test_without_the_library_the_store_names_the_command(empty_cache: Path, tmp_path: Path) -> None:
    assert BUILD_COMMAND in (unavailable(scheme_of("badger")) or "")
    with pytest.raises(StoreUnavailable, match=re.escape(BUILD_COMMAND)):
        open_store(f"badger:{tmp_path / 'db'}", create=True)
    assert not (tmp_path / "db").exists()
    open_store("memory:", create=True).close()


def test_without_go_the_builder_says_how_to_get_it(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(BuildFailed, match="Go was not found") as refusal:
        build.build()
    assert "--install-go" in refusal.value.hint


def test_without_a_compiler_the_builder_says_so(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(BuildFailed, match="C compiler"):
        build.build()
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    with pytest.raises(BuildFailed, match="no-such-compiler"):
        build.build()


def test_a_failing_build_tells_go_s_own_words(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho 'module lookup disabled' >&2\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CC", "sh")
    with pytest.raises(BuildFailed, match="module lookup disabled"):
        build.build()
    assert not build.library_path().exists()


def test_a_changed_source_is_another_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = build.library_path()
    copy = tmp_path / "bridge"
    shutil.copytree(SOURCES, copy)
    monkeypatch.setattr(build, "SOURCES", copy)
    assert build.library_path() == before
    (copy / "batch.go").write_text((copy / "batch.go").read_text() + "\n")
    assert build.library_path() != before


def test_a_library_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    broken = tmp_path / "libparity_badger.so"
    broken.write_bytes(b"no library")
    with pytest.raises(StoreUnavailable, match="can't be loaded") as refusal:
        Library(broken)
    assert "--force" in refusal.value.hint


def test_the_command_builds_and_prints_the_path(library: None) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "stores.engines.badger.build"], capture_output=True, text=True, timeout=600, check=True
    )
    assert Path(finished.stdout.strip()) == build.library_path()
    assert build.missing() is None


@pytest.mark.full
def test_the_go_tests_pass(library: None) -> None:
    go = find_go()
    if go is None:
        pytest.skip("Go isn't on this machine, and the bridge's own tests need it")
    finished = subprocess.run(
        [go, "test", "-count=1", "."],
        cwd=SOURCES,
        env=go_environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
