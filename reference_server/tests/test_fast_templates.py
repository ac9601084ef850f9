"""Filled templates are what protobuf writes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from reference_server.fast.templates import _CUTS_MAX, WireTemplate, field_header
from reference_server.tests.conftest import TOKENS, Bench, agent, exact_clock
from stores.contract import Store
from stores.registry import open_store
from stores.schema import KINDS

texts = st.text(max_size=300)


@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=4), st.sampled_from(("", "owner", "aab")))
def test_filled_is_as_written(fillings: list[tuple[str, str, str]], relation: str) -> None:
    alike = IamPolicy(api_version="a", kind="b")
    alike.spec.principal.kind = alike.spec.relation = relation
    template = WireTemplate(alike, "metadata.id", "spec.principal.id", "spec.resource.id")
    for filling in fillings:
        wanted = IamPolicy()
        wanted.CopyFrom(alike)
        wanted.metadata.id, wanted.spec.principal.id, wanted.spec.resource.id = filling
        filled = template.fill(*(text.encode() for text in filling))
        assert IamPolicy.FromString(filled) == wanted
        if all(filling):  # protobuf leaves an empty text out, but not the message around it
            assert filled == wanted.SerializeToString(deterministic=True)


def test_a_hole_is_where_it_is_whatever_stands_beside_it() -> None:
    template = WireTemplate(CloudEvent(source="aaaa", spec_version="bb", type="aa"), "id", "subject")
    for id_, subject in (("aa", "a"), ("b", "aaaa"), ("x" * 200, "bb")):
        filled = template.fill(id_.encode(), subject.encode())
        event = CloudEvent(id=id_, source="aaaa", spec_version="bb", type="aa", subject=subject)
        assert filled == event.SerializeToString(deterministic=True)


def test_holes_in_the_wrong_order_are_refused() -> None:
    template = WireTemplate(CloudEvent(), "subject", "id")
    with pytest.raises(ValueError, match="hole id stands before"):
        template.fill(b"a", b"b")


def test_lengths_that_callers_choose_do_not_fill_the_memory() -> None:
    template = WireTemplate(CloudEvent(), "id")
    for length in range(2 * _CUTS_MAX + 2):
        assert CloudEvent.FromString(template.fill(b"x" * length)).id == "x" * length
    assert len(template._cuts) <= _CUTS_MAX


@given(st.integers(1, 20), st.integers(0, 1 << 21))
def test_a_field_begins_as_protobuf_begins_it(number: int, length: int) -> None:
    tag, size = (
        field_header(number, length)[: 1 if number < 16 else 2],
        field_header(number, length)[1 if number < 16 else 2 :],
    )
    assert _number(tag) == number << 3 | 2
    assert _number(size) == length


def _number(varint: bytes) -> int:
    assert all(byte & 0x80 for byte in varint[:-1])
    assert not varint[-1] & 0x80
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint))


def test_bytes_say_what_the_plain_steps_say(cloud: Bench, tmp_path: Path) -> None:
    """The same requests with and without fast paths: the same batch, message for message and key for key."""

    def batches(*, fast_paths: bool) -> list[tuple[str, str, object, object]]:
        tokens = tmp_path / "tokens.toml"
        tokens.write_text(TOKENS, encoding="utf-8")
        config = ServerConfig(profile="cloud", tokens=str(tokens), fast_paths=fast_paths)
        with open_store("memory:", create=True) as store:
            application = build(config, store, clock=exact_clock())
            asyncio.run(application.refresh_callers())
            bench = Bench(application)
            made = bench.call("agent-create", agent("One"), "ada")
            made.spec.description = "changed"
            bench.call("agent-update", made, "ada")
            bench.call("agent-create", agent("Two", id="agt-chosen"), "max")
            bench.call("agent-delete", AgentId(value=made.metadata.id), "ada")
            application.close()
            return [
                (kind, record.id, KINDS[kind].message_type.FromString(record.data), _keys(store, kind, record.id))
                for kind in ("agent", "agent_instance", "iam_policy", "event")
                for record in store.scan(kind)
            ]

    assert batches(fast_paths=True) == batches(fast_paths=False)


def _keys(store: Store, kind: str, id_: str) -> set[tuple[str, tuple[str, ...]]]:
    """The keys that a resource's message has and under which the store finds it."""
    message = store.get(kind, id_)
    entries = KINDS[kind].entries(message)
    return {
        (index, key) for index, key in entries if id_ in {each.id for each in store.scan(kind, index=index, key=key)}
    }
