"""Filled templates are what protobuf writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.wire_template import _CUTS_MAX, WireTemplate, begin

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
    tag, size = begin(number, length)[: 1 if number < 16 else 2], begin(number, length)[1 if number < 16 else 2 :]
    assert _number(tag) == number << 3 | 2
    assert _number(size) == length


def _number(varint: bytes) -> int:
    assert all(byte & 0x80 for byte in varint[:-1])
    assert not varint[-1] & 0x80
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint))
