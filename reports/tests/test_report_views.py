"""What a report says: matrices, outcome, failures, claims, gaps, numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.results import ClaimVerdict, Conclusion, Interval, Judgement, Placement, Ratio, Results, Subject
from conformance.verdict import CREATE_STEPS, Level, Problem, Report, Result, Verdict
from reports import numbers
from reports.html import render_page
from reports.html.charts import claims_chart
from reports.junit import render_junit
from reports.markdown import render_markdown
from reports.models import Broken, Judged, Run
from reports.read import read_run
from reports.tests import sample
from reports.text import anchor, cut, pretty, visible
from reports.views.attribution import AttributionRow, attribution
from reports.views.blanks import gaps
from reports.views.claims import claim_groups, claim_row
from reports.views.failures import contract_defects, deviations, failures
from reports.views.matrix import WHOLE_CREATE, create_rows, operation_rows
from reports.views.mending import mending
from reports.views.outcome import Standing, outcome
from reports.views.words import CLAIMS


def judged(*results: Result, profile: str = "cloud", **changes: object) -> Judged:
    info = sample.run_info("x", profile)
    return Judged("x", "x", replace(Report(info, results), **changes), {}, "parity conform x")  # type: ignore[arg-type] # fields of a report


def run_of(*columns: Judged) -> Run:
    return Run("run", judged=columns)


def test_the_matrix_has_the_twelve_steps_in_order(red_run: Path) -> None:
    rows = create_rows(read_run(red_run))
    assert [row.name for row in rows] == list(CREATE_STEPS)
    duplicate = rows[3].cells
    assert [cell.verdict for cell in duplicate] == [Verdict.PASS] * 6 + [Verdict.FAIL, Verdict.PASS]
    assert (duplicate[6].passed, duplicate[6].total, duplicate[6].red) == (1, 2, ("CHECKDUP-1",))
    assert [cell.exists for cell in rows[1].cells] == [True, False] * 4
    assert rows[0].cells[6].verdict is Verdict.PASS
    assert rows[0].cells[6].should_failed == 1


def test_a_step_of_which_nothing_was_run_is_never_green() -> None:
    rows = create_rows(run_of(judged(), judged(profile="oss")))
    assert {row.cells[0].verdict for row in rows} == {None}
    absent = {row.name for row in rows if not row.cells[1].exists}
    assert absent == {"Authorize", "CreateIamPolicies", "Publish", "TransformResponse"}


def test_operations_come_as_the_catalogue_has_them_after_create_as_a_whole(red_run: Path) -> None:
    rows = operation_rows(read_run(red_run))
    assert [row.name for row in rows] == [WHOLE_CREATE, *sample.OPERATIONS]
    assert rows[7].cells[6].verdict is Verdict.KNOWN_FAILING


def test_what_is_blocked_follows_what_blocks_it_wherever_the_catalogue_has_it() -> None:
    names = {"A-1": ("C-1",), "B-1": (), "C-1": (), "D-1": ("A-1", "C-1"), "E-1": ("gone",)}
    rows = [replace(sample.result(name, verdict=Verdict.FAIL), blocked_by=by) for name, by in names.items()]
    found = failures(run_of(judged(*rows)))
    assert [(row.id, row.blocks) for row in found] == [
        ("B-1", ()),
        ("C-1", ("A-1",)),
        ("A-1", ("D-1",)),
        ("D-1", ()),
        ("E-1", ()),
    ]
    elsewhere = judged(sample.result("A-1", verdict=Verdict.FAIL), sample.result("C-1", verdict=Verdict.FAIL))
    assert [row.blocked_by for row in failures(run_of(judged(*rows), elsewhere)) if row.id == "A-1"] == [()]


def test_a_row_isn_t_blamed_for_what_is_blocked_by_a_failure_of_another() -> None:
    """It is counted as blocked, stands open and says what blocks it; what a row's own failure blocks is its own."""
    blocker = sample.result("B-1", operation="list", verdict=Verdict.FAIL)
    of_list = replace(sample.result("B-2", operation="list", verdict=Verdict.FAIL), blocked_by=("B-1",))
    of_get = replace(sample.result("G-1", operation="get", verdict=Verdict.FAIL), blocked_by=("B-1",))
    run = run_of(judged(blocker, of_list, of_get, sample.result("G-2", operation="get")))
    rows = {row.name: row for row in operation_rows(run)}
    (of_lists,), (of_gets,) = rows["list"].cells, rows["get"].cells
    assert (of_lists.verdict, of_lists.red, of_lists.blocked) == (Verdict.FAIL, ("B-1", "B-2"), ())
    assert (of_gets.verdict, of_gets.passed, of_gets.total) == (Verdict.PASS, 1, 2)
    assert (of_gets.red, of_gets.blocked, of_gets.holds) == ((), ("G-1",), False)
    page, summary = render_page(run), render_markdown(run)
    assert "1 blocked" in page
    assert "| get | ✓ PASS 1/2, 1 blocked |" in summary
    assert page.count("Could not be asked because of") == 2 * 2, "in its card and in the list of all requirements"
    assert page.index('id="failure-B-1"') < page.index('id="failure-B-2"') < page.index('id="failure-G-1"')


