"""The PostgreSQL store: the contract, and what only a store has that others write meanwhile, over a network."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from reference_server.unit_of_work import UnitOfWork
from stores.contract import (
    Conflict,
    Delete,
    FormatMismatch,
    InvalidOperation,
    InvalidStoreUrl,
    OutcomeUnknown,
    StoreNotFound,
    StoreReadOnly,
    StoreUnavailable,
    Vacant,
)
from stores.registry import open_store, unavailable
from stores.registry import scheme_of as scheme
from stores.suite.agreement import check_agreement
from stores.suite.check import StoreCheck, StoreVerdict, run_check
from stores.suite.checks import CHECKS
from stores.suite.samples import ids_of, put, slug_key
from stores.suite.subject import UrlSubject
from tests.postgresql import Cluster

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)

import psycopg

from stores.postgresql import opening, writer
from stores.postgresql.store import PostgresqlStore


@pytest.fixture
def subject(cluster: Cluster, tmp_path: Path) -> Iterator[UrlSubject]:
    made = UrlSubject.of(cluster.url, tmp_path)
    yield made
    made.remove()


@pytest.fixture
def url(subject: UrlSubject) -> str:
    """The URL of a store that isn't there yet; it is removed afterwards."""
    subject.opened.add(subject.url_of("db"))
    return subject.url_of("db")


def opened(url: str, **how: bool) -> PostgresqlStore:
    store = open_store(url, create=how.get("create", not how), read_only=how.get("read_only", False))
    assert isinstance(store, PostgresqlStore)
    return store


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


# ---- connections that break


class Broken(psycopg.OperationalError):
    """As psycopg tells a connection that is gone: without an SQLSTATE."""


def breaking(store: PostgresqlStore, how: Callable[[Any, Any, Any], Any]) -> Any:
    """Let the next call that writes break; `how` gets the connection, and what it was to execute."""
    call, left = store._connections.take, [1]

    def take() -> Any:
        connection: Any = call()
        execute = connection.execute

        def broken(statement: Any, *arguments: Any, **options: Any) -> Any:
            if "write_batches" in str(statement) and left:
                left.pop()
                return how(execute, (statement, *arguments), options)
            return execute(statement, *arguments, **options)

        connection.execute = broken
        return connection

    return patch.object(store._connections, "take", take)


def after_it(execute: Any, arguments: Any, options: Any) -> Any:
    execute(*arguments, **options)
    raise Broken("the connection broke after the commit")


def before_it(execute: Any, arguments: Any, options: Any) -> Any:
    raise Broken("the connection broke before the commit")


@pytest.mark.parametrize("how", [after_it, before_it])
def test_what_became_of_a_commit_whose_connection_broke(url: str, how: Any) -> None:
    with opened(url) as store:
        store.commit([put("a")])
        with breaking(store, how):
            assert store.commit([put("b", when="absent")]) == 2
        assert ids_of(store.scan("agent")) == ["a", "b"], "once, not twice"
        assert store.commit([put("c")]) == 3


class Panic(psycopg.errors.DiskFull):
    """What a session says that had no room for its commit in the log: recovery decides whether the commit is there."""

    diag = SimpleNamespace(severity_nonlocalized="PANIC")  # type: ignore[assignment] # the part that is asked


def test_what_became_of_a_commit_in_which_the_database_panicked(url: str) -> None:
    def panics(execute: Any, arguments: Any, options: Any) -> Any:
        execute(*arguments, **options)
        raise Panic("could not write to the log")

    with opened(url) as store:
        with breaking(store, panics):
            assert store.commit([put("a", when="absent")]) == 1
        assert ids_of(store.scan("agent")) == ["a"]


def test_a_commit_that_arrives_after_it_was_given_up_is_refused(url: str) -> None:
    """It was still on its way when the connection broke: the database must not do it after it was sent again."""
    late: list[Callable[[], Any]] = []

    def delayed(execute: Any, arguments: Any, options: Any) -> Any:
        late.append(lambda: execute(*arguments, **options))
        raise Broken("the connection broke while it was on its way")

    with opened(url) as store, opened(url) as other:

        def arrives(_: int) -> None:
            with pytest.raises(psycopg.errors.UniqueViolation, match="writes"):
                late[0]()

        kept = patch.object(store._connections, "close")
        with breaking(store, delayed), kept, patch.object(writer, "_pause", arrives):
            assert store.commit([put("a", slug="s")]) == 1
        assert len(late) == 1
        assert other.last_position() == 1


def test_an_outcome_that_cant_be_found_out_is_called_unknown(url: str) -> None:
    with opened(url) as store:
        asked = patch.object(store._writer, "_ask", side_effect=Broken("still away"))
        with (
            breaking(store, after_it),
            asked,
            patch.object(writer, "RESOLVE_SECONDS", 0.2),
            pytest.raises(OutcomeUnknown, match="couldn't be asked"),
        ):
            store.commit([put("a", when="absent")])
        with pytest.raises(Conflict):
            store.commit([put("a", when="absent")])


