"""Evidence and verdicts: what is written is read again as it was, and damage is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from conformance.evidence import Ending, Evidence, Exchange, MissingEvidence, Outcome
from conformance.evidence_file import (
    LARGE,
    EvidenceInUse,
    EvidenceUnreadable,
    EvidenceWriter,
    hold_against,
    large_path,
    read_evidence,
)
from conformance.printing import print_report
from conformance.verdict import (
    EXIT_CONFORMANT,
    EXIT_HARNESS,
    EXIT_INCOMPLETE,
    EXIT_NOT_CONFORMANT,
    EXIT_USAGE,
    Level,
    Problem,
    Report,
    Result,
    RunInfo,
    Verdict,
)
from conformance.verdicts_file import VerdictsUnreadable, read_verdicts, write_verdicts

RUN = RunInfo(
    id="r1",
    target="grpc://127.0.0.1:1",
    profile="oss",
    seed=7,
    contract_revision="2026-01-26",
    catalogue_hash="abc",
    versions={"grpcio": "1"},
    features={"list": True},
    selection=("A-1",),
    started_at="2026-01-01T00:00:00Z",
)
EXCHANGE = Exchange(1, "a", "create", "Persist", "caller", "/x/create", {"a": 1}, "OK", responses=({"b": {"c": 2}},))


def result(verdict: Verdict, *, level: Level = Level.MUST, step: str = "Persist") -> Result:
    return Result("A-1", level, ("oss",), "create", step, "It must.", "1", "a", verdict, (Problem("x", exchange=1),))


def report(*results: Result) -> Report:
    return Report(RUN, results)


def write_run(path: Path) -> None:
    with EvidenceWriter(path, RUN) as writer:
        writer.add(Evidence("a", (EXCHANGE,), {"id": "z"}), Outcome("a", Ending.EXERCISED))
        writer.finish(replace(RUN, finished_at="2026-01-01T00:00:01Z"), leaks=("agent z",))


def test_evidence_is_read_again_as_it_was_written(tmp_path: Path) -> None:
    write_run(tmp_path / "e.jsonl")
    stored = read_evidence(tmp_path / "e.jsonl")
    assert stored.run == replace(RUN, finished_at="2026-01-01T00:00:01Z")
    assert stored.evidence["a"].exchanges == (EXCHANGE,)
    assert stored.evidence["a"]["create"].value("b.c") == 2
    assert stored.evidence["a"].fact("id") == "z"
    assert stored.outcomes["a"].ending is Ending.EXERCISED
    assert stored.leaks == ("agent z",)


def test_two_runs_never_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    with EvidenceWriter(path, RUN) as first:
        with pytest.raises(EvidenceInUse, match="name another folder"):
            EvidenceWriter(path, RUN)
        first.add(Evidence("a", (EXCHANGE,), {}), Outcome("a", Ending.EXERCISED))
        first.finish(RUN, leaks=())
    assert read_evidence(path).evidence["a"].exchanges == (EXCHANGE,)
    write_run(path)
    assert read_evidence(path).leaks == ("agent z",)


def test_untestable_for_one_reason_is_told_once() -> None:
    rows = [replace(result(Verdict.UNTESTABLE), id=f"A-{n}", problems=(), reason="no role") for n in range(9)]
    other = replace(result(Verdict.UNTESTABLE), id="B-1", problems=(), reason="no list")
    console = Console(file=StringIO(), width=40, force_terminal=True, color_system=None)
    print_report(console, report(*rows, other), None)
    told = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO, as it was made
    assert "UNTESTABLE 9 requirements: no role" in told
    assert "A-0, A-1, A-2, A-3, A-4 and 4 more" in told
    assert (told.count("no role"), told.count("no list")) == (1, 1)


def write_large(path: Path) -> Exchange:
    large = replace(EXCHANGE, request={"text": "x" * 100_000}, responses=({"items": ["y" * 70_000]}, {"small": 1}))
    with EvidenceWriter(path, RUN) as writer:
        writer.add(Evidence("a", (large,)), Outcome("a", Ending.EXERCISED))
        writer.finish(RUN, leaks=())
    return large


def test_large_messages_are_kept_aside_and_judged_whole(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    large = write_large(path)
    assert path.stat().st_size < 2_000
    assert read_evidence(path).evidence["a"].exchanges == (large,)
    shown = read_evidence(path, whole=False).evidence["a"].exchanges[0]
    assert shown.request == {LARGE: f"{large.seq}-request.json", "bytes": 100_011}
    assert shown.responses[1] == {"small": 1}


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"no zip")])
def test_evidence_without_its_large_messages_is_refused(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    path = tmp_path / "e.jsonl"
    write_large(path)
    damage(large_path(path))
    with pytest.raises(EvidenceUnreadable, match="keep the two files together"):
        read_evidence(path)


def test_known_failures_can_be_put_into_a_whole_file_only(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    write_run(path)
    before = read_evidence(path)
    hold_against(path, ({"id": "A-1"},), "2026-01-02")
    after = read_evidence(path)
    assert (after.known_failing, after.judged_on) == (({"id": "A-1"},), "2026-01-02")
    assert replace(after, known_failing=(), judged_on="") == before
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(EvidenceUnreadable):
        hold_against(path, (), "")


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 4])
def test_every_truncation_at_a_line_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "e.jsonl"
    write_run(path)
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 5
    path.write_bytes(b"".join(lines[:kept]))
    with pytest.raises(EvidenceUnreadable):
        read_evidence(path)


def test_a_missing_line_in_the_middle_and_half_a_line_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    write_run(path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for damaged in (b"".join(lines[:1] + lines[2:]), whole[:-3], b"\xff\n" + whole):
        path.write_bytes(damaged)
        with pytest.raises(EvidenceUnreadable):
            read_evidence(path)


def test_a_judge_cannot_read_what_was_never_exchanged() -> None:
    with pytest.raises(MissingEvidence, match="no exchange 'get'"):
        _ = Evidence("a", (EXCHANGE,))["get"]


def test_verdicts_are_read_again_as_they_were_written(tmp_path: Path) -> None:
    written = report(result(Verdict.FAIL), result(Verdict.PASS))
    write_verdicts(tmp_path / "verdicts.json", written)
    assert read_verdicts(tmp_path) == written
    assert read_verdicts(tmp_path / "verdicts.json") == written


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 99}', b'{"format": 1, "run": {}}'])
def test_damaged_verdicts_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "verdicts.json").write_bytes(content)
    with pytest.raises(VerdictsUnreadable):
        read_verdicts(tmp_path)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), EXIT_USAGE),
        ((Verdict.PASS,), EXIT_CONFORMANT),
        ((Verdict.PASS, Verdict.KNOWN_FAILING), EXIT_CONFORMANT),
        ((Verdict.PASS, Verdict.DEVIATION), EXIT_CONFORMANT),
        ((Verdict.NOT_APPLICABLE,), EXIT_USAGE),
        ((Verdict.PASS, Verdict.FAIL), EXIT_NOT_CONFORMANT),
        ((Verdict.PASS, Verdict.UNTESTABLE), EXIT_NOT_CONFORMANT),
        ((Verdict.PASS, Verdict.FAIL, Verdict.NOT_RUN), EXIT_INCOMPLETE),
        ((Verdict.PASS, Verdict.NOT_RUN, Verdict.HARNESS_ERROR), EXIT_HARNESS),
    ],
)
def test_exit_codes(verdicts: tuple[Verdict, ...], code: int) -> None:
    assert report(*(result(verdict) for verdict in verdicts)).exit_code == code


def test_a_failed_should_is_shown_and_does_not_decide() -> None:
    both = report(result(Verdict.PASS), result(Verdict.FAIL, level=Level.SHOULD))
    assert both.exit_code == EXIT_CONFORMANT
    assert both.summary.should_failed == 1


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ((Verdict.PASS,), "conformant"),
        ((Verdict.PASS, Verdict.DEVIATION), "conformant, with 1 deviation"),
        ((Verdict.PASS, *[Verdict.KNOWN_FAILING] * 2), "2 known failures, 0 new"),
        ((Verdict.KNOWN_FAILING, Verdict.FAIL), "1 known failure, 1 new"),
        ((Verdict.FAIL,), "not shown to be conformant"),
    ],
)
def test_the_conclusion_is_conformant_only_where_nothing_is_known_to_fail(
    verdicts: tuple[Verdict, ...], said: str
) -> None:
    assert report(*(result(verdict) for verdict in verdicts)).conclusion == said


def test_the_conclusion_names_what_a_should_asks_for() -> None:
    both = report(result(Verdict.PASS), result(Verdict.FAIL, level=Level.SHOULD))
    assert both.conclusion == "conformant (1 SHOULD not met)"


def test_a_step_takes_its_worst_verdict_and_an_empty_step_is_not_green() -> None:
    rows = {row.step: row for row in report(result(Verdict.PASS), result(Verdict.FAIL)).steps}
    assert len(rows) == 12
    assert (rows["Persist"].verdict, rows["Persist"].passed, rows["Persist"].total) == (Verdict.FAIL, 1, 2)
    assert rows["Publish"].verdict is Verdict.NOT_RUN
