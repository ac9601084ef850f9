"""One register: what orders of calls explain, and what they don't."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.nemesis.history import Call
from conformance.nemesis.register import Undecided, first_unexplained, possible, telling, with_lists

K = "k"


def call(f: str, at: int, to: int, *, of: str = "", value: str = "", ok: Any = "OK", error: str = "") -> Call:
    """A call of one key: `ok` is the answer (OK: what was sent), `error` a refusal, or `?` for an unknown end."""
    sent = {"id": of, "value": value} if f in {"create", "update"} else {"id": of}
    answer = ok if ok != "OK" else {"id": of or "s1", "value": value}
    if error:
        return Call(0, f, K, sent, "info" if error == "?" else "fail", None, error, at, to)
    return Call(0, f, K, sent, "ok", answer, "", at, to)


def row(value: str, of: str = "s1") -> dict[str, str]:
    return {"id": of, "value": value}


EXPLAINED: dict[str, list[Call]] = {
    "a life": [
        call("create", 0, 1, value="a"),
        call("read", 2, 3, of="s1", ok=row("a")),
        call("update", 4, 5, of="s1", value="b"),
        call("delete", 6, 7, of="s1", ok=row("b")),
        call("find", 8, 9, ok=None),
    ],
    "a read during an update shows either": [
        call("create", 0, 1, value="a"),
        call("update", 2, 9, value="b"),
        call("find", 3, 4, ok=row("b")),
        call("find", 10, 11, ok=row("b")),
    ],
    "an unknown create that happened late": [
        call("create", 0, 1, value="a", error="?"),
        call("find", 2, 3, ok=None),
        call("find", 8, 9, ok=row("a", "s7")),
        call("read", 10, 11, of="s7", ok=row("a", "s7")),
    ],
    "an unknown create that never happened": [
        call("create", 0, 1, value="a", error="?"),
        call("create", 2, 3, value="b"),
        call("find", 8, 9, ok=row("b")),
    ],
    "an unknown delete that happened": [
        call("create", 0, 1, value="a"),
        call("delete", 2, 3, of="s1", error="?"),
        call("create", 8, 9, value="b", ok=row("b", "s2")),
        call("read", 10, 11, of="s1", ok=None),
    ],
    "a refused create beside an unknown one": [
        call("create", 0, 1, value="a", error="?"),
        call("create", 2, 3, value="b", error="ALREADY_EXISTS"),
        call("find", 4, 5, ok=row("a")),
    ],
}


UNEXPLAINED: dict[str, list[Call]] = {
    "a write is lost": [call("create", 0, 1, value="a"), call("find", 2, 3, ok=None)],
    "a read is old": [
        call("create", 0, 1, value="a"),
        call("update", 2, 3, value="b"),
        call("find", 4, 5, ok=row("a")),
    ],
    "a delete is undone": [
        call("create", 0, 1, value="a"),
        call("delete", 2, 3, of="s1", ok=row("a")),
        call("find", 4, 5, ok=row("a")),
    ],
    "two creates of one slug": [call("create", 0, 5, value="a"), call("create", 1, 6, value="b", ok=row("b", "s2"))],
    "a refusal took effect": [
        call("create", 0, 1, value="a"),
        call("update", 2, 3, of="s1", value="b", error="NOT_FOUND"),
    ],
    "a value that nobody wrote": [call("create", 0, 1, value="a"), call("find", 2, 3, ok=row("x"))],
    "a refused write is read": [
        call("create", 0, 1, value="a"),
        call("update", 2, 3, value="b", error="ABORTED"),
        call("find", 4, 5, ok=row("b")),
    ],
    "new, then old, in one unknown write": [
        call("create", 0, 1, value="a"),
        call("update", 2, 3, value="b", error="?"),
        call("find", 4, 5, ok=row("b")),
        call("find", 6, 7, ok=row("a")),
    ],
    "the answer of another's call": [call("create", 0, 1, value="a"), call("update", 2, 3, value="b", ok=row("a"))],
}


@pytest.mark.parametrize("name", EXPLAINED)
def test_an_order_explains(name: str) -> None:
    assert first_unexplained(EXPLAINED[name]) is None


@pytest.mark.parametrize("name", UNEXPLAINED)
def test_no_order_explains(name: str) -> None:
    assert first_unexplained(UNEXPLAINED[name]) is not None


def explained_by_trying(calls: Sequence[Call]) -> bool:
    """Try every order of every choice of unknown calls: slow, and plainly what the words say."""
    known = [
        one
        for one in calls
        if not one.unknown and (one.outcome != "fail" or one.error in {"NOT_FOUND", "ALREADY_EXISTS"})
    ]
    maybe = [one for one in calls if one.unknown and one.f in {"create", "update", "delete"}]
    for count in range(len(maybe) + 1):
        for chosen in itertools.combinations(maybe, count):
            if any(_fits(order) for order in itertools.permutations([*known, *chosen])):
                return True
    return False


def _fits(order: Sequence[Call]) -> bool:
    for earlier, later in itertools.combinations(order, 2):
        if later.effect_until < earlier.invoked:
            return False
    states: set[Any] = {None}
    for one in order:
        states = {following for state in states for following in possible(state, one)}
    return bool(states)


@st.composite
def histories(draw: st.DrawFn) -> list[Call]:
    """A few calls whose times and answers are anything."""
    calls = []
    for number in range(draw(st.integers(2, 5))):
        at = draw(st.integers(0, 12))
        to = at + draw(st.integers(1, 6))
        f = draw(st.sampled_from(["create", "update", "delete", "read", "find"]))
        value = f"v{number}"
        shown = row(draw(st.sampled_from(["v0", "v1", "v2"])), draw(st.sampled_from(["s1", "s2"])))
        given_id = draw(st.sampled_from(["", "s1"])) if f in {"create", "update"} else "" if f == "find" else "s1"
        ending = draw(st.sampled_from(["ok", "ok", "ok", "refused", "?"]))
        if f in {"read", "find"}:
            answer = None if ending == "refused" else shown
            calls.append(call(f, at, to, of=given_id, ok=answer) if ending != "?" else call(f, at, to, error="?"))
            continue
        refusal = "ALREADY_EXISTS" if f == "create" else "NOT_FOUND"
        error = {"ok": "", "refused": refusal, "?": "?"}[ending]
        answer = shown if f == "delete" else {"id": given_id or shown["id"], "value": value}
        calls.append(call(f, at, to, of=given_id, value=value, ok=answer, error=error))
    return calls


@settings(max_examples=150, deadline=None)
@given(histories())
def test_the_search_says_what_trying_every_order_says(calls: list[Call]) -> None:
    assert (first_unexplained(calls) is None) == explained_by_trying(calls)


@settings(max_examples=60, deadline=None)
@given(histories())
def test_what_is_left_out_changes_no_answer(calls: list[Call]) -> None:
    assert explained_by_trying(telling(calls)) == explained_by_trying(calls)


def test_too_many_orders_are_no_verdict() -> None:
    creates = [call("create", 0, 1, of=f"s{n}", value=f"v{n}", error="?") for n in range(14)]
    deletes = [call("delete", 0, 1, of=f"s{n}", error="?") for n in range(14)]
    with pytest.raises(Undecided):
        first_unexplained([*creates, *deletes, call("find", 2, 3, ok=row("none"))], 50)


def test_a_list_is_a_read_of_each_key() -> None:
    rows = [{"key": K, **row("a")}]
    listed = Call(1, "list", "", {}, "ok", rows, "", 4, 5)
    assert first_unexplained(with_lists([call("create", 0, 1, value="a"), listed])[K]) is None
    empty = Call(1, "list", "", {}, "ok", [], "", 4, 5)
    assert first_unexplained(with_lists([call("create", 0, 1, value="a"), empty])[K]) is not None
    early = Call(1, "list", "", {}, "ok", [], "", -3, -2)
    assert first_unexplained(with_lists([call("create", 0, 1, value="a"), early])[K]) is None
