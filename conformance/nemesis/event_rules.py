"""What the event channel must have told of a history: every change, once, in its order, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from conformance.nemesis.history import LIVE, REPLAY, Call, History, Seen
from conformance.nemesis.lasting import told
from conformance.nemesis.register import WRITES

_CHANGES = {"create": "created", "update": "updated", "delete": "deleted"}
_MAY_FOLLOW = {"created": {"", "deleted"}, "updated": {"created", "updated"}, "deleted": {"created", "updated"}}
"""What may be announced of one resource after what; empty: nothing yet."""


def watched(history: History, watch: str) -> list[Seen]:
    """Return what one watch was told."""
    return [event for event in history.seen if event.watch == watch]


def written(history: History) -> dict[tuple[str, str, str], Call]:
    """Return creates and updates by what identifies their event: resource's slug, change and value."""
    calls = (call for call in history.calls if call.f in {"create", "update"})
    return {(call.key, _CHANGES[call.f], call.sent["value"]): call for call in calls}


def of(event: Seen) -> tuple[str, str, str]:
    """Return what identifies a created or updated event."""
    return event.key, event.change, event.value


def lost(history: History) -> Iterator[str]:
    """Yield acknowledged changes without an event, and events that the watch under the faults wasn't told."""
    again, live = watched(history, REPLAY), watched(history, LIVE)
    there = {of(event) for event in again}
    for identity, call in written(history).items():
        if call.ok and identity not in there:
            yield f"no event announces {told(call)}"
    events, acknowledged = _deletions(again), Counter(call.key for call in _deletes(history) if call.ok)
    for key, count in acknowledged.items():
        if events[key] < count:
            yield f"{key}: {count} deletes were acknowledged, {events[key]} were announced"
    seen = {event.position for event in live}
    last = max(seen, default=0)
    for event in again:
        if event.position <= last and event.position not in seen:
            yield f"a watch that resumed after each end went past position {event.position} ({_named(event)})"


def twice(history: History) -> Iterator[str]:
    """Yield changes that were announced twice, and positions that were told twice."""
    again = watched(history, REPLAY)
    for identity, count in Counter(of(event) for event in again if event.key).items():
        if count > 1 and identity[1] != "deleted":
            yield f"{identity[0]}: {identity[1]} {identity[2]} was announced {count} times"
    by_id: dict[str, int] = {}
    for event in again:
        if by_id.setdefault(event.id, event.position) != event.position:
            yield f"event {event.id} is at the positions {by_id[event.id]} and {event.position}"
    events, most = _deletions(again), Counter(call.key for call in _deletes(history))
    for key, count in events.items():
        if count > most[key]:
            yield f"{key}: {most[key]} deletes can have happened, {count} were announced"
    for watch in (LIVE, REPLAY):
        counts = Counter(event.position for event in watched(history, watch))
        for position, count in counts.items():
            if count > 1:
                yield f"the {watch} watch was told position {position} {count} times"


def disordered(history: History) -> Iterator[str]:
    """Yield what was told out of order: positions that don't grow, and changes of one resource."""
    for watch in (LIVE, REPLAY):
        for before, after in pairwise(watched(history, watch)):
            if after.position < before.position:
                yield f"the {watch} watch was told position {after.position} after {before.position}"
    places = {event.position: event for event in watched(history, LIVE)}
    for event in watched(history, REPLAY):
        other = places.get(event.position)
        if other is not None and other.id != event.id:
            yield f"position {event.position} was {_named(other)} ({other.id}) and is now {_named(event)} ({event.id})"
    for key, events in _by_key(watched(history, REPLAY)).items():
        yield from _broken_life(key, events)
        yield from _against_time(events, written(history))


def untrue(history: History) -> Iterator[str]:
    """Yield events of what was refused, or of what nobody wrote."""
    calls, keys = written(history), {call.key for call in history.calls if call.key}
    for event in watched(history, REPLAY):
        if event.key not in keys or event.change == "deleted":
            continue
        call = calls.get(of(event))
        if call is None:
            yield f"{_named(event)} was announced, and nobody wrote it"
        elif call.outcome == "fail":
            yield f"{_named(event)} was announced, and was refused: {told(call)}"


def _broken_life(key: str, events: Sequence[Seen]) -> Iterator[str]:
    lives: dict[str, str] = {}
    for event in events:
        before = lives.get(event.subject, "")
        if event.change in _MAY_FOLLOW and before not in _MAY_FOLLOW[event.change]:
            yield f"{key}: {event.change} {event.value} was announced after {before or 'nothing'}"
        lives[event.subject] = event.change


def _against_time(events: Sequence[Seen], calls: dict[tuple[str, str, str], Call]) -> Iterator[str]:
    """Yield writes of one resource that were announced in the reverse of the order in which they were made."""
    latest: Call | None = None
    for event in events:
        call = calls.get(of(event))
        if call is None:
            continue
        if latest is not None and call.effect_until < latest.invoked:
            yield f"announced after what came later ({told(latest)}): {told(call)}"
        if latest is None or call.invoked > latest.invoked:
            latest = call


def _by_key(events: Sequence[Seen]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    for event in events:
        if event.key:
            found.setdefault(event.key, []).append(event)
    return found


def _deletes(history: History) -> list[Call]:
    return [call for call in history.calls if call.f == "delete" and call.outcome != "fail"]


def _deletions(events: Sequence[Seen]) -> Counter[str]:
    return Counter(event.key for event in events if event.change == "deleted" and event.key)


def _named(event: Seen) -> str:
    return f"{event.change} {event.value} of {event.key or event.subject}"


def with_announced(history: History) -> list[Call]:
    """Return the calls; one whose end nobody knew happened before its event was told, where there is one."""
    first: dict[tuple[str, str, str], Seen] = {}
    for event in history.seen:
        if event.key and of(event) not in first:
            first[of(event)] = event
    return [_announced(call, first) if call.unknown and call.f in WRITES else call for call in history.calls]


def _announced(call: Call, first: dict[tuple[str, str, str], Seen]) -> Call:
    event = first.get((call.key, _CHANGES[call.f], call.sent.get("value", "")))
    if event is None:
        return call
    answer = {"id": event.subject, "value": event.value}
    return Call(
        call.process, call.f, call.key, call.sent, "ok", answer, "", call.invoked, max(event.time, call.invoked)
    )
