"""The short way of creations writes, row for row, what the general way writes; and it is really taken."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sortedcontainers import SortedDict

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from stores.codecs import codec_of
from stores.contract import Batch, CorruptRecord, Delete, Durability, Present, Put, StoreError, Vacant
from stores.keyvalue import layout
from stores.keyvalue.engine import EngineCorrupt
from stores.keyvalue.store import KeyValueStore
from stores.schema import KINDS, Index, Kind
from stores.suite.dict_engine import DictEngine
from stores.suite.samples import instance, put

CODECS = ("protobuf", "json-orjson")


class GeneralWayOnly(KeyValueStore):
    """A store that doesn't know the short way."""

    def _plan_inserts(self, batches: Iterable[Batch]) -> None:
        del batches


def rows_of(store: KeyValueStore) -> list[tuple[bytes, bytes]]:
    engine, _, _ = store.parts
    return list(engine.snapshot().range(b"", b"\xff" * 9))


def policy(number: int, relation: str) -> IamPolicy:
    message = IamPolicy()
    message.spec.principal.kind, message.spec.principal.id = "identity_account", f"user{number % 2}"
    message.spec.principal.relation = relation
    message.spec.relation = "viewer"
    message.spec.resource.kind, message.spec.resource.id = "agent", f"a{number}"
    return message


names = st.sampled_from(["a", "b", "c", "d", "ü", "x" * 300])
creations = st.one_of(
    st.builds(
        lambda name, slug, when: put(name, slug=slug, when=when), names, names, st.sampled_from(["any", "absent"])
    ),
    st.builds(lambda name, agent: Put("agent_instance", name, instance(name, agent), "absent"), names, names),
    st.builds(
        lambda n, r: Put("iam_policy", f"p{n}", policy(n, r), "absent"), st.integers(0, 3), st.sampled_from(["", "m"])
    ),
)
others = st.one_of(
    st.builds(lambda name: Delete("agent", name), names),
    st.builds(lambda slug, name: Vacant("agent", "slug", (slug,), name), names, st.none() | names),
    st.builds(lambda name: Present("agent", name), names),
)
batches = st.lists(st.one_of(creations, creations, others), min_size=1, max_size=4)


@given(st.lists(st.lists(batches, min_size=1, max_size=3), max_size=5), st.sampled_from(CODECS))
def test_both_ways_write_the_same_rows(groups: list[list[Batch]], codec: str) -> None:
    with (
        KeyValueStore(DictEngine(SortedDict()), codec_of(codec), Durability.RELAXED) as short,
        GeneralWayOnly(DictEngine(SortedDict()), codec_of(codec), Durability.RELAXED) as general,
    ):
        for group in groups:
            answers = [store.commit_many(group) for store in (short, general)]
            assert [_told(answer) for answer in answers[0]] == [_told(answer) for answer in answers[1]]
            assert rows_of(short) == rows_of(general)


def _told(answer: int | StoreError) -> int | str:
    return answer if isinstance(answer, int) else f"{type(answer).__name__}: {answer}"


def test_a_key_that_comes_twice_counts_once() -> None:
    twice = Kind("agent", Agent, (Index("org"),), lambda agent: [("org", (agent.metadata.org,))] * 2)
    with KeyValueStore(DictEngine(SortedDict()), codec_of("protobuf"), Durability.RELAXED, {"agent": twice}) as store:
        store.commit([put("a", org="acme"), put("b", org="acme")])
        assert store.count("agent", index="org", key=("acme",)) == 2


class Unreadable(DictEngine):
    """Can't read rows whose keys hold a given text."""

    marked = b""

    def get(self, key: bytes) -> bytes | None:
        if self.marked and self.marked in key:
            raise EngineCorrupt("a block is damaged")
        return super().get(key)


def test_a_damaged_block_fails_its_own_batch_and_is_named() -> None:
    engine = Unreadable(SortedDict())
    with KeyValueStore(engine, codec_of("protobuf"), Durability.RELAXED) as store:
        store.commit([put("last", slug="last")])  # behind it nothing would be read
        engine.marked = b"agentbad"
        good, bad = store.commit_many([[put("good")], [put("bad")]])
        assert good == 2
        assert isinstance(bad, CorruptRecord)
        assert bad.id == "bad"


def test_a_damaged_record_is_nobodys_parent() -> None:
    engine = DictEngine(SortedDict())
    with KeyValueStore(engine, codec_of("protobuf"), Durability.RELAXED) as store:
        store.commit([put("parent")])
        record = layout.KindLayout(KINDS["agent"]).record("parent")
        assert record in engine.rows
        engine.rows[record] = b"cut"
        with pytest.raises(CorruptRecord, match="parent"):
            store.commit([Put("agent_instance", "child", instance("child", "parent")), Present("agent", "parent")])


def test_counters_are_right_after_a_read_that_failed() -> None:
    engine = Unreadable(SortedDict())
    with KeyValueStore(engine, codec_of("protobuf"), Durability.RELAXED) as store:
        engine.marked = b'org["acme"]'  # read when the slug's counter has been counted up
        with pytest.raises(EngineCorrupt):
            store.commit([put("a", slug="one", org="acme")])
        engine.marked = b""
        store.commit([put("a", slug="one", org="acme")])
        assert store.count("agent", index="slug", key=("one",)) == 1


def test_creations_are_planned_as_inserts(monkeypatch: pytest.MonkeyPatch) -> None:
    with KeyValueStore(DictEngine(SortedDict()), codec_of("protobuf"), Durability.RELAXED) as store:
        monkeypatch.setattr(store, "_plan_changes", lambda _: pytest.fail("the general way was taken"))
        store.commit([put("a", slug="one", when="absent"), Vacant("agent", "slug", ("one",), "a")])
        store.commit_many([[put("b")], [put("c"), Present("agent", "a"), Present("agent", "b")]])
        assert [record.id for record in store.scan("agent")] == ["a", "b", "c"]
        monkeypatch.undo()
        store.commit([put("a", slug="two")])
        assert store.find("agent", "slug", ("two",)) == "a"
