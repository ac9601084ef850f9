"""Real agents from a JSON-lines file: one record per line with `name`, `description`, `instructions`, `source`, ...

Nothing is dropped silently, and nothing stops the rest. A line that is no record, or whose record can't be an agent (a
name with nothing to make a slug of, instructions too short, more than a request may hold), is skipped, counted and
named. A record whose slug is taken gets an explicit, distinct slug and is counted.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from protovalidate import Validator
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.payloads.payload import API_VERSION, PayloadError, Payloads
from benchmarks.payloads.slugs import distinct, slug_of
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.spec_pb2 import McpServerDefinition, StdioServer
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization

REQUEST_BYTES_MAX = 10 * 1024 * 1024
"""Source: behaviour contract, RPC-SIZE."""


class CorpusRecord(BaseModel):
    """One line of a corpus. Unknown fields are ignored; these must have these types."""

    model_config = ConfigDict(strict=True, frozen=True)

    name: str
    instructions: str
    source: Annotated[str, Field(min_length=1)]
    description: str = ""
    tools: tuple[str, ...] = Field(default=(), strict=False)
    path: str = ""
    model: str = ""
    category: str = ""


def load_corpus(path: Path) -> Payloads:
    """Return the agents of a corpus file, in its order. Raises PayloadError."""
    validator = Validator()
    agents: list[Agent] = []
    skipped: list[str] = []
    taken: set[str] = set()
    records = renamed = 0
    for number, line in _lines(path):
        records += 1
        record = _record(line)
        if isinstance(record, str):
            skipped.append(f"line {number}: {record}")
            continue
        agent, reason = _agent(record, validator)
        if agent is None:
            where = f" ({record.path})" if record.path else ""
            skipped.append(f"line {number}{where}: name {record.name!r}: {reason}")
            continue
        slug = slug_of(record.name)
        free = distinct(slug, taken)
        if free != slug:
            agent.metadata.slug = free
            renamed += 1
        agents.append(agent)
    if not agents:
        first = f"; the first is left out: {skipped[0]}" if skipped else ""
        raise PayloadError(f"{path}: no record of {records} can be an agent; is this a corpus of agents?{first}")
    return Payloads("corpus", path.name, tuple(agents), records, renamed, tuple(skipped))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that aren't empty, with their numbers. A byte order mark before the first is no part of it."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = line.removeprefix(BOM_UTF8) if number == 1 else line
                if text.strip():
                    yield number, text
    except OSError as error:
        raise PayloadError(f"{path}: can't read the corpus: {error.strerror}; check the path") from error


def _record(line: bytes) -> CorpusRecord | str:
    """Return the record of a line, or the reason why it is none."""
    try:
        return CorpusRecord.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "the line"
        return f"{where}: {first['msg']}"


def _agent(record: CorpusRecord, validator: Validator) -> tuple[Agent | None, str]:
    """Return the agent that a record describes, or the reason why it can't be one."""
    if not slug_of(record.name):
        return None, "no ASCII letter or digit to make a slug of"
    org = slug_of(record.source.replace("/", " "))
    if not org:
        return None, f"source {record.source!r} has no ASCII letter or digit to make an organization of"
    try:
        agent = _message(record, org)
    except ValueError as error:  # protobuf refuses what isn't UTF-8, such as half a surrogate pair
        return None, f"not valid text: {error}"
    if agent.ByteSize() > REQUEST_BYTES_MAX:
        return None, f"over {REQUEST_BYTES_MAX // 1024**2} MiB, which is all that a request may hold"
    violations = validator.collect_violations(agent)
    if violations:
        return None, violations[0].proto.message or violations[0].proto.rule_id
    return agent, ""


def _message(record: CorpusRecord, org: str) -> Agent:
    agent = Agent(api_version=API_VERSION, kind="Agent")
    agent.metadata.name = record.name
    agent.metadata.org = org
    agent.metadata.owner_scope = organization
    agent.metadata.annotations["source"] = record.source
    for key, value in (("path", record.path), ("model", record.model), ("category", record.category)):
        if value:
            agent.metadata.annotations[key] = value
    agent.spec.description = record.description
    agent.spec.instructions = record.instructions
    if record.tools:
        server = McpServerDefinition(name="tools", stdio=StdioServer(command="agent-tools"))
        server.enabled_tools.extend(record.tools)
        agent.spec.mcp_servers.append(server)
    return agent
