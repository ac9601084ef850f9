"""Values that break stores: odd ids, long keys, large messages, and all that a JSON mapping can get wrong."""

from __future__ import annotations

import math

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import BytesValue, DoubleValue, Int64Value, StringValue, UInt64Value

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.parity.v1.event_pb2 import CloudEvent
from stores.canonical import canonical_bytes
from stores.contract import Capabilities, Delete, InvalidOperation, Put, Store
from stores.suite.check import Bench, Checks, fail, is_persistent, same
from stores.suite.samples import agent, event, ids_of, put, slug_key

checks = Checks()
LARGE_BYTES = 10 * 1024 * 1024
"""The largest message that a server of the wire contract accepts."""


def keeps_unknown_fields(capabilities: Capabilities) -> bool:
    """A need: the codec keeps fields that the schema doesn't know."""
    return capabilities.keeps_unknown_fields


@checks("value-ids")
def ids(bench: Bench) -> None:
    """An id may hold any character, NUL and beyond the basic plane included, and ids that begin alike stay apart."""
    store = bench.store
    odd = [
        "a",
        "a\0",
        "a\0b",
        "\0",
        "\0\0",
        "ÿ",
        "日本",
        "😀",
        "\uffff",
        "\U0010ffff",
        "a/b",
        "a?b",
        "a b",
        " ",
        "'\"--",
        "%",
        "é",
        "e\u0301",
    ]
    for number, id_ in enumerate(odd):
        store.commit([put(id_, slug=f"s{number}", when="absent")])
    same("ids", ids_of(store.scan("agent")), odd)
    for number, id_ in enumerate(odd):
        same(f"get {id_!r}", store.get("agent", id_), agent(id_, f"s{number}"))
        same(f"find {id_!r}", store.find("agent", "slug", (f"s{number}",)), id_)
    for id_ in odd[::2]:
        store.commit([Delete("agent", id_, "present")])
    same("ids left", ids_of(store.scan("agent")), odd[1::2])


@checks("value-long-ids")
def long_ids(bench: Bench) -> None:
    """Ids of any length are kept apart, also those that differ in the last character only."""
    store = bench.store
    long = [f"{'x' * length}{end}" for length in (100, 178, 179, 180, 254, 510, 5000, 65_534, 65_535) for end in "ab"]
    for number, id_ in enumerate(long):
        store.commit([put(id_, slug=f"s{number}", when="absent")])
    same("ids", ids_of(store.scan("agent")), long)
    for number, id_ in enumerate(long):
        same(f"slug of id {number}", getattr(store.get("agent", id_), "metadata", Agent().metadata).slug, f"s{number}")


@checks("value-long-keys")
def long_keys(bench: Bench) -> None:
    """Slugs and organizations of any length are found, and kept apart."""
    store = bench.store
    texts = [f"{'y' * length}{end}" for length in (60, 90, 170, 180, 500, 5000, 65_534, 65_535) for end in "ab"]
    for number, text in enumerate(texts):
        store.commit([put(f"id{number}", slug=text, org=text)])
    for number, text in enumerate(texts):
        same("unique", store.find("agent", "slug_key", slug_key(text, text)), f"id{number}")
        same("org", ids_of(store.scan("agent", index="org", key=(text,))), [f"id{number}"])
        same("count", store.count("agent", index="slug", key=(text,)), 1)


@checks("value-text")
def text(bench: Bench) -> None:
    """Strings come back character by character: NUL, escapes, composed and plane-16 characters, line ends."""
    message = agent("a", text='NUL \0 tab \t cr \r\n \x7f \u2028 \ufeff é e\u0301 😀 \U0010ffff " \\ / </script> ${x}')
    for word in ("", "\0", "true", "null", "1e999", "NaN", "-0"):
        message.metadata.labels[f"k{word}"] = word
        message.metadata.tags.append(word)
    _round_trip(bench, "agent", message)


@checks("value-empty-message")
def empty_message(bench: Bench) -> None:
    """A message without any field is a resource like any other."""
    _round_trip(bench, "agent", Agent())


@checks("value-presence")
def presence(bench: Bench) -> None:
    """An empty message that is present stays present, at every depth."""
    message = agent("a")
    message.status.SetInParent()
    message.spec.env_spec.SetInParent()
    message.spec.env_spec.data["EMPTY"].SetInParent()
    message.spec.mcp_servers.add().stdio.SetInParent()
    _round_trip(bench, "agent", message)


@checks("value-maps")
def maps(bench: Bench) -> None:
    """Maps come back whole, with empty keys and values, and their bytes don't depend on the order of insertion."""
    forward, backward = agent("a"), agent("a")
    entries = [("", ""), ("b", "2"), ("a", "1"), ("ä", "\0"), ("A", "a")]
    for key, value in entries:
        forward.metadata.labels[key] = value
    for key, value in reversed(entries):
        backward.metadata.labels[key] = value
    _round_trip(bench, "agent", forward)
    first = bench.store.get_bytes("agent", "value")
    bench.store.commit([Put("agent", "value", backward)])
    same("bytes of an equal message", bench.store.get_bytes("agent", "value"), first)


