"""The known-failing file: an entry is held to its word, and an update keeps what people wrote."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.catalogue import catalogue
from conformance.cause import Cause, Diagnosis
from conformance.known_failing import (
    Known,
    KnownFailingInvalid,
    apply_known_failing,
    as_rows,
    from_rows,
    kind_of_failure,
    read_known_failing,
)
from conformance.known_failing_update import NO_REASON, UpdateRefused, update_known_failing
from conformance.verdict import EXIT_CONFORMANT, EXIT_NOT_CONFORMANT, Level, Problem, Report, Result, RunInfo, Verdict

TODAY = dt.date(2026, 6, 1)
ALL = tuple(row.id for row in catalogue().values() if not row.excluded)
RUN = RunInfo("r", "t", "oss", 0, "x", "y", {}, {}, ALL, "2026-06-01T00:00:00Z")


def result(name: str, verdict: Verdict, text: str = "create: wrong status") -> Result:
    problems = (Problem(text),) if verdict is Verdict.FAIL else ()
    return Result(name, Level.MUST, ("oss",), "create", "", "It must.", "s", "c", verdict, problems)


def report(*failing: str, text: str = "create: wrong status") -> Report:
    rows = (result(name, Verdict.FAIL if name in failing else Verdict.PASS, text) for name in ALL)
    return Report(RUN, tuple(rows))


def known(name: str = "SLUG-LENGTH", message: str = "create: wrong", expires: dt.date | None = None) -> Known:
    return Known(name, message, "it is so", expires=expires)


def test_a_known_failure_is_marked_and_does_not_decide() -> None:
    marked = apply_known_failing(report("SLUG-LENGTH"), [known()], TODAY)
    assert marked.of("SLUG-LENGTH").verdict is Verdict.KNOWN_FAILING
    assert marked.of("SLUG-LENGTH").reason == "it is so"
    assert marked.known_failing_errors == ()
    assert marked.exit_code == EXIT_CONFORMANT


def test_entries_come_back_from_evidence_as_they_were() -> None:
    entries = (known(), known("GET-FOUND", expires=TODAY))
    assert from_rows(as_rows(entries)) == entries
    with pytest.raises(ValueError, match="message"):
        from_rows([{"id": "SLUG-LENGTH"}])
    with pytest.raises(ValueError, match="expires"):
        from_rows([{**as_rows(entries)[0], "expires": "soon"}])


def test_another_failure_still_fails() -> None:
    marked = apply_known_failing(report("SLUG-LENGTH", "GET-FOUND"), [known()], TODAY)
    assert marked.failing() == ("GET-FOUND",)
    assert marked.exit_code == EXIT_NOT_CONFORMANT


@pytest.mark.parametrize(
    ("entry", "failing", "said"),
    [
        (known(), (), "passes now"),
        (known(message="something else"), ("SLUG-LENGTH",), "fails differently"),
        (known("NO-SUCH"), (), "no such requirement"),
        (known(expires=dt.date(2026, 5, 31)), ("SLUG-LENGTH",), "expired"),
    ],
)
def test_an_entry_that_is_not_true_is_an_error(entry: Known, failing: tuple[str, ...], said: str) -> None:
    marked = apply_known_failing(report(*failing), [entry], TODAY)
    assert len(marked.known_failing_errors) == 1
    assert said in marked.known_failing_errors[0]
    assert marked.exit_code == EXIT_NOT_CONFORMANT
    assert "1 of what was said to fail isn't true" in marked.conclusion


def test_an_entry_that_was_not_run_and_one_that_stands_twice_are_errors() -> None:
    whole = report("SLUG-LENGTH")
    partial = replace(whole, results=tuple(row for row in whole.results if row.id != "SLUG-LENGTH"))
    assert "was not run" in apply_known_failing(partial, [known()], TODAY).known_failing_errors[0]
    assert "stands twice" in apply_known_failing(whole, [known(), known()], TODAY).known_failing_errors[0]


@pytest.mark.parametrize(
    "text",
    [
        "[[known]]\nid = 'A'\nmessage = 'b'\n",
        "[[known]]\nid = 'A'\nmessage = ''\nreason = 'c'\n",
        "[[known]]\nid = 'A'\nmessage = 'b'\nreason = 'c'\nexpires = 'soon'\n",
        "[[known]]\nid = 'A'\nmessage = 'b'\nreason = 'c'\nwhy = 'd'\n",
        "[[known]]\nid = 'A'\nmessage = 'b'\ncause = 'd'\n",
        "[[cause]]\nname = 'd'\nreason = 'e'\n",
        "[[cause]]\nname = 'd'\nreason = 'e'\n[[known]]\nid = 'A'\nmessage = 'b'\ncause = 'd'\nreason = 'f'\n",
        "known = 3\n",
        "not toml",
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known.toml"
    path.write_text(text)
    with pytest.raises(KnownFailingInvalid, match=r"known\.toml"):
        read_known_failing(path)


FILE = """# What our server gets wrong.

# The column is too short.
[[known]]
id = "SLUG-LENGTH"
message = "create: wrong"
reason = "the column"

