"""The PostgreSQL store: the contract, and what only a store has that others write meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from reference_server.unit_of_work import UnitOfWork
from stores.contract import (
    Conflict,
    Delete,
    InvalidOperation,
    Vacant,
)
from stores.registry import scheme_of as scheme
from stores.registry import unavailable
from stores.suite.agreement import check_agreement
from stores.suite.check import StoreCheck, StoreVerdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.samples import ids_of, put, slug_key
from stores.suite.subject import UrlSubject
from stores.tests.postgresql_store import opened
from tests.postgresql import Cluster

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)


@pytest.fixture
def subject(cluster: Cluster, tmp_path: Path) -> Iterator[UrlSubject]:
    made = UrlSubject.of(cluster.url, tmp_path)
    yield made
    made.remove()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.id))
def test_contract(subject: UrlSubject, check: StoreCheck) -> None:
    result = run_check(check, subject, check.id)
    assert result.verdict is not StoreVerdict.FAIL, f"{check.id}: {check.sentence}\n{result.reason}"


@pytest.mark.parametrize("options", ["codec=json-orjson", "durability=relaxed"])
def test_codecs_and_modes(cluster: Cluster, tmp_path: Path, options: str) -> None:
    subject = UrlSubject.of(f"{cluster.url}?{options}", tmp_path)
    for check in CHECKS:
        if check.id in {"resource-put-get", "batch-nothing", "group-independent", "reopen-keeps"}:
            assert run_check(check, subject, check.id).verdict is StoreVerdict.PASS
    subject.remove()


def test_it_agrees_with_the_memory_store(subject: UrlSubject) -> None:
    assert check_agreement(subject, examples=5, steps_max=8) == []


@pytest.mark.full
@pytest.mark.timeout(900)
def test_it_agrees_at_length(subject: UrlSubject) -> None:
    assert check_agreement(subject, examples=300) == []


# ---- several writers


def test_processes_that_open_at_once_make_one_store(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = [future.result() for future in [pool.submit(opened, url) for _ in range(8)]]
    for number, store in enumerate(stores):
        store.commit([put(f"a{number}")])
    assert ids_of(stores[-1].scan("agent")) == [f"a{number}" for number in range(8)]
    for store in stores:
        store.close()


def test_of_many_stores_one_gets_the_slug(url: str) -> None:
    stores = [opened(url) for _ in range(4)]
    barrier = threading.Barrier(4)

    def create(number: int, round_number: int) -> str:
        barrier.wait(30)
        with suppress(Conflict):
            stores[number].commit([put(f"r{round_number}n{number}", slug=f"s{round_number}", when="absent")])
            return "created"
        return "refused"

    with ThreadPoolExecutor(4) as pool:
        for round_number in range(10):
            ended = Counter(pool.map(create, range(4), [round_number] * 4))
            assert ended == {"created": 1, "refused": 3}
    for store in stores:
        assert store.count("agent") == 10
        store.close()


def test_what_another_has_changed_is_planned_again(url: str) -> None:
    """What was read lately is only a guess: the write compares it."""
    with opened(url) as one, opened(url) as two:
        one.commit([put("a", slug="first")])
        assert two.get_record("agent", "a") is not None, "and now it thinks that it knows the keys of a"
        one.commit([put("a", slug="second", when="present")])
        two.commit([put("a", slug="third", when="present")])
        one.commit([put("b", slug="second", when="absent")])
        assert one.find("agent", "slug", ("first",)) is None
        assert one.find("agent", "slug", ("second",)) == "b"
        assert one.count("agent", index="slug", key=("third",)) == 1


def test_a_wrong_condition_hides_nothing_of_its_batch(url: str) -> None:
    with opened(url) as store:
        store.commit([put("a")])
        with pytest.raises(InvalidOperation, match="index 'slug'"):
            store.commit([Vacant("event", "slug", ("s",)), Delete("agent", "a", "present")])


NAIVE = """
CREATE SEQUENCE numbers;
DO $do$ BEGIN EXECUTE (SELECT replace(pg_get_functiondef('write_batches'::regproc),
  'UPDATE state SET position = position + p_positions, revision = revision + p_revisions
    RETURNING position - p_positions, revision - p_revisions INTO first_position, first_revision;',
  'SELECT nextval(''numbers''), nextval(''numbers'') INTO first_position, first_revision; p_count_kind := ''{}'';'));
