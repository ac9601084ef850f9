"""Two runs compared, and the commands of the room as people type them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.results import ClaimVerdict, Interval, Judgement, Ratio, Results
from conformance.verdict import Report, Result, Verdict
from parity.main import run as parity
from reports.compare import Change, compare_runs, comparison_markdown
from reports.comparison_text import comparison_lines
from reports.html.comparison import render_comparison
from reports.models import Judged, Run
from reports.read import read_run
from reports.tests import sample
from reports.tests.test_page import ALLOWED, Page


def run_of(name: str, *results: Result, benchmarks: Results | None = None) -> Run:
    report = Report(sample.run_info("x", "oss"), results)
    return Run(name, judged=(Judged("x-oss", "x", report, {}, "parity conform x"),), benchmarks=benchmarks)


def test_each_change_of_a_verdict_is_named() -> None:
    first, second = (
        {
            "broken": (Verdict.PASS, Verdict.FAIL),
            "mended": (Verdict.UNTESTABLE, Verdict.PASS),
            "other": (Verdict.FAIL, Verdict.UNTESTABLE),
            "same": (Verdict.FAIL, Verdict.FAIL),
        },
        {"added": Verdict.PASS, "added-red": Verdict.FAIL},
    )
    before = [sample.result(name, verdict=pair[0]) for name, pair in first.items()]
    after = [sample.result(name, verdict=pair[1]) for name, pair in first.items()]
    found = compare_runs(
        run_of("a", *before, sample.result("gone")),
        run_of("b", *after, *(sample.result(name, verdict=verdict) for name, verdict in second.items())),
    )
    assert {one.requirement: one.change for one in found.verdicts} == {
        "broken": Change.BROKEN,
        "mended": Change.MENDED,
        "other": Change.OTHER,
        "gone": Change.REMOVED,
        "added": Change.ADDED,
        "added-red": Change.ADDED,
    }
    assert found.worse
    assert "**1 broken, 1 mended, 1 changed, 2 new, 1 only in the first.**" in comparison_markdown(found)


def test_nothing_changed_is_not_worse(red_run: Path) -> None:
    run = read_run(red_run)
    found = compare_runs(run, run)
    assert (found.verdicts, found.warnings, found.worse) == ((), (), False)
    assert not any(one.moved or one.verdict_changed for one in found.claims)
    assert f"no verdict changed, 0 of {len(found.claims)} ratios moved" in comparison_markdown(found)


def test_a_server_that_is_gone_is_worse() -> None:
    with_server, without = run_of("a", sample.result("A")), Run("b")
    assert compare_runs(with_server, without).servers_removed == ("x-oss",)
    assert compare_runs(with_server, without).worse
    assert not compare_runs(without, with_server).worse


def test_a_run_that_judged_nothing_of_the_first_is_worse() -> None:
    first, other, both = sample.result("A"), sample.result("B"), (sample.result("A"), sample.result("B"))
    assert compare_runs(run_of("a", first), run_of("b", other)).worse
    assert not compare_runs(run_of("a", *both), run_of("b", other)).worse
    assert not compare_runs(run_of("a"), run_of("b", other)).worse


def at(target: str, *results: Result, profile: str = "oss") -> Run:
    report = Report(sample.run_info("x", profile), results)
    return Run(target, judged=(Judged(f"{target}-{profile}", target, report, {}, f"parity conform {target}"),))


def test_servers_at_different_places_are_compared_where_they_can_only_mean_each_other() -> None:
    fails, passes = sample.result("A", verdict=Verdict.FAIL), sample.result("A")
    broke = compare_runs(at("old:1", passes), at("new:2", fails, sample.result("B", verdict=Verdict.FAIL)))
    assert [(one.requirement, one.change) for one in broke.verdicts] == [("A", Change.BROKEN), ("B", Change.ADDED)]
    assert {one.server for one in broke.verdicts} == {"old:1-oss, then new:2-oss"}
    assert (broke.servers_added, broke.servers_removed, broke.worse) == ((), (), True)
    mended = compare_runs(at("old:1", fails), at("new:2", passes, sample.result("B", verdict=Verdict.FAIL)))
    assert [one.change for one in mended.verdicts] == [Change.MENDED, Change.ADDED]
    assert not mended.worse
    others = compare_runs(at("old:1", passes), at("new:2", fails, profile="cloud"))
    assert (others.verdicts, others.servers_removed, others.worse) == ((), ("old:1-oss",), True)


def changed(results: Results, *, by: float, width: float) -> Results:
    """The same run with the first claim's ratio at another place, its interval as wide as told."""

    def move(one: ClaimVerdict) -> ClaimVerdict:
        value = one.ratio.value * by if one.ratio else 0.0
        return replace(one, ratio=Ratio(value, Interval(value / width, value * width, 0.95)))

    first, *rest = results.judgement.verdicts
    return Results(results.raw, Judgement(results.judgement.summaries, (), (move(first), *rest)))


@pytest.mark.parametrize(("by", "width", "moved"), [(1.5, 1.05, True), (1.5, 2.0, False), (0.5, 1.05, True)])
def test_a_ratio_moved_only_when_the_intervals_part(results: Results, by: float, width: float, moved: bool) -> None:
    old = changed(results, by=1.0, width=width)
    found = compare_runs(
        run_of("a", benchmarks=old), run_of("b", benchmarks=changed(results, by=by, width=width))
    ).claims[0]
    assert found.moved is moved
    assert found.factor == pytest.approx(by)


