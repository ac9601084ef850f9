"""The line to a target: which calls it lost, and what follows. A lost call says nothing about the server.

A connection that ends under a call leaves open whether the server did what it was asked. A read is made again; after
anything else the check begins again under fresh names, and what the call may have made is looked for and removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.evidence import Evidence, Exchange

if TYPE_CHECKING:
    from conformance.target_client import Response

ATTEMPTS_MAX = 5
"""So often a check is begun before its calls count as lost for good."""
READS = frozenset({"get", "by_reference", "by_agent", "check", "agents", "instances", "environments"})
"""Operations that may be asked again: they change nothing."""
LINE = "line"
"""The name in the evidence under which lost calls stand; nothing is judged by them."""
_TEXTS = re.compile(
    "stream removed|socket closed|connection reset|broken pipe|goaway|transport closed|endpoint|keepalive|"
    "connection (termination|timeout|refused)|upstream connect error|failed to connect",
    re.IGNORECASE,
)
"""What gRPC's core and proxies say of a connection that ended. A status that a server sent has the server's words."""
_CODES = frozenset({"UNAVAILABLE", "UNKNOWN", "CANCELLED", "INTERNAL"})


def ended_under(code: str, message: str) -> bool:
    """Whether a call's status is about its connection and not by the server."""
    return code in _CODES and bool(_TEXTS.search(message))


def insist(call: Callable[[], Response]) -> Response:
    """Make a call that may be made twice until the line carries it, at most `ATTEMPTS_MAX` times."""
    answer = call()
    for _ in range(ATTEMPTS_MAX - 1):
        if not answer.exchange.lost:
            break
        answer = call()
    return answer


def given_up(lost: Exchange) -> str:
    """Say why a check wasn't exercised whose calls the line lost in each attempt."""
    return (
        f"the connection ended under a call in each of {ATTEMPTS_MAX} attempts, at last first under {lost.step} "
        f"({lost.label}: {lost.message}); if nothing stands between, it is the server that ends it"
    )


def line_evidence(lost: Sequence[Exchange]) -> Evidence:
    """Return lost calls as evidence of the line."""
    return Evidence(LINE, tuple(replace(row, check=LINE, label=f"{row.check}/{row.label}") for row in lost))


def likely_slug(metadata: dict[str, str]) -> str:
    """Return the slug that a create with this metadata gets: the given one, or the contract's of the name."""
    kept = re.sub(r"[^a-z0-9-]", "", re.sub(r"\s", "-", str(metadata.get("name", "")).lower()))
    return str(metadata.get("slug", "")) or re.sub("-+", "-", kept).strip("-")