END $do$
"""


def events_seen_by_a_reader(url: str) -> list[str]:
    """Let a transaction stay open between its number and its commit while another commits; read as a watcher does."""
    slow, quick, reader = opened(url), opened(url), opened(url)
    connections = slow._connections
    held = connections.take()
    held.autocommit = False
    with patch.object(connections, "take", lambda: held), patch.object(connections, "give_back", lambda _: None):
        slow._writer.commit_many([[put("slow", when="absent")]])
    seen: list[str] = []
    after = 0
    with ThreadPoolExecutor(1) as pool:
        committed = pool.submit(quick.commit, [put("quick", when="absent")])
        for moment in range(20):
            if moment == 10:
                held.commit()
            for record in reader.scan("agent", after=after):
                seen.append(record.id)
                after = record.position
            time.sleep(0.02)
        committed.result(30)
    seen += ids_of(reader.scan("agent", after=after))
    for store in (slow, quick, reader):
        store.close()
    held.close()
    return seen


def test_a_later_position_never_becomes_visible_first(url: str) -> None:
    assert events_seen_by_a_reader(url) == ["slow", "quick"]


def test_with_a_sequence_a_reader_loses_the_earlier_one(url: str) -> None:
    """The control of the test above: it finds the naive way."""
    with opened(url) as store, store._connections.borrowed() as connection:
        connection.execute(NAIVE.encode(), prepare=False)
        (text,) = connection.execute("SELECT pg_get_functiondef('write_batches'::regproc)").fetchone() or ("",)
        assert "nextval" in text
    assert events_seen_by_a_reader(url) == ["quick"]


def test_a_stopped_writer_holds_nobody_up(url: str) -> None:
    """The lock is held within one call only: who plans, or is stopped while he plans, has none."""
    with opened(url) as one, opened(url) as two:
        one.commit([put("a")])
        planning, go_on = threading.Event(), threading.Event()
        read = one._writer._read

        def slow_read(batches: Any) -> Any:
            found = read(batches)
            planning.set()
            assert go_on.wait(30)
            return found

        with patch.object(one._writer, "_read", slow_read), ThreadPoolExecutor(1) as pool:
            slow = pool.submit(one.commit, [put("a", slug="of-one")])
            assert planning.wait(30)
            begun = time.monotonic()
            two.commit([put("a", slug="of-two")])
            assert time.monotonic() - begun < 5
            go_on.set()
            slow.result(30)
        assert two.find("agent", "slug", ("of-one",)) == "a"
        assert two.find("agent", "slug", ("of-two",)) is None


def test_who_listens_hears_of_the_writes_of_others(url: str) -> None:
    with opened(url) as one, opened(url) as two:
        heard = threading.Event()
        stop = one.listen(heard.set, pytest.fail)
        assert heard.wait(10), "once at the beginning, for what was missed"
        heard.clear()
        two.commit([put("a")])
        assert heard.wait(10)
        stop()


def test_questions_that_are_asked_together_are_planned_once(url: str) -> None:
    """To plan what a decision reads takes longer than to read it."""
    with opened(url) as store:
        store.commit([put("a", slug="s")])
        for number in range(20):
            store.read_together("agent", [("slug_key", slug_key("s")), ("slug", (f"s{number}",))])
        with store._connections.borrowed() as connection:
            plans = connection.execute(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements "
                "WHERE statement LIKE '%SELECT asked.n, r.name%' AND statement NOT LIKE '%custom_plans%'"
            ).fetchall()
        assert plans == [(15, 5)], "PostgreSQL looks five times whether values make a better plan"


def test_several_questions_are_answered_together(url: str) -> None:
    with opened(url) as store:
        store.commit([put(f"a{number}", org="many" if number else "few") for number in range(70)])
        asked = [("org", ("few",)), ("slug_key", slug_key("a1", "many")), ("org", ("none",)), ("org", ("many",))]
        together = store.read_together("agent", asked)
        assert together == {each: list(store.scan("agent", index=each[0], key=each[1])) for each in asked[:3]}
        assert [len(together[each]) for each in asked[:3]] == [1, 1, 0]
        work = UnitOfWork(store)
        work.foresee("agent", asked)
        store.commit([Delete("agent", "a0"), Delete("agent", "a1")])
        work.delete("agent", "a1")
        assert work.find("agent", "org", ("few",)) == "a0", "as it was foreseen"
        assert work.find("agent", *asked[1]) is None, "what is staged is seen all the same"
        assert work.find("agent", "org", ("many",)) == "a2", "of many nothing is foreseen"
        assert UnitOfWork(store).find("agent", "org", ("few",)) is None
