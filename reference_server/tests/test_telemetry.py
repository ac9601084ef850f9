"""Spans named as in the contract, metrics, logs without credentials."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import urllib.request
from pathlib import Path

import grpc
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from reference_server.authorization.model import Caller
from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from reference_server.errors import InvalidArgument
from reference_server.telemetry import log, redact_secrets
from reference_server.tests.conftest import TOKENS, Bench, agent, exact_clock
from reference_server.tests.running import running
from reference_server.tests.test_create import STEPS
from reference_server.tests.test_server import CREATE
from stores.contract import Store
from stores.registry import open_store


def traced(store: Store, tokens: Path) -> tuple[Bench, InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tokens.write_text(TOKENS, encoding="utf-8")
    application = build(
        ServerConfig(profile="cloud", tokens=str(tokens)),
        store,
        tracer=provider.get_tracer("test"),
        clock=exact_clock(),
    )
    asyncio.run(application.refresh_callers())
    return Bench(application), exporter


def test_one_span_per_step_below_the_operation(tmp_path: Path) -> None:
    with open_store("memory:", create=True) as store:
        bench, exporter = traced(store, tmp_path / "tokens.toml")
        bench.call("agent-create", agent(), "max")
    spans = exporter.get_finished_spans()
    parent = next(span for span in spans if span.name == "agent-create")
    steps = [span.name for span in spans if span.parent and span.parent.span_id == parent.context.span_id]
    assert tuple(steps) == STEPS
    nested = next(span for span in spans if span.name == "agent-instance-create")
    above = next(span for span in spans if nested.parent and span.context.span_id == nested.parent.span_id)
    assert above.name == "CreateDefaultInstance"


def test_a_request_in_a_group_keeps_its_own_spans(tmp_path: Path) -> None:
    """With spans on, requests take the same path: they are gathered, and each one's spans hang below its caller's."""
    tracer = TracerProvider().get_tracer("callers")
    with open_store("memory:", create=True) as store:
        bench, exporter = traced(store, tmp_path / "tokens.toml")
        create = bench.application.context.operations["agent-create"]

        async def called(name: str) -> int:
            with tracer.start_as_current_span(name) as span:
                await bench.executor.execute(create, agent(name).SerializeToString(), Caller("max"))
                return span.get_span_context().trace_id

        async def scene() -> list[int]:
            return await asyncio.gather(*(called(f"Agent {number}") for number in range(8)))

        traces = asyncio.run(scene())
    for trace in traces:
        own = [span for span in exporter.get_finished_spans() if span.context.trace_id == trace]
        assert [span.name for span in own].count("agent-create") == 1
        assert {*STEPS} < {span.name for span in own}


def test_an_early_answer_shows_the_steps_that_it_stands_for(tmp_path: Path) -> None:
    with open_store("memory:", create=True) as store:
        bench, exporter = traced(store, tmp_path / "tokens.toml")
        made = bench.call("agent-create", agent(), "max")
        exporter.clear()
        request = AgentId(value=made.metadata.id)
        early = bench.application.context.early_answers["agent-get"]
        assert early(request.SerializeToString(), Caller("max")) == made.SerializeToString()
        told = [span.name for span in exporter.get_finished_spans()]
        exporter.clear()
        bench.call("agent-get", request, "max")
        assert told == [span.name for span in exporter.get_finished_spans()]


def test_a_refused_request_shows_the_step_that_refused(tmp_path: Path) -> None:
    with open_store("memory:", create=True) as store:
        bench, exporter = traced(store, tmp_path / "tokens.toml")
        with pytest.raises(InvalidArgument):
            bench.call("agent-create", Agent(), "max")
    failed = [span for span in exporter.get_finished_spans() if not span.status.is_ok and span.status.description]
    assert [span.name for span in failed] == ["ValidateFieldConstraints", "agent-create"]


def test_metrics_count_requests_by_code(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        metrics = f"127.0.0.1:{free.getsockname()[1]}"
    with running(ServerConfig(listen="127.0.0.1:0", metrics=metrics), f"leveldb:{tmp_path / 'db'}") as server:
        server.call(CREATE, agent(), Agent)
        with pytest.raises(grpc.RpcError):
            server.call(CREATE, agent(), Agent)
        text = scraped_until(metrics, 'parity_requests_total{code="ALREADY_EXISTS",operation="agent-create"} 1.0')
    assert 'parity_requests_total{code="OK",operation="agent-create"} 1.0' in text
    assert 'parity_resources{kind="agent_instance"} 1.0' in text
    assert "parity_store_bytes" in text


def scraped_until(listen: str, line: str) -> str:
    """Scrape until a line is there: a request is counted just after its answer has left."""
    for _ in range(100):
        with urllib.request.urlopen(f"http://{listen}/metrics", timeout=10) as answer:
            text = str(answer.read().decode())
        if line in text:
            return text
        time.sleep(0.05)
    raise AssertionError(f"{line} is not in {text}")


def test_credentials_never_reach_the_log() -> None:
    event = redact_secrets(None, "info", {"event": "x", "Authorization": "Bearer t", "token_file": "y", "address": "z"})
    assert event == {"event": "x", "Authorization": "***", "token_file": "***", "address": "z"}


def test_a_fault_is_logged_as_one_line_without_the_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    request = {"KEY": "hunter2"}
    try:
        request["missing"]
    except KeyError:
        log().exception("request failed", operation="agent-create")
    line = json.loads(capsys.readouterr().err)
    assert line["operation"] == "agent-create"
    assert "KeyError" in line["exception"]
    assert "hunter2" not in str(line)