# Nobody knows.
[[known]]
id = "GET-FOUND"
message = "create: wrong"
reason = "a riddle"
"""


def test_an_update_keeps_comments_takes_out_what_passes_and_adds_what_fails(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(FILE)
    (added,) = update_known_failing(path, report("SLUG-LENGTH", "RPC-SIZE"), TODAY)
    assert added.failures == ("RPC-SIZE",)
    text = path.read_text()
    assert text.startswith(FILE[: FILE.index("\n# Nobody")])
    assert "GET-FOUND" not in text
    assert "Nobody knows" not in text
    assert [entry.id for entry in read_known_failing(path)] == ["SLUG-LENGTH", "RPC-SIZE"]
    marked = apply_known_failing(report("SLUG-LENGTH", "RPC-SIZE"), read_known_failing(path), TODAY)
    assert marked.exit_code == EXIT_CONFORMANT


def test_an_update_that_removes_the_first_entry_keeps_the_file_s_own_comment(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(FILE)
    update_known_failing(path, report("GET-FOUND"), TODAY)
    text = path.read_text()
    assert text.startswith("# What our server gets wrong.\n")
    assert "too short" not in text
    assert "Nobody knows" in text
    assert [entry.id for entry in read_known_failing(path)] == ["GET-FOUND"]


def test_an_update_asks_for_one_reason_for_each_cause(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    failing = report("SLUG-LENGTH", "SLUG-GIVEN", "GET-UNKNOWN", "RPC-SIZE")
    cause = Cause("slug-cut", "Slugs are cut.", "create", ("SLUG-LENGTH", "SLUG-GIVEN"))
    explained = replace(failing, diagnosis=Diagnosis((cause,), ("GET-UNKNOWN", "RPC-SIZE")))
    found = update_known_failing(path, explained, TODAY)
    assert [(one.name, one.failures) for one in found] == [
        ("slug-cut", ("SLUG-LENGTH", "SLUG-GIVEN")),
        ("wrong status", ("GET-UNKNOWN", "RPC-SIZE")),
    ]
    text = path.read_text()
    assert text.count(NO_REASON) == 2
    assert "# Slugs are cut.\n[[cause]]" in text
    path.write_text(text.replace(NO_REASON, "the column", 1))
    marked = apply_known_failing(explained, read_known_failing(path), TODAY)
    assert marked.of("SLUG-GIVEN").reason == "the column"
    assert marked.conclusion == "4 known failures, 0 new"
    assert update_known_failing(path, report("SLUG-GIVEN"), TODAY) == ()
    assert [(one.id, one.reason) for one in read_known_failing(path)] == [("SLUG-GIVEN", "the column")]
    assert 'wrong status"\nreason' not in path.read_text()


TRICKY = """'''
[[known]]
'''
"""


def test_an_update_takes_no_text_for_a_header(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(
        f'[[known]]\nid = "SLUG-LENGTH"\nmessage = "create: wrong"\nreason = {TRICKY}\n'
        '# see [[known]]\n[[ known ]]\nid = "GET-FOUND"\nmessage = "create: wrong"\nreason = "the text [[known]]"\n'
    )
    update_known_failing(path, report("SLUG-LENGTH"), TODAY)
    assert path.read_text() == f'[[known]]\nid = "SLUG-LENGTH"\nmessage = "create: wrong"\nreason = {TRICKY}'
    inline = 'known = [{id = "SLUG-LENGTH", message = "x", reason = "y"}]\n'
    path.write_text(inline)
    with pytest.raises(UpdateRefused, match=r"write each as a \[\[known\]\] table"):
        update_known_failing(path, report(), TODAY)
    assert path.read_text() == inline


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (Problem("race.1: wrong status", "ALREADY_EXISTS", "OK"), "race.*: wrong status, got OK"),
        (Problem("get: wrong status", "NOT_FOUND", "UNKNOWN: agent agt-1 x"), "get: wrong status, got UNKNOWN"),
        (Problem("create: metadata.slug is wrong", "a", "bcd"), "create: metadata.slug is wrong"),
    ],
)
def test_the_kind_of_a_failure_is_the_same_in_another_run(problem: Problem, kind: str) -> None:
    assert kind_of_failure(problem) == kind


def test_which_of_many_heats_shows_a_failure_is_chance() -> None:
    assert kind_of_failure(Problem("statuses of heat 3", "a", "b")) == "statuses of heat *"
    assert (
        kind_of_failure(Problem("heat.1.2: wrong status", "OK", "UNKNOWN: x")) == "heat.*.*: wrong status, got UNKNOWN"
    )


def test_which_of_many_calls_lost_a_race_is_chance_and_its_status_is_not() -> None:
    entry = known(message="race.0: wrong status, got OK")
    for number, status, verdict in ((3, "OK", Verdict.KNOWN_FAILING), (0, "UNKNOWN: x", Verdict.FAIL)):
        one = replace(
            result("SLUG-LENGTH", Verdict.FAIL), problems=(Problem(f"race.{number}: wrong status", "A", status),)
        )
        marked = apply_known_failing(Report(RUN, (one,)), [entry], TODAY)
        assert marked.of("SLUG-LENGTH").verdict is verdict


def test_what_fails_sometimes_may_pass(tmp_path: Path) -> None:
    entry = replace(known(), sometimes=True)
    assert apply_known_failing(report(), [entry], TODAY).known_failing_errors == ()
    assert apply_known_failing(report("SLUG-LENGTH"), [entry], TODAY).failing() == ()
    path = tmp_path / "known.toml"
    path.write_text('[[known]]\nid = "SLUG-LENGTH"\nmessage = "create"\nreason = "r"\nsometimes = true\n')
    before = path.read_text()
    assert update_known_failing(path, report(), TODAY) == ()
    assert path.read_text() == before


def test_an_update_from_a_filtered_or_broken_run_is_refused(tmp_path: Path) -> None:
    whole = report("SLUG-LENGTH")
    for partial in (replace(RUN, selection=("SLUG-LENGTH",)), replace(RUN, complete=False)):
        with pytest.raises(UpdateRefused):
            update_known_failing(tmp_path / "k.toml", replace(whole, run=partial), TODAY)
    assert not (tmp_path / "k.toml").exists()
