"""Races that are decided, not met by luck: many rounds over fresh things, each sender on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import grpc

from conformance.evidence import Evidence, Exchange
from conformance.session import Session, SetupRefused
from conformance.target_client import Call

ROUNDS_MIN = 31
"""A race of one in five rounds is missed with a probability under 1 in 1,000: 0.8 ** 31."""
ROUNDS = 48
"""And under 1 in 40,000 in a run of ordinary size."""
RACERS, RACERS_QUICK = 6, 3
TRIES_MAX = 3


def racers(session: Session) -> int:
    """Return how many race in a round."""
    return RACERS if session.context.scale == 1 else RACERS_QUICK


def race(session: Session, calls_of_round: Callable[[int], Sequence[Call]]) -> int:
    """Race round after round until enough of them really overlapped; return how many rounds there were.

    `calls_of_round` makes what is to be released together, with labels that begin `round.NUMBER.`. All of a round are
    sent before any is waited for, each over a connection of its own that is open already.

    Raises:
        SetupRefused: too few rounds overlapped: nothing can be said about races.
    """
    wanted = max(ROUNDS_MIN, session.size(ROUNDS))
    channels = [session.running.channel() for _ in range(RACERS + 1)]
    _open(session, channels)
    overlapped = rounds = 0
    while overlapped < wanted and rounds < TRIES_MAX * wanted:
        calls = [replace(call, channel=one) for call, one in zip(calls_of_round(rounds), channels, strict=False)]
        answers = session.together(calls, at_a_time=len(calls))
        overlapped += _overlap([answer.exchange for answer in answers])
        rounds += 1
    session.note("overlapping_rounds", overlapped)
    if overlapped < ROUNDS_MIN:
        raise SetupRefused(f"precondition: the requests of only {overlapped} of {rounds} rounds were under way at once")
    return rounds


def _open(session: Session, channels: Sequence[grpc.Channel]) -> None:
    """Make a call over each connection, so that no round waits for one to open."""
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


def rounds_of(evidence: Evidence) -> Iterator[tuple[int, list[Exchange]]]:
    """Yield the number of each round and what was raced in it."""
    by_round: dict[int, list[Exchange]] = {}
    for row in evidence.under("round."):
        by_round.setdefault(int(row.label.split(".")[1]), []).append(row)
    yield from by_round.items()
