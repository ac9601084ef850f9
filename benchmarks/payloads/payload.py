"""What payloads have in common: the set of agents with its account, size classes, and the form a server stores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.payloads.slugs import slug_of
from benchmarks.results import PayloadClass, PayloadSource
from benchmarks.statistics import median
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent

API_VERSION = "agentic.stigmer.ai/v1"

SIZE_CLASSES: tuple[tuple[str, int], ...] = (("small", 2_048), ("medium", 12_288), ("large", 1 << 62))
"""Classes by bytes of instructions, each with its upper end (exclusive).

About 27, 55 and 18 % of real agents. The ends follow what changes in an engine: below 2 KiB several records share a
page or block, above 12 KiB one record takes several.
"""


class PayloadError(Exception):
    """Payloads can't be read. The message says which file and line, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Payloads:
    """Agents as clients would send them (no id; a slug only where the name's is taken), and what was left out.

    `skipped` names each record that can't be an agent, with line and path; `renamed` counts explicit slugs.
    """

    kind: str
    name: str
    agents: tuple[Agent, ...]
    records: int
    renamed: int = 0
    skipped: tuple[str, ...] = ()

    def of_class(self, name: str) -> tuple[Agent, ...]:
        """Return the agents of one size class, in their order."""
        return tuple(agent for agent in self.agents if class_of(agent) == name)

    def source(self, classes: Iterable[tuple[str, Sequence[Agent]]]) -> PayloadSource:
        """Return the account of these payloads for a result, with the classes as they are used."""
        return PayloadSource(
            kind=self.kind,
            name=self.name,
            records=self.records,
            agents=len(self.agents),
            renamed=self.renamed,
            skipped=self.skipped,
            classes=tuple(describe(name, agents) for name, agents in classes),
        )


def class_of(agent: Agent) -> str:
    """Return the size class of an agent, by the bytes of its instructions."""
    size = len(agent.spec.instructions.encode())
    return next(name for name, end in SIZE_CLASSES if size < end)


def describe(name: str, agents: Sequence[Agent]) -> PayloadClass:
    """Return a class's figures. Raises ValueError when it has no agent."""
    sizes = [agent.ByteSize() for agent in agents]
    return PayloadClass(name, len(agents), min(sizes), round(median(sizes)), max(sizes))


def as_stored(agent: Agent, serial: int) -> Agent:
    """Return a copy as a server would store it as its `serial`-th agent: id, slug, default instance, audit."""
    stored = Agent()
    stored.CopyFrom(agent)
    stored.metadata.id = f"agt-{_ulid_like(serial)}"
    stored.metadata.slug = agent.metadata.slug or slug_of(agent.metadata.name)
    stored.status.default_instance_id = f"ain-{_ulid_like(serial)}"
    for audit in (stored.status.audit.spec_audit, stored.status.audit.status_audit):
        audit.created_by.id = audit.updated_by.id = "benchmark"
        audit.created_at.seconds = audit.updated_at.seconds = 1_767_225_600 + serial
        audit.event = "created"
    return stored


_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def _ulid_like(serial: int) -> str:
    """Return 26 characters that grow with `serial`, as ULIDs grow with time, with a tail that looks random."""
    tail = (serial * 0x9E3779B97F4A7C15) & (1 << 64) - 1  # Fibonacci hashing: spread, repeatable
    number = (1_767_225_600_000 + serial) << 80 | tail
    return "".join(_CROCKFORD[number >> 5 * place & 31] for place in range(25, -1, -1))