def test_what_makes_numbers_incomparable_is_said(results: Results) -> None:
    machine = replace(
        results.raw.environment, cpu="Another CPU", fsync=replace(results.raw.environment.fsync, median_us=9e3)
    )
    other = Results(replace(results.raw, environment=machine), results.judgement)
    found = compare_runs(run_of("a", benchmarks=results), run_of("b", benchmarks=other))
    assert found.warnings == (
        "processor differs: Example CPU 3000, then Another CPU",
        "one fsync differs: 151 µs, then 9 ms",
    )


def on_servers(verdicts: dict[str, tuple[Verdict, ...]]) -> Run:
    """A run of three servers, each with a verdict on every requirement."""
    judged = [
        Judged(name, name, Report(sample.run_info(name, "oss"), rows), {}, f"parity conform {name}")
        for number, name in enumerate(("one", "two", "three"))
        for rows in [tuple(sample.result(id_, verdict=row[number]) for id_, row in verdicts.items())]
    ]
    return Run("run", judged=tuple(judged))


def test_the_terminal_has_a_line_a_change_grouped_and_those_of_equal_servers_once() -> None:
    passes, fails = Verdict.PASS, Verdict.FAIL
    before = on_servers({"A": (passes, passes, fails), "B": (fails, fails, passes), "C": (passes, passes, passes)})
    after = on_servers({"A": (fails, fails, passes), "B": (passes, passes, passes), "C": (fails, fails, passes)})
    told = list(comparison_lines(compare_runs(before, after), 80))
    assert told == [
        "run against run: 4 broken, 3 mended",
        "on one, two:",
        "broken (2):",
        "  A: PASS, then FAIL. The server does what requirement A of agent.create asks …",
        "  C: PASS, then FAIL. The server does what requirement C of agent.create asks …",
        "  parity conform grpc://127.0.0.1:50051 --profile cloud --only A --only C --seed 7",
        "mended (1):",
        "  B: FAIL, then PASS. The server does what requirement B of agent.create asks …",
        "on three:",
        "mended (1):",
        "  A: FAIL, then PASS. The server does what requirement A of agent.create asks …",
    ]


def test_a_log_has_whole_sentences_and_many_failures_one_command() -> None:
    ids = [f"R-{number}" for number in range(6)]
    before = run_of("a", *(sample.result(id_) for id_ in ids))
    after = run_of("b", *(sample.result(id_, verdict=Verdict.FAIL) for id_ in ids))
    told = list(comparison_lines(compare_runs(before, after), None))
    assert "  R-5: PASS, then FAIL. The server does what requirement R-5 of agent.create asks for." in told
    assert [line.split(" --only ")[1] for line in told if "parity conform" in line] == ["R-0 --seed 7"]


def test_report_writes_what_was_asked_for(red_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity(["report", str(red_run), "--out", str(tmp_path / "all")]) == 0
    names = ["report.html", "report.md", "junit.xml", "badge.svg"]
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "all" / name) for name in names]
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == sorted(names)
    assert parity(["report", str(red_run), "--format", "junit", "--out", str(tmp_path / "one")]) == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["junit.xml"]


def test_report_refuses_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity(["report", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {tmp_path}: holds no run")
    assert "Traceback" not in told


def test_report_says_where_it_can_not_write(red_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert parity(["report", str(red_run), "--out", str(tmp_path / "file" / "below")]) == 2
    assert "--out" in capsys.readouterr().err


def test_who_names_no_report_object_is_told_what_writes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity(["report", "index", str(tmp_path), "--out", str(tmp_path / "index.html")]) == 2
    assert "parity report DIR --implementation NAME" in capsys.readouterr().err


def test_compare_prints_and_gates(
    red_run: Path, green_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parity(["compare", str(green_run), str(red_run), "--md"]) == 0
    told = capsys.readouterr().out
    assert "3 broken" in told
    assert "`CHECKDUP-1`" in told
    assert parity(["compare", str(green_run), str(red_run), "--gate"]) == 1
    assert parity(["compare", str(red_run), str(green_run), "--gate"]) == 0
    copy = shutil.copytree(green_run, tmp_path / "copy")
    (copy / "run.json").write_text("{")
    assert parity(["compare", str(green_run), str(copy)]) == 2


def test_a_comparison_is_a_page_and_json_too(
    results: Results, red_run: Path, green_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parity(["report", "compare", str(green_run), str(red_run), "--out", str(tmp_path / "c.html")]) == 0
    page = Page((tmp_path / "c.html").read_text("utf-8"))
    assert set(page.tags) <= ALLOWED
    assert "red against green: 3 broken" in page.text
    capsys.readouterr()
    assert parity(["compare", str(green_run), str(red_run), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["worse"] is True
    assert {one["requirement"] for one in told["verdicts"] if one["change"] == "broken"} >= {"CHECKDUP-1"}


def test_what_became_slower_is_told_with_its_interval(results: Results) -> None:
    first = next(one for one in results.judgement.summaries if one.metric == "write")
    ends = Interval(first.interval.low * 2, first.interval.high * 2, 0.95)
    slower = replace(first, median=first.median * 2, interval=ends)
    rest = tuple(slower if one is first else one for one in results.judgement.summaries)
    other = Results(results.raw, replace(results.judgement, summaries=rest))
    found = compare_runs(run_of("a", benchmarks=results), run_of("b", benchmarks=other))
    (moved,) = [one for one in found.paces if one.moved]
    assert moved.word == "slower"
    assert moved.factor == pytest.approx(2)
    assert moved.low < 2 < moved.high
    assert "1 slower" in found.sentence
    assert f"{moved.name}" in Page(render_comparison(found)).text
    back = compare_runs(run_of("b", benchmarks=other), run_of("a", benchmarks=results))
    assert "1 faster" in back.sentence
