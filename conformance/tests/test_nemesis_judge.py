"""The judge of histories: what orders explain, what they don't, and what it says where a run shows nothing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.nemesis.history import NEVER, Call, HistoryUnreadable, history_of, read_history
from conformance.nemesis.judge import NemesisReport, judge
from conformance.nemesis.register import Undecided, first_unexplained, possible, telling, with_lists
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE, EXIT_NOT_CONFORMANT, Verdict

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


# whole runs

RUN = {"format": 1, "faults": ["close"], "events": True, "target": "t", "profile": "cloud", "seed": 0}
TIGHT = 30


class Lines:
    """Lines of a history, written as a run writes them, with a time that only grows."""

    def __init__(self, **run: Any) -> None:
        self.now = 0
        self.rows: list[dict[str, Any]] = []
        self.note("run", {**RUN, **run})
        self.note("close", {"phase": "start"})
        for n in range(TIGHT):
            self.both("create", f"busy-{n}", {"id": f"b{n}", "value": f"b{n}"})
            self.event(f"busy-{n}", f"b{n}", "created", f"b{n}")
            self.open(7, "update", f"busy-{n}", {"id": f"b{n}", "value": f"u{n}"})
            self.both("find", f"busy-{n}", {}, {"id": f"b{n}", "value": f"b{n}"})
            self.end(7, "update", f"busy-{n}", {"id": f"b{n}", "value": f"u{n}"})
            self.event(f"busy-{n}", f"b{n}", "updated", f"u{n}")
        self.both("update", "busy-0", {"id": "b0", "value": "never"}, outcome="info")
        self.note("close", {"phase": "stop", "closed at once": 1})

    def line(self, kind: str, process: Any, f: str, key: str = "", value: Any = None, error: str = "") -> None:
        self.now += 1
        row = {"type": kind, "process": process, "time": self.now, "f": f, "key": key, "value": value}
        self.rows.append(row | ({"error": error} if error else {}))

    def note(self, f: str, value: Any) -> None:
        self.line("info", "nemesis", f, value=value)

    def open(self, process: int, f: str, key: str, sent: Any) -> None:
        self.line("invoke", process, f, key, sent)

    def end(self, process: int, f: str, key: str, answer: Any, outcome: str = "ok", error: str = "") -> None:
        self.line(outcome, process, f, key, answer, error)

    def both(self, f: str, key: str, sent: Any, answer: Any = "sent", outcome: str = "ok", error: str = "") -> None:
        self.open(1, f, key, sent)
        self.end(1, f, key, (sent if answer == "sent" else answer) if outcome == "ok" else None, outcome, error)

    def event(
        self,
        key: str,
        subject: str,
        change: str,
        value: str,
        *,
        watches: Sequence[str] = ("live", "replay"),
        **more: Any,
    ) -> None:
        position = more.get("position", len(self.rows))
        told = {"position": position, "id": more.get("id", f"e{position}"), "change": change, "subject": subject}
        for watch in watches:
            self.line("info", watch, "event", key, {**told, "value": value})

    def judged(self, **ending: Any) -> NemesisReport:
        self.note("end", {"complete": True, **ending})
        return judge(history_of(self.rows))


def failing(lines: Lines) -> set[str]:
    return set(lines.judged().failing())


def test_a_right_run_is_right() -> None:
    report = Lines().judged()
    assert {row.id: row.problems for row in report.rows if row.verdict is not Verdict.PASS} == {}
    assert report.exit_code == EXIT_CONFORMANT


def test_a_lost_write() -> None:
    lines = Lines()
    lines.both("find", "busy-3", {}, None)
    assert failing(lines) == {"NEM-LINEAR", "NEM-LOST"}


def test_a_read_of_an_id_that_a_slug_had_before_is_no_loss() -> None:
    lines = Lines()
    lines.both("delete", "busy-3", {"id": "b3"}, {"id": "b3", "value": "u3"})
    lines.event("busy-3", "b3", "deleted", "u3")
    lines.both("create", "busy-3", {"id": "", "value": "z"}, {"id": "b9", "value": "z"})
    lines.event("busy-3", "b9", "created", "z")
    lines.both("read", "busy-3", {"id": "b3"}, None)
    assert failing(lines) == set()
    lines.both("read", "busy-3", {"id": "b9"}, None)
    assert failing(lines) == {"NEM-LINEAR", "NEM-LOST"}


def test_a_lost_update() -> None:
    lines = Lines()
    lines.both("find", "busy-3", {}, {"id": "b3", "value": "b3"})
    assert failing(lines) == {"NEM-LINEAR", "NEM-LOST"}


def test_an_old_read_that_is_right_again_later_is_no_loss() -> None:
    lines = Lines()
    lines.both("find", "busy-3", {}, {"id": "b3", "value": "b3"})
    lines.both("update", "busy-3", {"id": "b3", "value": "z"})
    lines.event("busy-3", "b3", "updated", "z")
    lines.both("find", "busy-3", {}, {"id": "b3", "value": "z"})
    assert failing(lines) == {"NEM-LINEAR"}


def test_a_delete_that_comes_back() -> None:
    lines = Lines()
    lines.both("delete", "busy-3", {"id": "b3"}, {"id": "b3", "value": "u3"})
    lines.event("busy-3", "b3", "deleted", "u3")
    lines.both("find", "busy-3", {}, {"id": "b3", "value": "u3"})
    assert failing(lines) == {"NEM-LINEAR", "NEM-DELETE"}


def test_a_slug_given_twice() -> None:
    lines = Lines()
    lines.both("create", "busy-3", {"id": "", "value": "z"}, {"id": "other", "value": "z"})
    lines.event("busy-3", "other", "created", "z")
    assert failing(lines) == {"NEM-LINEAR", "NEM-SLUG"}


def test_half_an_agent() -> None:
    lines = Lines()
    lines.both("whole", "busy-3", {}, {"id": "b3", "missing": ["its default instance"]})
    assert failing(lines) == {"NEM-WHOLE"}


def test_an_instance_without_its_agent() -> None:
    lines = Lines()
    lines.both("instances", "", None, [{"id": "ain-1", "agent": "nobody"}])
    assert failing(lines) == {"NEM-WHOLE"}


def test_a_change_that_nobody_announces() -> None:
    lines = Lines()
    lines.both("create", "quiet", {"id": "q", "value": "q"})
    assert failing(lines) == {"NEM-EVENT-LOST"}


def test_a_watch_that_goes_past_an_event() -> None:
    lines = Lines()
    lines.both("create", "x", {"id": "x", "value": "x"})
    lines.both("create", "y", {"id": "y", "value": "y"})
    lines.event("x", "x", "created", "x", position=9001, watches=("replay",))
    lines.event("y", "y", "created", "y", position=9002)
    assert failing(lines) == {"NEM-EVENT-LOST"}


def test_events_told_twice() -> None:
    lines = Lines()
    lines.event("busy-3", "b3", "updated", "u3", position=9001)
    assert failing(lines) == {"NEM-EVENT-TWICE"}
    lines = Lines()
    lines.event("", "ain-1", "created", "", position=9001)
    lines.event("", "ain-1", "created", "", position=9001, watches=("live",))
    assert failing(lines) == {"NEM-EVENT-TWICE"}


def test_events_out_of_order() -> None:
    lines = Lines()
    lines.both("create", "x", {"id": "x", "value": "x"})
    lines.both("update", "x", {"id": "x", "value": "y"})
    lines.event("x", "x", "updated", "y")
    lines.event("x", "x", "created", "x")
    assert failing(lines) == {"NEM-EVENT-ORDER"}


def test_events_of_what_was_refused() -> None:
    lines = Lines()
    lines.both("update", "busy-3", {"id": "b3", "value": "no"}, outcome="fail", error="ABORTED")
    lines.event("busy-3", "b3", "updated", "no")
    assert failing(lines) == {"NEM-EVENT-TRUE"}


def test_an_event_makes_an_unknown_write_a_known_one() -> None:
    lines = Lines()
    lines.both("update", "busy-3", {"id": "b3", "value": "w"}, outcome="info")
    lines.event("busy-3", "b3", "updated", "w")
    lines.both("find", "busy-3", {}, {"id": "b3", "value": "u3"})
    assert failing(lines) == {"NEM-LINEAR", "NEM-LOST"}


def test_a_target_that_stays_dead() -> None:
    report = Lines().judged(dead="the command ended with code 1")
    assert report.failing() == ("NEM-RECOVER",)
    assert report.exit_code == EXIT_NOT_CONFORMANT


@pytest.mark.parametrize("faults", [["close", "kill"], ["kill"]])
def test_a_fault_that_never_struck_shows_nothing(faults: list[str]) -> None:
    report = Lines(faults=faults).judged()
    assert report.of("NEM-FAULTS").verdict is Verdict.UNTESTABLE
    assert "kill struck 0 times" in report.of("NEM-FAULTS").reason
    assert report.exit_code == EXIT_NOT_CONFORMANT


def test_a_run_that_was_cut_is_incomplete() -> None:
    lines = Lines()
    report = judge(history_of(lines.rows))
    assert report.exit_code == EXIT_INCOMPLETE


def test_calls_that_never_met_show_nothing() -> None:
    lines = Lines()
    alone = [line for line in lines.rows if line["process"] != 7]
    lines.rows = alone
    report = lines.judged()
    assert "overlapped" in report.of("NEM-FAULTS").reason


def test_a_history_is_read_or_refused(tmp_path: Path) -> None:
    lines = Lines()
    lines.note("end", {"complete": True})
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines.rows))
    assert judge(read_history(tmp_path)).exit_code == EXIT_CONFORMANT
    path.write_bytes(path.read_bytes()[:-10])
    assert judge(read_history(path)).exit_code == EXIT_INCOMPLETE
    for content in (b"[]\n", b"{}\n", b'{"a"\n{}\n', orjson.dumps({**lines.rows[0], "value": {"format": 9}}) + b"\n"):
        path.write_bytes(content)
        with pytest.raises(HistoryUnreadable):
            read_history(path)
    with pytest.raises(HistoryUnreadable):
        read_history(tmp_path / "nothing")


def test_an_invocation_without_an_end_may_have_happened() -> None:
    lines = Lines()
    lines.open(3, "update", "busy-3", {"id": "b3", "value": "w"})
    last = history_of(lines.rows).calls[-1]
    assert last.unknown
    assert last.effect_until == NEVER
