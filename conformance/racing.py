"""Races that are decided, not met by luck: many heats over fresh things, each sender on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import cycle, islice

import grpc

from conformance.address import Address
from conformance.evidence import Evidence, Exchange
from conformance.judging import answered, equal
from conformance.last_byte import Gate, detours
from conformance.methods import Proto
from conformance.session import Session, SetupRefused
from conformance.target import open_channel
from conformance.target_client import Call
from conformance.verdict import Problem

HEATS, HEATS_QUICK, HEATS_QUICK_AGAIN = 48, 8, 3
"""Of the last there are so many where a race that agents have run is run by another kind too."""
RACERS, RACERS_QUICK = 4, 3
TRIES_MAX = 3
RARE = 5
"""The race that the heats are counted for is one in so many heats."""


def racers(session: Session) -> int:
    """Return how many race in a heat."""
    return session.size(RACERS, RACERS_QUICK)


def missed_with(heats: int) -> float:
    """Return the probability that none of so many heats meets a race of one in five: 1 in 45,000 for 48."""
    return (1 - 1 / RARE) ** heats


def race(
    session: Session,
    calls_of_heat: Callable[[int], Sequence[Call]],
    beside: Callable[[int], Sequence[Call]] = lambda _: (),
    *,
    senders: int = 0,
    heats_quick: int = HEATS_QUICK,
) -> int:
    """Race heat after heat until enough of them really overlapped; return how many heats there were.

    `calls_of_heat` makes what is to be released together, with labels that begin `heat.NUMBER.`. Each of a heat is
    sent over a connection of its own that is open already, and waits, but for its last byte, until all are there.
    `beside` makes what is sent right before their release, to be under way when they come. There are as many `senders`
    as calls in a heat (0: as many as race). A quick run makes `heats_quick`. Notes how many heats there were, in how
    many of them calls were under way at once, how many were released at once, and the probability that a race is
    missed all the same.

    Raises:
        SetupRefused: too few heats overlapped: nothing can be said about races.
    """
    wanted = session.size(HEATS, heats_quick)
    overlapped = heats = 0
    with _senders(session, senders or racers(session)) as (channels, gate):
        _open(session, channels)
        while overlapped < wanted and heats < TRIES_MAX * wanted:
            *first, last = [
                replace(call, channel=one) for call, one in zip(calls_of_heat(heats), channels, strict=True)
            ]
            calls = [*first, *beside(heats), last]
            with gate.armed(len(channels)):
                answers = session.together(calls, at_a_time=len(calls))
            exchanges = (answer.exchange for answer in answers)
            overlapped += _overlap([one for one in exchanges if one.label.startswith("heat.")])
            heats += 1
    session.note("heats", heats)
    session.note("overlapping_heats", overlapped)
    session.note("heats_released_at_once", gate.released)
    session.note("race_of_one_in_five_missed_with_probability", float(f"{missed_with(overlapped):.2g}"))
    if overlapped < wanted:
        raise SetupRefused(f"precondition: the requests of only {overlapped} of {heats} heats were under way at once")
    return heats


@contextmanager
def _senders(session: Session, count: int) -> Iterator[tuple[list[grpc.Channel], Gate]]:
    """Open a connection for each sender, to the replicas in turns, through a gate where requests aren't encrypted."""
    running, gate = session.running, Gate()
    replicas = [running.address, *(one.address for one in running.replicas)]
    targets = list(islice(cycle(replicas), count))
    with ExitStack() as stack:
        if any(one.secure for one in targets):
            channels, gate = [open_channel(one) for one in targets], Gate(is_open=True)
        else:
            ways = stack.enter_context(detours(targets, gate))
            channels = [open_channel(way, _authority(one)) for way, one in zip(ways, targets, strict=True)]
        for channel in channels:
            stack.callback(channel.close)
        yield channels, gate


def _authority(target: Address) -> str:
    return "localhost" if target.name.startswith("unix:") else target.name


def _open(session: Session, channels: Sequence[grpc.Channel]) -> None:
    """Make a call over each connection, so that no heat waits for one to open."""
    request = session.by_id("agent.get", "agt-nothing")
    session.together(
        [Call(f"open.{n}", "agent.get", request, channel=channel) for n, channel in enumerate(channels)],
        at_a_time=len(channels),
    )


def _overlap(exchanges: Sequence[Exchange]) -> bool:
    """Say whether two were under way at once; of one that is against all others (its label says so), it and another."""
    against = [one for one in exchanges if not one.label.rpartition(".")[2].isdecimal()]
    return any(_meet(one, other) for one in against or exchanges for other in exchanges if one is not other)


def _meet(one: Exchange, other: Exchange) -> bool:
    return one.at_ms < other.at_ms + other.elapsed_ms and other.at_ms < one.at_ms + one.elapsed_ms


def heats_of(evidence: Evidence) -> Iterator[tuple[int, list[Exchange]]]:
    """Yield the number of each heat and what was raced in it."""
    by_heat: dict[int, list[Exchange]] = {}
    for row in evidence.under("heat."):
        by_heat.setdefault(int(row.label.split(".")[1]), []).append(row)
    yield from by_heat.items()


def deletes_beside(deletes: Sequence[Call], rivals: Sequence[Call]) -> list[Call]:
    """Return a heat in which deletes of one thing are neither the first nor, of two rivals or more, the last."""
    return [*rivals[:1], *deletes, *rivals[1:]]


def two_deletes(number: int, method: str, request: Proto, role: str | None) -> list[Call]:
    """Return two deletes of one thing, for a heat: `heat.NUMBER.delete` and `heat.NUMBER.again`."""
    return [Call(f"heat.{number}.{name}", method, request, role) for name in ("delete", "again")]


def deletes_of(heat: Sequence[Exchange]) -> list[Exchange]:
    """Return the deletes of a heat."""
    return [row for row in heat if row.step.endswith(".delete")]


def is_deleted(heat: Sequence[Exchange]) -> bool:
    """Say whether one of the deletes of a heat succeeded."""
    return any(row.ok for row in deletes_of(heat))


def statuses_beside_delete(heat: Sequence[Exchange]) -> list[Problem]:
    """Return what is wrong with the statuses of such a heat."""
    found: list[Problem] = []
    for row in heat:
        # Who comes after the delete has lost his permission with the policies; an operator keeps his.
        late = ("NOT_FOUND",) if row in deletes_of(heat) else ("NOT_FOUND", "PERMISSION_DENIED")
        found += answered(row, "OK", "ABORTED", *(late if is_deleted(heat) else ()))
    return found


def deleted_once(evidence: Evidence) -> list[Problem]:
    """Of the deletes of each heat one succeeds, and the others find nothing; one may be told to come again."""
    found: list[Problem] = []
    for number, heat in heats_of(evidence):
        codes = sorted(row.code for row in deletes_of(heat) if row.code != "ABORTED")
        wanted = ["NOT_FOUND"] * (len(codes) - 1) + ["OK"] if codes else []
        found += equal(f"statuses of the deletes of heat {number}", deletes_of(heat)[0], wanted, codes)
    return found