def test_who_was_stopped_for_long_doesnt_trust_a_missing_token(url: str) -> None:
    trusts_nothing = patch.object(writer, "_TOKEN_TRUSTED_SECONDS", -1.0)
    with opened(url) as store, breaking(store, before_it), trusts_nothing, pytest.raises(OutcomeUnknown):
        store.commit([put("a")])


def test_it_goes_on_after_the_database_was_started_again(url: str, cluster: Cluster) -> None:
    with opened(url) as store:
        store.commit([put("a")])
        cluster.stop()
        with pytest.raises(StoreUnavailable, match=r"refused|closed|terminating") as told:
            store.get("agent", "a")
        assert "is the database up" in told.value.hint
        with patch.object(writer, "RESOLVE_SECONDS", 0.2), pytest.raises(StoreUnavailable):
            store.commit([put("b")])
        cluster.start()
        assert store.get("agent", "a") is not None
        store.commit([put("c")])
        assert "c" in ids_of(store.scan("agent"))


# ---- opening


def test_looking_makes_nothing(url: str) -> None:
    for read_only in (True, False):
        with pytest.raises(StoreNotFound, match="no store was ever made"):
            open_store(url, read_only=read_only)
    opened(url).close()
    with opened(url, read_only=True) as store:
        with pytest.raises(StoreReadOnly):
            store.commit([put("a")])
        with pytest.raises(StoreUnavailable, match="read-only"), store._connections.borrowed() as connection:
            connection.execute("DELETE FROM state")


def test_a_newer_format_is_refused_and_an_older_one_brought_up_to_date(url: str) -> None:
    opened(url).close()
    newer = ("tables.sql", "second.sql")
    scripts = {"second.sql": "ALTER TABLE resources ADD COLUMN note text"}

    def files(_: str) -> Any:
        class Script:
            def joinpath(self, name: str) -> Any:
                self.name = name
                return self

            def read_text(self, encoding: str) -> str:
                return scripts[self.name]

        return Script()

    with patch.multiple(opening, MIGRATIONS=newer, FORMAT_VERSION=2, files=files):
        with pytest.raises(FormatMismatch, match="format 1"):
            open_store(url)
        with opened(url) as store, store._connections.borrowed() as connection:
            connection.execute("SELECT note FROM resources")
    for how in ({"create": True}, {"read_only": True}, {"create": False}):
        with pytest.raises(FormatMismatch, match="has format 2; this program reads format 1"):
            opened(url, **how)


def test_other_peoples_tables_are_left_alone(url: str, cluster: Cluster) -> None:
    schema = url.rpartition("=")[2]
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.entries (mine text)".encode())
        with pytest.raises(FormatMismatch, match="aren't ours"):
            open_store(url, create=True)
        assert connection.execute(f"TABLE {schema}.entries".encode()).fetchone() is None
        connection.execute(f"CREATE TABLE {schema}.meta (mine text)".encode())
        with pytest.raises(FormatMismatch, match="aren't ours"):
            open_store(url, create=True)


def test_errors_of_opening_say_what_to_do(cluster: Cluster) -> None:
    nowhere = cluster.url.replace("/postgres", "/nowhere")
    with pytest.raises(StoreNotFound, match="nowhere") as told:
        open_store(nowhere, create=True)
    assert "createdb" in told.value.hint
    with pytest.raises(StoreUnavailable, match="refused") as told_closed:
        open_store("postgresql://parity@127.0.0.1:9/postgres?connect_timeout=2")
    assert "is the database up" in told_closed.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://parity:s3cret@127.0.0.1/postgres",
        "postgresql://parity@127.0.0.1/postgres?password=s3cret",
        "postgresql://parity@127.0.0.1/postgres?passwd=s3cret",
        "postgresql://parity@127.0.0.1/postgres?schema=s3cret;drop",
    ],
)
def test_a_password_in_a_url_is_refused_and_never_shown(url: str) -> None:
    with pytest.raises(InvalidStoreUrl) as told:
        open_store(url)
    assert "s3cret" not in str(told.value).replace("s3cret;drop", "") + told.value.hint


def test_a_password_comes_from_the_passfile(cluster: Cluster, tmp_path: Path, url: str) -> None:
    """With several hosts, of which the first is away."""
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:{cluster.port}:*:*:s3cret\n")
    passfile.chmod(0o600)
    elsewhere = url.replace("@127.0.0.1:", "@127.0.0.1:9,127.0.0.1:")
    with opened(f"{elsewhere}&passfile={passfile}") as store:
        store.commit([put("a")])
        assert "s3cret" not in repr(store.capabilities) + store._address.shown


def test_a_replica_of_the_database_is_never_written(url: str, cluster: Cluster) -> None:
    """target_session_attrs: a database that takes no writes isn't connected with."""
    opened(url).close()
    with contextlib.closing(psycopg.connect(cluster.url, autocommit=True)) as connection:
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
        try:
            time.sleep(0.3)
            with pytest.raises(StoreUnavailable, match="read-only"):
                open_store(url)
            with opened(url, read_only=True) as store:
                assert store.count("agent") == 0
        finally:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")
