"""Mutated requests of every kind: the server stays up and answers each with a named status."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from reference_server.pipelines import OPERATIONS
from stores.registry import open_store
from tests.invariants import violations
from tests.serving import serve
from tests.test_soak import agent

SEED = 20261122
NAMED = {
    "OK", "INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND", "ALREADY_EXISTS", "UNIMPLEMENTED",
    "RESOURCE_EXHAUSTED",
}  # fmt: skip


def flipped(data: bytes, rng: random.Random) -> bytes:
    mutable = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        mutable[rng.randrange(len(mutable))] ^= 1 << rng.randrange(8)
    return bytes(mutable)


def truncated(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def huge_length(data: bytes, rng: random.Random) -> bytes:
    return data + bytes([0x22]) + b"\xff\xff\xff\xff" + bytes([rng.randrange(8)])


def unknown_field(data: bytes, rng: random.Random) -> bytes:
    return data + b"\xfa\x7f" + bytes([100]) + rng.randbytes(100)


def noise(data: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(300))


def large(data: bytes, rng: random.Random) -> bytes:
    return data + b"\x12" + b"\x80\x80\x80\x01" + b"x" * (2 * 1024 * 1024)


MUTATIONS = (flipped, flipped, truncated, truncated, huge_length, unknown_field, noise)


def requests(count: int, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    methods = [f"/{each.method.containing_service.full_name}/{each.method.name}" for each in OPERATIONS.values()]
    methods += ["/parity.v1.EventService/Nothing", "/no.such.Service/method", "/"]
    for number in range(count):
        seedling = agent(f"Junk {number}") if rng.random() < 0.6 else AgentId(value=f"agt-{number}")
        mutate = large if number % 500 == 0 else rng.choice(MUTATIONS)
        yield rng.choice(methods), mutate(seedling.SerializeToString(), rng)


@pytest.mark.parametrize("count", [1500, pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(300)])])
def test_junk(tmp_path: Path, count: int) -> None:
    url = f"leveldb:{tmp_path / 'db'}?durability=relaxed"
    serving = serve(url, tmp_path / "server.log")
    codes: Counter[str] = Counter()
    rng = random.Random(SEED)
    try:
        with grpc.insecure_channel(serving.address) as channel:
            for method, data in requests(count, rng):
                token = rng.choice(["root-token", "max-token", "\x7f", ""])
                try:
                    invoke = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
                    invoke(
                        data,
                        metadata=(("authorization", f"Bearer {token}"),) if token.isprintable() else (),
                        timeout=10,
                    )
                    codes["OK"] += 1
                except grpc.RpcError as error:
                    codes[error.code().name] += 1
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=bytes,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            assert check(b"", timeout=10).status == health_pb2.HealthCheckResponse.SERVING
    finally:
        assert serving.stop() == 0
    assert set(codes) <= NAMED, codes
    assert len(codes) >= 6, f"too uniform to show anything: {codes}"
    assert sum(codes.values()) == count
    assert "Traceback" not in (tmp_path / "server.log").read_text(encoding="utf-8")
    with open_store(url, create=True) as store:
        assert violations(store, cloud=True) == []