def test_a_row_of_which_all_is_blocked_is_untestable() -> None:
    blocked = replace(sample.result("G-1", operation="get", verdict=Verdict.FAIL), blocked_by=("B-1",))
    run = run_of(judged(sample.result("B-1", operation="list", verdict=Verdict.FAIL), blocked))
    assert {row.name: row.cells[0].verdict for row in operation_rows(run)}["get"] is Verdict.UNTESTABLE


def test_one_cause_on_several_servers_is_mended_once() -> None:
    told = replace(sample.result("A-1", verdict=Verdict.FAIL), problems=(Problem("p", "x", "y", 1),))
    rows = [told, sample.result("A-2", verdict=Verdict.FAIL)]
    wide = sample.explained(*rows)
    one, two = judged(*rows, diagnosis=wide), replace(judged(*rows, diagnosis=wide), name="y")
    found = mending(run_of(one, two, judged(sample.result("A-3"))))
    (row,) = found.rows
    assert (row.servers, row.shown) == (("x", "y"), "p: expected x, got y")
    assert (found.headline, found.unexplained) == ("1 probable cause over 2 servers", {"agent.create": ("A-2",)})
    assert not mending(run_of(judged(sample.result("A-3")))).exists


FAIL = sample.result("A-1", verdict=Verdict.FAIL)
PASS = sample.result("A-2")
KNOWN = sample.result("A-3", verdict=Verdict.KNOWN_FAILING)
DEVIATION = replace(
    sample.result("A-4", verdict=Verdict.DEVIATION),
    problems=(Problem("refused: wrong status", "NOT_FOUND", "OK", choice=True),),
    reason="Others accept it.",
)
DEFECTIVE = replace(PASS, contract_defect="The rule asks for kind 52.")


@pytest.mark.parametrize(
    ("run", "standing", "words"),
    [
        (run_of(), Standing.NONE, "Nothing was judged"),
        (run_of(judged()), Standing.NONE, "Nothing was judged"),
        (run_of(judged(PASS)), Standing.GREEN, "The server is conformant"),
        (run_of(judged(PASS, DEVIATION)), Standing.GREEN, "conformant, with 1 deviation"),
        (run_of(judged(PASS, KNOWN)), Standing.KNOWN, "1 known failure, 0 new"),
        (run_of(judged(PASS, KNOWN, FAIL)), Standing.RED, "1 MUST failed"),
        (run_of(judged(PASS), judged(PASS)), Standing.GREEN, "All 2 servers are conformant"),
        (run_of(judged(FAIL, PASS), judged(PASS)), Standing.RED, "1 of 2 servers is not conformant: 1 MUST"),
        (run_of(judged(PASS, leaks=("agent z",))), Standing.RED, "left over"),
        (run_of(judged(PASS), judged()), Standing.INCOMPLETE, "1 of 2 runs is incomplete"),
        (run_of(judged(replace(PASS, verdict=Verdict.NOT_RUN))), Standing.INCOMPLETE, "incomplete"),
        (run_of(judged(replace(PASS, verdict=Verdict.HARNESS_ERROR), FAIL)), Standing.FAULT, "suite itself"),
        (replace(run_of(judged(PASS)), broken=(Broken("b", "why", "c"),)), Standing.INCOMPLETE, "1 of 2 runs"),
    ],
)
def test_the_outcome_is_the_worst_and_never_vacuously_green(run: Run, standing: Standing, words: str) -> None:
    found = outcome(run)
    assert found.standing is standing
    assert words in found.sentence


def test_the_same_fault_on_two_servers_is_one_card() -> None:
    should = replace(FAIL, id="S-1", level=Level.SHOULD)
    found = failures(run_of(judged(should, FAIL), judged(FAIL)))
    assert [(one.id, len(one.occurrences)) for one in found] == [("A-1", 2), ("S-1", 1)]


def test_a_deviation_is_no_failure_and_a_contract_defect_no_fault_of_a_server() -> None:
    run = run_of(judged(PASS, DEVIATION, DEFECTIVE), judged(DEFECTIVE))
    assert failures(run) == ()
    assert [(one.id, one.verdict) for one in deviations(run)] == [("A-4", Verdict.DEVIATION)]
    assert contract_defects(run) == {"The rule asks for kind 52.": ("A-2",)}
    untold = judged(replace(DEFECTIVE, verdict=Verdict.NOT_APPLICABLE))
    assert contract_defects(run_of(untold)) == {}


