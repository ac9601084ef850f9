"""The codecs side by side on one real-sized agent; `pytest benchmarks --benchmark-enable` prints the times."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.payloads.generator import generate
from benchmarks.payloads.payload import as_stored
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.codecs import CODECS, codec_of

SIZES = ("small", "medium", "large")


def agent_of(size: str) -> Agent:
    return as_stored(generate(3, 5, size_class=size).agents[1], 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted(CODECS))
def test_encode(benchmark: BenchmarkFixture, name: str, size: str) -> None:
    codec, agent = codec_of(name), agent_of(size)
    benchmark.group = f"encode {size}"
    data = benchmark(codec.encode, agent, None)
    assert codec.message(Agent, data) == agent


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted(CODECS))
def test_decode(benchmark: BenchmarkFixture, name: str, size: str) -> None:
    codec, agent = codec_of(name), agent_of(size)
    benchmark.group = f"decode {size}"
    assert benchmark(codec.message, Agent, codec.encode(agent, None)) == agent
