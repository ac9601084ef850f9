"""A build end to end at a tiny size, and wrong stores that must get a blank with the reason instead of a number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.build import BuildPlan, agents_of, measure_build
from benchmarks.config import SIDES, WORKLOAD_NAMES
from benchmarks.database import Database, Opener
from benchmarks.results import Subject
from benchmarks.workloads import WORKLOADS, cold
from benchmarks.workloads.workload import Sizes
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Delete, Record, Store, StoreUnavailable
from stores.registry import open_store

TINY = Sizes(builds=2, agents=12, writes=6, reads=4, listed=6, visits=2, starts=1)
OLD, NEW = (Subject(*side, "relaxed") for side in SIDES)


def plan(tmp_path: Path, *workloads: str, subjects: tuple[Subject, ...] = (OLD, NEW)) -> BuildPlan:
    return BuildPlan(subjects, workloads or WORKLOAD_NAMES, "small", 0, 7, TINY, tmp_path)


class Wrong:
    """A store that passes everything on to a right one, but for what a test puts over it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class LosesOne(Wrong):
    def get(self, kind: str, id: str) -> Any:  # noqa: A002 - the contract's name
        found = self._store.get(kind, id)
        return None if isinstance(found, Agent) and found.metadata.name.endswith(" 0") else found


class AltersText(Wrong):
    def get(self, kind: str, id: str) -> Any:  # noqa: A002 - the contract's name
        found = self._store.get(kind, id)
        assert isinstance(found, Agent)
        found.spec.instructions = found.spec.instructions.strip() + "."
        return found


class ListsBackwards(Wrong):
    def scan(self, kind: str, **options: Any) -> Iterator[Record]:
        return iter(list(self._store.scan(kind, **options))[::-1])


class ForgetsOrganizations(Wrong):
    def scan(self, kind: str, **options: Any) -> Iterator[Record]:
        return self._store.scan(kind, limit=options.get("limit"))


class DropsOneInAThousand(Wrong):
    """Acknowledges every write and leaves out each thousandth."""

    written = 0

    def commit(self, batch: Any) -> int:
        kept = []
        for each in batch:
            self.written += 1
            if self.written % 1_000:
                kept.append(each)
        return int(self._store.commit(kept)) if kept else 0


class CountsOneMore(Wrong):
    def count(self, kind: str, **options: Any) -> int:
        return self._store.count(kind, **options) + 1


class MixesUpSlugs(Wrong):
    def find(self, kind: str, index: str, key: tuple[str, ...]) -> str | None:
        return next(self._store.scan(kind)).id


class DeletesNothing(Wrong):
    def commit(self, batch: Any) -> int:
        kept = [each for each in batch if not isinstance(each, Delete)]
        return self._store.commit(kept) if kept else 0


class FailsToWrite(Wrong):
    def commit(self, batch: Any) -> int:
        raise StoreUnavailable("no space left")


def only_for(subject: Subject, wrong: type[Wrong]) -> Opener:
    def opener(url: str) -> Any:
        store = open_store(url, create=True)
        return wrong(store) if url.startswith(subject.engine) else store

    return opener


def test_every_workload_gives_its_metrics_for_every_subject(tmp_path: Path) -> None:
    steps: list[str] = []
    whole = plan(tmp_path)
    outcome = measure_build(whole, steps.append)
    # Where the folder is in memory nothing can be cold, and that's said.
    assert {(blank.workload, "nothing here is cold" in blank.reason) for blank in outcome.blanks} <= {("cold", True)}
    blank = {(one.workload, one.subject) for one in outcome.blanks}
    expected = {(work.name, metric, subject) for work in WORKLOADS for metric in work.metrics for subject in (OLD, NEW)}
    found = {(one.workload, one.metric, one.subject) for one in outcome.samples}
    assert found == {one for one in expected if (one[0], one[2]) not in blank}
    assert all(value > 0 for one in outcome.samples for value in one.values)
    assert len(steps) == whole.steps
    assert list(tmp_path.rglob("*db*")) == []


def test_what_this_machine_cannot_show_is_blank_and_all_else_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold, "read_from_disk", lambda process: 0)
    outcome = measure_build(plan(tmp_path, "read", "cold"), lambda _: None)
    assert {(one.workload, one.subject) for one in outcome.blanks} == {("cold", OLD), ("cold", NEW)}
    assert len(outcome.blanks) == 2, "once, not in every round"
    assert {one.subject for one in outcome.samples if one.workload == "read"} == {OLD, NEW}


