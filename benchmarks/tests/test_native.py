"""The native program: same bytes, same keys and same answers as Python's subjects; a reason where it isn't built."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.build import BuildPlan, agents_of, measure_build
from benchmarks.config import Speed, StoresConfig
from benchmarks.database import allocated_bytes
from benchmarks.durability import prove
from benchmarks.native import build as native
from benchmarks.native.database import NativeDatabase
from benchmarks.native.payload import write_agents
from benchmarks.results import Conclusion, Subject
from benchmarks.runner import run_stores
from benchmarks.workloads.workload import Sizes, WrongAnswer
from stores.codecs import codec_of
from stores.go_build import find_go, go_environment
from stores.suite.syncs import strace_refusal

TINY = Sizes(builds=2, agents=12, writes=6, reads=4, listed=6, visits=2, starts=1)
WORKLOADS = ("write", "read", "list", "size", "startup", "memory")
OLD, NEW = Subject("sqlite", "json", "relaxed", language="go"), Subject("badger", "protobuf", "relaxed", language="go")
SIZE_TOLERANCE = 0.01

built = pytest.mark.skipif(bool(native.missing()), reason=native.missing() or "built")


def plan(tmp_path: Path, *subjects: Subject, agents: int = 12) -> BuildPlan:
    sizes = Sizes(builds=2, agents=agents, writes=6, reads=4, listed=6, visits=2, starts=1)
    return BuildPlan(subjects, WORKLOADS, "medium", 0, 7, sizes, tmp_path)


@built
def test_go_has_pythons_bytes_and_documents(tmp_path: Path) -> None:
    go = find_go()
    if go is None:
        pytest.skip("the program was built, but Go itself is gone, which runs its tests")
    agents = agents_of(plan(tmp_path, OLD, agents=60))
    write_agents(tmp_path / "agents.bin", agents)
    documents = [json.loads(codec_of("json").encode(agent, None)) for agent in agents]
    (tmp_path / "documents.json").write_text(json.dumps(documents), encoding="utf-8")
    source = tmp_path / "source"
    shutil.copytree(native.program().source_path(), source)
    shutil.copy(native.SOURCES / "native_test.go", source)
    environment = {**go_environment(), "PARITY_NATIVE_FIXTURE": str(tmp_path)}
    done = subprocess.run(
        [go, "test", "-v", "."], cwd=source, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIP" not in done.stdout
    assert done.stdout.count("--- PASS") == 7


@built
def test_a_build_measures_go_as_it_measures_python(tmp_path: Path) -> None:
    python = Subject("sqlite", "json", "relaxed")
    outcome = measure_build(plan(tmp_path, python, OLD, NEW), lambda step: None)
    assert outcome.blanks == []
    found = {
        subject: {(one.metric, one.round, len(one.values)) for one in outcome.samples if one.subject == subject}
        for subject in (python, OLD, NEW)
    }
    assert found[OLD] == found[NEW]
    only_python = {metric for metric, _, _ in found[python] - found[OLD]}
    assert only_python == {"read_by_slug", "startup_import", "memory_over_imports"}
    assert found[OLD] <= found[python]
    assert all(value > 0 for one in outcome.samples for value in one.values)


@built
@pytest.mark.skipif(bool(native.missing(native.MODERNC)), reason=native.missing(native.MODERNC))
def test_another_driver_holds_the_same_design(tmp_path: Path) -> None:
    agents = agents_of(plan(tmp_path, OLD))
    for engine in (OLD.engine, native.MODERNC):
        database = NativeDatabase(replace(OLD, engine=engine), tmp_path / engine, agents)
        database.prove("seed")
        database.close()
    with closing(sqlite3.connect(tmp_path / native.MODERNC / "resources.db")) as made:
        assert made.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        rows = made.execute("SELECT * FROM resources ORDER BY id").fetchall()
    with closing(sqlite3.connect(tmp_path / OLD.engine / "resources.db")) as made:
        assert rows == made.execute("SELECT * FROM resources ORDER BY id").fetchall()


@built
@pytest.mark.parametrize("codec", ["json", "protobuf"])
def test_the_same_design_takes_the_same_space(tmp_path: Path, codec: str) -> None:
    """The same table, filled by Python's SQLite with Python's bytes of the same agents."""
    subject = Subject("sqlite", codec, "relaxed", language="go")
    agents = agents_of(plan(tmp_path, subject, agents=300))
    database = NativeDatabase(subject, tmp_path / "go", agents)
    database.prove("seed")
    schema = re.search(r"const schema = `(.*?)`", (native.SOURCES / "sqlite.go").read_text(encoding="utf-8"), re.DOTALL)
    assert schema is not None
    (tmp_path / "python").mkdir()
    with closing(sqlite3.connect(tmp_path / "python" / "resources.db")) as beside:
        beside.executescript(schema[1])
        rows = [("Agent", one.metadata.id, one.metadata.org, codec_of(codec).encode(one, None)) for one in agents]
        beside.executemany("INSERT INTO resources (kind, id, org, data) VALUES (?, ?, ?, ?)", rows)
        beside.commit()
    assert database.allocated_bytes() == pytest.approx(allocated_bytes(tmp_path / "python"), rel=SIZE_TOLERANCE)


@built
def test_wrong_answers_are_seen(tmp_path: Path) -> None:
    agents = agents_of(plan(tmp_path, NEW))
    database = NativeDatabase(NEW, tmp_path / "db", agents)
    database.session  # noqa: B018 - starts it on the right agents
    swapped = list(agents)
    swapped[0], swapped[1] = swapped[1], swapped[0]
    database.agents = swapped
    with pytest.raises(WrongAnswer, match="get is not what was stored"):
        database.prove("seed")
    database.remove()


@built
@pytest.mark.skipif(bool(strace_refusal()), reason=strace_refusal() or "strace works")
@pytest.mark.parametrize(("engine", "codec"), [("sqlite", "json"), ("badger", "protobuf")])
def test_durable_syncs_each_commit_and_relaxed_does_not(tmp_path: Path, engine: str, codec: str) -> None:
    durable = prove(Subject(engine, codec, "durable", language="go"), tmp_path)
    assert durable.holds, durable.note
    assert durable.method == "strace"
    relaxed = prove(Subject(engine, codec, "relaxed", language="go"), tmp_path)
    assert "syncs like durable" not in relaxed.note


def test_a_run_without_the_program_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "missing", lambda engine: "the native program isn't built; `make native` builds it")
    config = StoresConfig(
        tmp_path, Speed.QUICK, payloads=("medium",), workloads=("write",), durabilities=("relaxed",), sizes=TINY
    )
    verdicts = [one for one in run_stores(config).judgement.verdicts if one.claim == "write-speed"]
    headline = verdicts[0]
    assert (headline.headline, headline.verdict) == (True, Conclusion.NOT_MEASURED)
    assert headline.reason == "the native program isn't built; `make native` builds it"
    assert {one.baseline.name for one in verdicts[1:]} == {"sqlite+json"}
    assert all(one.ratio for one in verdicts[1:])
