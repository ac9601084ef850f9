"""What a create and a delete write, counted from the server's own batches, as operations of etcd."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from reference_server.tests.conftest import TOKENS, Bench, agent
from stores.contract import Batch, Delete, Put
from stores.memory import MemoryStore
from stores.schema import KINDS
from tests.wrong_replicas.wrong_store import WrongStore


class Shape(NamedTuple):
    """What one batch is in etcd: operations, comparisons, how many of its keys every other batch changes too, bytes."""

    operations: int
    comparisons: int
    shared: int
    stored_bytes: int


class _Noted(WrongStore):
    """Remembers the batches, each with what it takes away as it was."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.last: list[tuple[str, bytes, str]] = []

    def commit(self, batch: Batch) -> int:
        self.last = [self._noted(each) for each in batch if isinstance(each, Put | Delete)]
        return super().commit(batch)

    def _noted(self, each: Put | Delete) -> tuple[str, bytes, str]:
        if isinstance(each, Delete):
            return each.kind, self.inner.get_bytes(each.kind, each.id) or b"", each.precondition
        data = each.data if each.message is None else each.message.SerializeToString()
        return each.kind, data or b"", each.precondition


def _shape(noted: Sequence[tuple[str, bytes, str]]) -> Shape:
    """A key for each resource, index entry and count; one for the last position. Whoever raises a count compares it."""
    operations = comparisons = 0
    counts: Counter[tuple[object, ...]] = Counter()
    for name, data, precondition in noted:
        kind = KINDS[name]
        entries = list(kind.entries(kind.message_type.FromString(data)))
        operations += 1 + len(entries)
        comparisons += (precondition != "any") + sum(index in kind.unique for index, _ in entries)
        counts.update((name, *entry) for entry in entries if entry[0] in kind.counted)
        counts[name,] += 1
    shared = 1 + sum(len(one) == 1 for one in counts)
    stored_bytes = sum(len(data) for _, data, _ in noted)
    return Shape(operations + len(counts) + 1, comparisons + len(counts) + 1, shared, stored_bytes)


def shapes(folder: Path, instances: Iterable[int]) -> dict[str, Shape]:
    """Return the shape of a create in the cloud profile, and of a delete of an agent with so many instances."""
    tokens = folder / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    store = _Noted()
    application = build(ServerConfig(profile="cloud", tokens=str(tokens), fast_paths=False), store)
    asyncio.run(application.refresh_callers())
    bench = Bench(application)
    found: dict[str, Shape] = {}
    for count in instances:
        made = bench.call("agent-create", agent(f"With {count}"), "max")
        found["create"] = _shape(store.last)
        for number in range(count - 1):
            request = AgentInstance(api_version="agentic.stigmer.ai/v1", kind="AgentInstance")
            request.metadata.name, request.metadata.org = f"i {count} {number}", "acme"
            request.metadata.owner_scope, request.spec.agent_id = organization, made.metadata.id
            bench.call("agent-instance-create", request, "max")
        bench.call("agent-delete", AgentId(value=made.metadata.id), "max")
        found[f"delete with {count} instances"] = _shape(store.last)
    application.close()
    return found
