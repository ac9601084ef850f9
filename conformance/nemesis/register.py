"""One resource as a register: which states its calls allow, and whether one order of them explains every answer.

A slug holds nothing, or one resource: its id and its value. Each call takes effect at one moment between its invocation
and its answer (linearizability: Herlihy and Wing, 1990). A call of which nobody knows how it ended may take effect at
any later moment, or never.

The search goes through the history once and keeps every configuration that is still possible: a state, and the open
calls that have taken effect. Where a call has returned and no configuration is left in which it took effect, no order
explains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from conformance.nemesis.history import Call

State = tuple[str, str] | None
"""A slug's resource: its id (empty: the server's, not seen yet) and its value; None where there is none."""
WRITES = frozenset({"create", "update", "delete"})
PERMISSIONS = frozenset({"grant", "revoke"})
_OF_PERMISSIONS = PERMISSIONS | {"may"}
MEANT = frozenset({"ALREADY_EXISTS", "NOT_FOUND", "PERMISSION_DENIED"})
"""Refusals that say something of the state; others say only that nothing was done."""
CONFIGURATIONS_MAX = 60_000

_Configuration = tuple[State, frozenset[int]]


class Undecided(Exception):
    """There are too many orders to try."""


def possible(state: State, call: Call) -> tuple[State, ...]:
    """Return the states that may follow where a call takes effect in a state; none where it can't."""
    return _RULES[call.f](state, call)


def _create(state: State, call: Call) -> tuple[State, ...]:
    if call.outcome == "fail":
        return (state,) if state is not None else ()
    if call.ok and not _is_its_own(call):
        return ()
    made = call.answer if call.ok else call.sent
    return ((made["id"], made["value"]),) if state is None else ()


def _is_its_own(call: Call) -> bool:
    """Whether a write was answered with what it wrote."""
    return bool(call.answer["value"] == call.sent["value"]) and call.sent["id"] in {"", call.answer["id"]}


def _is_hit(state: State, call: Call) -> bool:
    """Whether a call speaks of the resource that is there: by its id, or by the slug alone."""
    return state is not None and call.sent.get("id", "") in {"", state[0]}


def _shown(state: State, call: Call) -> bool:
    """Whether the resource that was answered can be the one that is there."""
    return _is_hit(state, call) and state is not None and state[0] in {"", call.answer["id"]}


def _update(state: State, call: Call) -> tuple[State, ...]:
    if call.outcome == "fail":
        return () if _is_hit(state, call) else (state,)
    if call.ok:
        return ((call.answer["id"], call.answer["value"]),) if _shown(state, call) and _is_its_own(call) else ()
    return ((state[0], call.sent["value"]),) if state is not None and _is_hit(state, call) else ()


def _delete(state: State, call: Call) -> tuple[State, ...]:
    if call.outcome == "fail":
        return () if _is_hit(state, call) else (state,)
    if call.ok:
        return (None,) if _shown(state, call) and state is not None and state[1] == call.answer["value"] else ()
    return (None,) if _is_hit(state, call) else ()


def _read(state: State, call: Call) -> tuple[State, ...]:
    if call.answer is None:
        return () if _is_hit(state, call) else (state,)
    found = (call.answer["id"], call.answer["value"])
    return (found,) if _shown(state, call) and state is not None and state[1] == found[1] else ()


def _grant(state: State, call: Call) -> tuple[State, ...]:
    if call.outcome == "fail":
        return (state,) if state is not None else ()
    return (("", "held"),)


def _revoke(state: State, call: Call) -> tuple[State, ...]:
    if call.outcome == "fail":
        return () if state is not None else (state,)
    return (None,)


_RULES: Mapping[str, Callable[[State, Call], tuple[State, ...]]] = {
    "create": _create,
    "update": _update,
    "delete": _delete,
    "read": _read,
    "find": _read,
    "list": _read,
    "grant": _grant,
    "revoke": _revoke,
    "may": _read,
}


def telling(calls: Sequence[Call]) -> list[Call]:
    """Leave out the calls that say nothing of a register, which makes the search short and changes no answer.

    Such are reads without an answer, refusals that say only that nothing was done, and updates of which nobody knows
    how they ended and whose value nobody ever saw: where one took effect unseen, the others fit as well without it.
    """
    calls = [call for call in calls if call.f in _RULES]
    values = {call.answer["value"] for call in calls if call.ok and call.answer is not None}
    return [call for call in calls if _tells(call, values)]


def _tells(call: Call, values: set[str]) -> bool:
    if call.outcome == "fail":
        return call.error in MEANT
    if call.unknown:
        return call.f in {"create", "delete", *PERMISSIONS} or (call.f == "update" and call.sent["value"] in values)
    return True


def first_unexplained(calls: Sequence[Call], configurations_max: int = CONFIGURATIONS_MAX) -> Call | None:
    """Return the first call of a register that no order explains, None where one order explains all.

    Raises:
        Undecided: more than `configurations_max` configurations are possible at once.
    """
    calls = telling(calls)
    configurations: set[_Configuration] = {(None, frozenset())}
    open_ones = set[int]()
    for _, returns, number in sorted(_moments(calls)):
        if not returns:
            open_ones.add(number)
            continue
        configurations = _with_effect(configurations, number, calls, open_ones, configurations_max)
        if not configurations:
            return calls[number]
        open_ones.discard(number)
    return None


def _moments(calls: Sequence[Call]) -> Iterator[tuple[int, bool, int]]:
    """Yield when, whether a call returns (else it is invoked), and which."""
    for number, call in enumerate(calls):
        yield call.invoked, False, number
        if not call.unknown:
            yield call.returned, True, number


def _with_effect(
    configurations: set[_Configuration], wanted: int, calls: Sequence[Call], open_ones: set[int], most: int
) -> set[_Configuration]:
    """Let open calls take effect, in every order, until the wanted one has."""
    found, known = set[_Configuration](), set(configurations)
    waiting = list(configurations)
    while waiting:
        state, done = waiting.pop()
        if wanted in done:
            found.add((state, done - {wanted}))
            continue
        for number in open_ones - done:
            for following in possible(state, calls[number]):
                one = (following, done | {number})
                if one not in known:
                    known.add(one)
                    waiting.append(one)
        if len(known) > most:
            raise Undecided(f"more than {most} orders are possible at once")
    return found


def with_lists(calls: Sequence[Call]) -> dict[str, list[Call]]:
    """Return the calls by key, each list as a read of every key: that it was seen, or wasn't.

    A list says nothing of keys that nobody had used yet when it ended.
    """
    keys: dict[str, list[Call]] = {}
    for call in calls:
        if call.key:
            keys.setdefault(call.key, []).append(call)
    lists = [call for call in calls if call.f == "list" and call.ok]
    first_use = {key: rows[0].invoked for key, rows in keys.items() if rows[0].f not in _OF_PERMISSIONS}
    for one in lists:
        shown: dict[str, list[dict[str, str]]] = {}
        for row in one.answer:
            shown.setdefault(row["key"], []).append(row)
        for key in first_use.keys() | shown.keys():
            if key not in shown and first_use[key] > one.returned:
                continue
            reads = shown.get(key, [None])
            keys.setdefault(key, []).extend(replace(one, key=key, sent={}, answer=row) for row in reads)
    return {key: sorted(rows, key=lambda call: call.invoked) for key, rows in keys.items()}