def test_rounds_have_the_counts_that_were_asked_for(tmp_path: Path) -> None:
    outcome = measure_build(plan(tmp_path, "write", "read"), lambda _: None)
    counts = {(one.metric, one.round): len(one.values) for one in outcome.samples if one.subject == NEW}
    assert counts == {
        ("write", 0): 3, ("write", 1): 3, ("read", 0): 4, ("read", 1): 4,
        ("read_by_slug", 0): 4, ("read_by_slug", 1): 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (LosesOne, "is not what was stored"),
        (AltersText, "is not what was stored"),
        (ListsBackwards, "in the order of creation"),
        (ForgetsOrganizations, "list of organization"),
        (CountsOneMore, "count says 13, 12 agents were stored"),
        (MixesUpSlugs, "does not lead to"),
        (FailsToWrite, "no space left"),
    ],
)
def test_a_wrong_store_has_no_number_but_a_reason(tmp_path: Path, wrong: type[Wrong], says: str) -> None:
    chosen = plan(tmp_path, "write", "read")
    outcome = measure_build(chosen, lambda _: None, only_for(NEW, wrong))
    assert {(blank.workload, blank.subject) for blank in outcome.blanks} == {("write", NEW), ("read", NEW)}
    assert all(says in blank.reason for blank in outcome.blanks)
    assert {one.subject for one in outcome.samples} == {OLD}


def test_a_store_that_drops_one_write_in_a_thousand_has_no_number(tmp_path: Path) -> None:
    sizes = replace(TINY, agents=1_010)
    chosen = replace(plan(tmp_path, "write", "read"), sizes=sizes)
    outcome = measure_build(chosen, lambda _: None, only_for(NEW, DropsOneInAThousand))
    assert {one.subject for one in outcome.samples} == {OLD}
    assert {(blank.workload, blank.subject) for blank in outcome.blanks} == {("write", NEW), ("read", NEW)}
    assert all("1009, 1010 agents were stored" in blank.reason for blank in outcome.blanks)


def test_what_is_there_after_it_was_deleted_has_no_number(tmp_path: Path) -> None:
    outcome = measure_build(plan(tmp_path, "write", "changes"), lambda _: None, only_for(NEW, DeletesNothing))
    assert {blank.subject for blank in outcome.blanks} == {NEW}
    assert all("after it was deleted" in blank.reason for blank in outcome.blanks)
    assert {one.subject for one in outcome.samples} == {OLD}


def test_a_store_that_forgets_on_close_is_found_out(tmp_path: Path) -> None:
    forgetful = Subject("memory", "protobuf", "relaxed")
    outcome = measure_build(plan(tmp_path, "read", subjects=(forgetful,)), lambda _: None)
    assert outcome.samples == []
    assert "count says 0" in outcome.blanks[0].reason


def test_builds_take_other_agents_and_the_same_plan_the_same(tmp_path: Path) -> None:
    first = plan(tmp_path)
    assert agents_of(first) == agents_of(first)
    second = BuildPlan(first.subjects, first.workloads, "small", 1, 7, TINY, tmp_path)
    assert agents_of(first) != agents_of(second)


def test_a_small_corpus_goes_round_under_other_slugs(tmp_path: Path) -> None:
    corpus = tmp_path / "agents.jsonl"
    record = '{"name": "Agent %d", "instructions": "Ten letters and more.", "source": "a/b"}\n'
    corpus.write_text("".join(record % number for number in range(5)))
    again = BuildPlan((OLD, NEW), ("read",), "small", 0, 7, TINY, tmp_path, corpus=corpus)
    agents = agents_of(again)
    assert len(agents) == len({agent.metadata.slug for agent in agents}) == TINY.agents
    assert measure_build(again, lambda _: None).blanks == []


@pytest.mark.parametrize("subject", [OLD, NEW], ids=["sqlite", "leveldb"])
def test_compaction_gives_back_what_overwriting_took(tmp_path: Path, subject: Subject) -> None:
    sizes = Sizes(builds=1, agents=100, writes=0, reads=1, listed=1, visits=1, starts=1)
    chosen = BuildPlan((subject,), ("size",), "medium", 0, 7, sizes, tmp_path)
    outcome = measure_build(chosen, lambda _: None)
    found = {one.metric: one.values[0] for one in outcome.samples}
    # One version of every agent is left: about the size of the database when it was new.
    assert found["size_compacted"] <= found["size_overwritten"]
    assert found["size_compacted"] < 1.1 * found["size_loaded"]


def test_allocated_blocks_are_those_of_the_files(tmp_path: Path) -> None:
    database = Database(NEW, tmp_path / "here", (), open_store)
    database.folder.mkdir()
    (database.folder / "file").write_bytes(b"x" * 10_000)
    assert 10_000 <= database.allocated_bytes() <= 16_384
