"""First contact with a target: is it ready, does it serve what is judged, and how long does a call take?"""

from __future__ import annotations

import time

from conformance.methods import METHODS
from conformance.session import Session
from conformance.target_client import TargetLost

READY_SECONDS = 20.0
"""So long a target may answer UNAVAILABLE after it accepted connections: many say that they serve before they do."""
PAUSE_SECONDS = 0.2
LATENCY_CALLS = 3
JOB_MS = 5.0
"""Each so many milliseconds that a call takes are waited for by one check more at a time."""
JOBS_MIN, JOBS_MAX = 3, 16
"""The fewest keep both sides at work where answers come at once: one check writes, while another's call is answered."""

_READS: dict[str, dict[str, object]] = {
    "agent.get": {"value": "agt-probe"},
    "agent.by_reference": {"slug": "probe"},
    "instance.get": {"value": "ain-probe"},
    "instance.by_agent": {"agent_id": "agt-probe"},
    "environment.get": {"value": "env-probe"},
    "list.agents": {},
}
"""A call to each service that only reads."""


def meet(session: Session) -> float:
    """Wait until the target is ready, and make sure that it serves something that can be judged.

    Returns:
        How long a call takes, in milliseconds: the shortest of a few.

    Raises:
        TargetLost: it answers nothing, or UNAVAILABLE for long, or serves none of the services.
    """
    code, message = _wait_until_ready(session)
    if code == "UNAVAILABLE":
        raise TargetLost(f"the target accepts connections and answers UNAVAILABLE for {READY_SECONDS:g} s: {message}")
    if code == "DEADLINE_EXCEEDED":
        seconds = session.client.deadline_seconds
        raise TargetLost(f"the target accepts connections and answered nothing within {seconds:g} s")
    if code == "UNIMPLEMENTED" and not _serves_anything(session):
        services = sorted({METHODS[name].path.split("/")[1] for name in _READS})
        raise TargetLost(f"the target implements none of the services (asked for {', '.join(services)})")
    calls = [session.read("latency", "agent", "agt-probe").exchange.elapsed_ms for _ in range(LATENCY_CALLS)]
    return min(calls)


def _wait_until_ready(session: Session) -> tuple[str, str]:
    until = time.monotonic() + READY_SECONDS
    while True:
        answer = session.read("probe", "agent", "agt-probe").exchange
        if answer.code != "UNAVAILABLE" or time.monotonic() > until:
            return answer.code, answer.message
        time.sleep(PAUSE_SECONDS)


def _serves_anything(session: Session) -> bool:
    """Whether a read of any service is answered with anything but UNIMPLEMENTED."""
    for name, fields in _READS.items():
        method = METHODS[name]
        if session.call(f"serves.{name}", name, method.request(**fields), valid=None).exchange.code != "UNIMPLEMENTED":
            return True
    return False


def jobs_for(latency_ms: float) -> int:
    """Return how many checks to run at a time where nobody said: waiting for answers costs no processor."""
    return max(JOBS_MIN, min(JOBS_MAX, round(latency_ms / JOB_MS)))
