"""The judge of histories: what each rule catches in a whole run, and what it says where a run shows nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from conformance.nemesis.history import NEVER, HistoryUnreadable, history_of, read_history
from conformance.nemesis.judge import NemesisReport, judge
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE, EXIT_NOT_CONFORMANT, Verdict

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