@pytest.mark.parametrize("render", [render_markdown, render_page, render_junit])
def test_every_report_tells_deviations_and_contract_defects(render: Callable[[Run], str]) -> None:
    text = render(run_of(judged(PASS, DEVIATION, DEFECTIVE)))
    assert "eviation" in text
    assert "Others accept it." in text
    assert "The rule asks for kind 52." in text
    quiet = render(run_of(judged(PASS)))
    assert "eviation" not in quiet
    assert "kind 52" not in quiet


def test_a_step_that_deviates_counts_as_held() -> None:
    deviating = replace(DEVIATION, step="Persist")
    cell = create_rows(run_of(judged(deviating, sample.result("A-5", step="Persist"))))[5].cells[0]
    assert (cell.verdict, cell.passed, cell.total, cell.red) == (Verdict.DEVIATION, 2, 2, ())


def test_a_card_shows_the_exchanges_of_its_problems(red_run: Path) -> None:
    found = {one.id: one for one in failures(read_run(red_run))}
    assert set(found) == {"CHECKDUP-1", "VALIDATE-3", "LIST-1"}
    assert [one.seq for one in found["CHECKDUP-1"].occurrences[0].exchanges] == [1, 2, 3]
    assert [one.seq for one in found["VALIDATE-3"].occurrences[0].exchanges] == [3]


def test_gaps_are_named_with_their_reasons(red_run: Path) -> None:
    found = gaps(read_run(red_run))
    assert [gap.red for gap in found] == sorted((gap.red for gap in found), reverse=True)
    told = {(gap.what, gap.where): gap for gap in found}
    assert told["untestable", "sqlite-protobuf-cloud"].reason == "no credentials for an admin"
    assert told["store", "rocksdb+protobuf"].reason == "the driver rocksdict is not installed"
    assert told["claim", "memory/durable/medium/sqlite+json"].reason.startswith("the process was ended")
    assert ("benchmark", "sqlite+json/durable, memory, medium") in told


def claim(value: float, low: float, high: float, verdict: Conclusion, **changes: object) -> ClaimVerdict:
    old, new = Subject("sqlite", "json-orjson", "durable"), Subject("leveldb", "protobuf", "durable")
    placement = Placement.ABOVE if low > 50 else Placement.INSIDE
    made = ClaimVerdict(
        "write-speed", "Writes", "Faster.", "write", old, new, "durable", "small", "times", 10.0, 50.0,
        Ratio(value, Interval(low, high, 0.95)), placement, verdict, "", "parity bench stores",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type] # fields of a verdict


@pytest.mark.parametrize(
    ("judged_claim", "meaning"),
    [
        (
            claim(20, 15, 30, Conclusion.SUPPORTED),
            "is 20 times faster than sqlite+json-orjson. The claim holds here.",
        ),
        (claim(70, 60, 80, Conclusion.SUPPORTED), "More than was claimed."),
        (claim(2.5, 2.1, 2.9, Conclusion.CONTRADICTED), "A gain, but less than was claimed."),
        (claim(0.5, 0.4, 0.6, Conclusion.CONTRADICTED), "is 2 times slower than sqlite+json-orjson. The opposite"),
        (claim(1.0, 0.9, 1.1, Conclusion.CONTRADICTED), "No difference between"),
        (claim(9, 8, 12, Conclusion.INCONCLUSIVE), "can't decide"),
        (claim(2, 1.9, 2.1, Conclusion.SUPPORTED, form="saving"), "needs 50 % less space than"),
        (claim(0.5, 0.4, 0.6, Conclusion.CONTRADICTED, metric="memory_peak"), "needs 100 % more memory than"),
        (claim(1, 1, 1, Conclusion.NOT_MEASURED, ratio=None, reason="too few builds"), "too few builds"),
    ],
)
def test_a_claim_is_told_in_plain_language(judged_claim: ClaimVerdict, meaning: str) -> None:
    assert meaning in claim_row(judged_claim).meaning


def test_judgements_that_differ_in_driver_or_cache_alone_have_labels_of_their_own() -> None:
    warm = claim(20, 15, 30, Conclusion.SUPPORTED)
    driver = replace(warm, baseline=replace(warm.baseline, engine="sqlite-modernc"))
    rows = [replace(warm, headline=True), driver, replace(warm, cold=True)]
    results = Results(sample.raw(), Judgement(verdicts=tuple(rows)))
    chart = claims_chart(claim_groups(Run("run", benchmarks=results)), lambda row: CLAIMS[row.judged.verdict], "again")
    assert chart is not None
    labels = [row.label for row in chart.panels[0].rows]
    assert len(set(labels)) == 3
    assert "sqlite-modernc" in labels[1]
    assert ", cold," in labels[2]