@checks("value-unknown-enum")
def unknown_enum(bench: Bench) -> None:
    """An enum number that the schema doesn't know is kept."""
    message = agent("a")
    message.metadata.owner_scope = 77  # type: ignore[assignment] # open enums take any number
    _round_trip(bench, "agent", message)


@checks("value-numbers")
def numbers(bench: Bench) -> None:
    """64-bit integers keep every bit; NaN, infinities and negative zero stay what they are."""
    for number in (2**63 - 1, -(2**63), 2**53 + 1, 0):
        _round_trip_any(bench, Int64Value(value=number))
    _round_trip_any(bench, UInt64Value(value=2**64 - 1))
    for value in (math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 0.1):
        _round_trip_any(bench, DoubleValue(value=value))


@checks("value-bytes")
def raw_bytes(bench: Bench) -> None:
    """Bytes fields come back byte by byte."""
    _round_trip_any(bench, BytesValue(value=bytes(range(256)) + b"\xff\xfe"))
    _round_trip_any(bench, BytesValue(value=b""))


@checks("value-packed")
def packed(bench: Bench) -> None:
    """A message inside an Any comes back, an empty Any too."""
    inner = agent("inner")
    inner.metadata.labels["k"] = "v"
    _round_trip_any(bench, inner)
    _round_trip_any(bench, StringValue(value="\0"))
    nested = Struct()
    nested["n"] = 1.5
    nested["list"] = ["a", None, {"deep": True}]
    _round_trip_any(bench, nested)
    hollow = event("e", "s")
    hollow.data.SetInParent()
    _round_trip(bench, "event", hollow)


@checks("value-packed-unknown")
def packed_unknown(bench: Bench) -> None:
    """An Any of a type that nobody knows is kept, or the put is refused and leaves nothing."""
    message = event("e", "s")
    message.data.CopyFrom(AnyMessage(type_url="type.example/no.such.Type", value=b"\x08\x01\xff"))
    try:
        bench.store.commit([Put("event", "e", message)])
    except InvalidOperation:
        same("get", bench.store.get("event", "e"), None)
        same("count", bench.store.count("event"), 0)
    else:
        same("get", bench.store.get("event", "e"), message)


@checks("value-time")
def time(bench: Bench) -> None:
    """Timestamps keep their nanoseconds, also before 1970."""
    for seconds, nanos in ((0, 0), (1, 1), (-1, 999_999_999), (253402300799, 999_999_999), (-62135596800, 0)):
        message = event("e", "s")
        message.time.seconds, message.time.nanos = seconds, nanos
        _round_trip(bench, "event", message)


@checks("value-unknown-fields", applies=keeps_unknown_fields)
def unknown_fields(bench: Bench) -> None:
    """Fields of a newer schema survive, at the top and inside."""
    message = agent("a")
    wire = message.SerializeToString() + b"\xfa\x3f\x03new" + b"\xf8\x7f\x2a"
    newer = Agent.FromString(wire)
    newer.spec.MergeFromString(b"\xfa\x3f\x05inner")
    _round_trip(bench, "agent", newer)
    stored = bench.store.get_bytes("agent", "value") or b""
    if b"new" not in stored or b"inner" not in stored:
        fail(f"the new fields' bytes are gone: {stored!r}")


@checks("value-reopen", applies=is_persistent)
def reopen(bench: Bench) -> None:
    """A message with all of these comes back from the medium too."""
    message = event("e\0😀", "s")
    inner = agent("inner", text="\0\u2028")
    inner.metadata.labels[""] = ""
    inner.status.SetInParent()
    message.data.Pack(inner)
    message.time.nanos = 1
    bench.store.commit([Put("event", "value", message)])
    _check_read(bench.reopen(), "event", message)


@checks("value-large")
def large(bench: Bench) -> None:
    """A message of 10 MiB is a message like any other."""
    line = "".join(chr(33 + number % 90) for number in range(997)) + "\n"
    message = agent("a", text=line * (LARGE_BYTES // len(line)))
    bench.store.commit([Put("agent", "large", message)])
    same("scan", [record.data for record in bench.store.scan("agent")], [canonical_bytes(message)])


def _round_trip(bench: Bench, kind: str, message: Message) -> None:
    """Store a message and read it in all ways."""
    bench.store.commit([Put(kind, "value", message)])
    _check_read(bench.store, kind, message)


def _check_read(store: Store, kind: str, message: Message) -> None:
    wanted = canonical_bytes(message)
    read = store.get(kind, "value")
    same("get", None if read is None else canonical_bytes(read), wanted)
    record = store.get_record(kind, "value")
    found = type(message).FromString(record.data) if record else None
    same("get_record", None if found is None else canonical_bytes(found), wanted)
    data = store.get_bytes(kind, "value")
    same("get_bytes", data, record and record.data)


def _round_trip_any(bench: Bench, content: Message) -> None:
    message: CloudEvent = event("e", "s")
    message.data.Pack(content)
    _round_trip(bench, "event", message)
