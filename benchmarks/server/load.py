"""The load generator: closed loop (so many calls in flight) and open loop (so many calls per second, come what may).

In a closed loop a slow server slows its own load down, which hides its stalls; latency is therefore taken in the open
loop, from the moment at which a call was due. The generator tells how much of its time it was busy: its headroom.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

SAMPLES_KEPT = 64


class LoadFailed(Exception):
    """The load could not be put on the server. The message says why."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """One sort of call in a load: `messages` (base64 of wire bytes) are sent in turn to a method.

    `operation` is a key of `PATHS`, or the path of a method.
    `share` is its part of the calls that a load begins. With `unique`, each Agent gets another name, PREFIX-NUMBER.
    `then` are operations on the agent that was answered, one after the other, by the same caller.
    """

    operation: str
    messages: tuple[str, ...]
    share: float = 1.0
    unique: str = ""
    then: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tls:
    """How a server is trusted: files of an authority (empty: the system's), of a client certificate and its key."""

    ca: str = ""
    cert: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext:
        """Return what a connection needs. Raises OSError, of which ssl.SSLError is one."""
        context = ssl.create_default_context(cafile=self.ca or None)
        if self.cert:
            context.load_cert_chain(self.cert, self.key)
        context.set_alpn_protocols(["h2"])
        return context


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One load: where (`host:port` or `unix:/path`), what, how much of it.

    `rate` per second makes it an open loop; without, `concurrency` calls are in flight all the time. A turn
    ends after `seconds` (and `warmup_s` before them, which don't count), or after `calls` and what follows them; most
    loads have one turn.
    """

    address: str
    traffic: tuple[Traffic, ...]
    seconds: float = 1.0
    concurrency: int = 32
    connections: int = 2
    rate: float | None = None
    calls: int | None = None
    warmup_s: float = 0.0
    metadata: Mapping[str, str] = field(default_factory=dict)
    tls: Tls | None = None
    seed: int = 1
    """Of the order in which sorts of calls come."""
    samples_kept: int = SAMPLES_KEPT
    """Answers of each operation that are kept."""


@dataclass(slots=True)
class OperationReport:
    """What came of one operation's calls. Latencies in microseconds: `service` from sending, `response` from when due.

    `statuses` counts every answer, warm-up and drain included; `completed` only the good ones inside the `seconds`.
    """

    completed: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    service_us: list[float] = field(default_factory=list)
    response_us: list[float] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    """Some of the answers (base64), to be looked at."""


@dataclass(slots=True)
class LoadReport:
    """What came of a load: of each operation, and of the generator."""

    operations: dict[str, OperationReport] = field(default_factory=dict)
    seconds: float = 0.0
    busy_seconds: float = 0.0
    late: int = 0
    dropped: int = 0
    aftermath_seconds: float = 0.0
    """How long the servers still worked after its turns ended."""

    @property
    def completed(self) -> int:
        """Good answers inside the seconds."""
        return sum(each.completed for each in self.operations.values())

    @property
    def statuses(self) -> dict[int, int]:
        """How many answers had which status of gRPC; -1: none."""
        total: Counter[int] = Counter()
        for each in self.operations.values():
            total.update(each.statuses)
        return dict(total)

    @property
    def samples(self) -> list[str]:
        """The answers that were kept, of all operations."""
        return [sample for each in self.operations.values() for sample in each.samples]

    @property
    def service_us(self) -> list[float]:
        """Latencies of all operations, from sending."""
        return [value for each in self.operations.values() for value in each.service_us]

    @property
    def response_us(self) -> list[float]:
        """Latencies of all operations in an open loop, from when the calls were due."""
        return [value for each in self.operations.values() for value in each.response_us]

    @property
    def headroom(self) -> float:
        """How many times this load the generator could have made: wall time over the time it was at work."""
        return self.seconds / self.busy_seconds if self.busy_seconds else float("inf")

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.completed / self.seconds if self.seconds else 0.0