def test_claims_are_grouped_in_the_order_of_the_ledger(results: Results) -> None:
    groups = claim_groups(Run("run", benchmarks=results))
    assert [group.id for group in groups][:3] == ["write-speed", "read-speed", "list-speed"]
    assert sum(len(group.rows) for group in groups) == len(results.judgement.verdicts)
    assert {row.judged.claim for group in groups for row in group.rows if group.id == "memory"} == {"memory"}


def test_attribution_names_the_bigger_part_only_beyond_the_intervals(results: Results) -> None:
    found = attribution(Run("run", benchmarks=results))
    by_key = {(row.metric, row.payload, row.durability): row for row in found.rows}
    assert by_key["read", "small", "relaxed"].mostly == "codec"
    assert {one.change for one in found.durability} >= {"sqlite+protobuf", "leveldb+protobuf"}

    def row(codec: tuple[float, float], engine: tuple[float, float]) -> AttributionRow:
        ratios = {"codec": Ratio(1, Interval(*codec, 0.95)), "engine": Ratio(1, Interval(*engine, 0.95))}
        return AttributionRow("m", "p", "d", "w", ratios, {})

    assert row((2, 3), (1.1, 1.5)).mostly == "codec"
    assert row((0.9, 1.2), (0.2, 0.5)).mostly == "engine"
    assert row((0.5, 3), (1.1, 1.5)).mostly == ""
    assert AttributionRow("m", "p", "d", "w", {}, {}).mostly == ""


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.quantity(0.85, "us"), "850 ns"),
        (numbers.quantity(1234.5, "us"), "1.23 ms"),
        (numbers.quantity(2.5, "s"), "2.5 s"),
        (numbers.quantity(1536, "bytes"), "1.5 KiB"),
        (numbers.quantity(1536, "bytes/agent"), "1.5 KiB/agent"),
        (numbers.quantity(44 * 1024, "KiB"), "44 MiB"),
        (numbers.quantity(0, "us"), "0"),
        (numbers.quantity(12.345, "widgets"), "12.3 widgets"),
        (numbers.quantities([1024, 2048], "bytes/agent"), "1 / 2 KiB/agent"),
        (numbers.times(1234.5), "1,230x"),
        (numbers.times(0.05), "0.05x"),
        (numbers.in_form("saving", 2.0), "50 % smaller"),
        (numbers.in_form("saving", 0.8), "25 % larger"),
        (numbers.between("saving", 1.5, 2.0), "33 to 50 % smaller"),
        (numbers.between("saving", 0.5, 0.8), "25 to 100 % larger"),
        (numbers.between("saving", 0.8, 2.0), "25 % larger to 50 % smaller"),
        (numbers.between("times", 2.0, 3.0), "2x to 3x"),
        (numbers.claimed("times", 1.05, None), "at least 1.05x"),
        (numbers.duration(75.04), "75 s"),
        (numbers.duration(723), "12 min 3 s"),
        (numbers.moment("2026-03-01T09:30:00.123Z"), "2026-03-01 09:30:00 UTC"),
        (numbers.moment("yesterday"), "yesterday"),
        (numbers.digits(float("inf")), "inf"),
        (numbers.counted(1, "server"), "1 server"),
        (numbers.counted(1204, "check"), "1,204 checks"),
    ],
)
def test_numbers_are_written_as_people_read_them(shown: str, expected: str) -> None:
    assert shown == expected


def test_hidden_characters_become_visible() -> None:
    assert visible("a\x00b\x1b\r\n\t\u202e\ud800\ufffe") == "a␀b␛␍\n\t⟨U+202E⟩\ufffd\ufffd"


def test_long_and_deep_values_are_cut() -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    assert "nested deeper" in pretty(deep)
    assert "(9600 more characters)" in pretty({"a": "x" * 10_000})
    assert "(80 more)" in pretty(list(range(100)))
    assert len(pretty({str(n): "y" * 300 for n in range(100)})) < 4100


def test_a_cut_is_behind_a_word_where_there_are_words() -> None:
    assert cut("one two three", 13) == "one two three"
    assert cut("one two threeee", 10) == "one two… (8 more characters)"
    assert cut("one two threeee", 7) == "one two… (8 more characters)"
    assert cut("a " + "x" * 20, 10) == "a xxxxxxxx… (12 more characters)"


def test_different_names_have_different_anchors_of_plain_characters() -> None:
    names = ["a b", "a_b", "a-b", "a.b", "a_20_b", "日", "<script>"]
    anchors = [anchor("failure", name) for name in names]
    assert len(set(anchors)) == len(names)
    assert all(one.replace("_", "").replace("-", "").isalnum() and one.isascii() for one in anchors)
