"""The page of a comparison of servers: it says what was found, and shows nothing that such a run can't hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.judge import judge
from benchmarks.results import Blank, Factor, Histogram, Interval, Ratio, Results, Sample, Subject, write_results
from benchmarks.server.latency import encoded
from reports.html.servers import server_charts
from reports.tests import sample
from reports.write import Format, write_all

OURS, GO = Subject("ours", "", ""), Subject("<b>go</b>", "", "")


def comparison() -> Results:
    costs = {("get", OURS): 200.0, ("get", GO): 1_500.0, ("create", OURS): 700.0, ("create", GO): 710.0}
    samples = [
        Sample(mix, mix, "us/request", subject, "medium", visit, 0, (cost + visit,))
        for (mix, subject), cost in costs.items()
        for visit in range(3)
    ]
    samples += [
        Sample("growth_get", "growth_get", "us", subject, f"{agents} agents", turn, 0, (cost * agents / 100,))
        for subject, cost in ((OURS, 1.0), (GO, 90.0))
        for agents in (100, 1_000)
        for turn in range(2)
    ]
    latencies = tuple(
        Histogram(
            "get_at_100", "get_at_100_response", subject, "medium", 0, 0, encoded([500.0] * 990 + [9e5] * 10), 100
        )
        for subject in (OURS, GO)
    )
    raw = sample.raw()
    raw = replace(
        raw,
        configuration=replace(
            raw.configuration, bench="targets", subjects=(OURS, GO), workloads=("get", "create", "list")
        ),
        samples=tuple(samples),
        histograms=latencies,
        blanks=(Blank("list", GO, "medium", "was answered UNIMPLEMENTED 3 times"),),
        durability=(),
    )  # fmt: skip
    judged = judge(raw, claims=())
    factors = tuple(
        Factor("server", mix, "medium", "", "ours to <b>go</b>", Ratio(value, Interval(low, high, 0.95)))
        for mix, value, low, high in (("get", 0.13, 0.12, 0.14), ("create", 0.99, 0.9, 1.1))
    )
    return Results(raw, replace(judged, factors=factors, verdicts=()))


def page(folder: Path) -> str:
    write_results(comparison(), folder)
    return write_all(folder, None, (Format.HTML,))[Format.HTML].read_text(encoding="utf-8")


def test_the_first_sentence_says_what_was_found(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "Servers compared" in text
    assert "get: &lt;b&gt;go&lt;/b&gt; answers 0.13x as many calls as ours" in text
    assert "create: no difference between ours and &lt;b&gt;go&lt;/b&gt; that the intervals show" in text


def test_rates_latencies_and_growth_are_drawn_with_their_numbers(tmp_path: Path) -> None:
    text = page(tmp_path)
    for chart in ("server-rates", "server-latencies", "server-growth"):
        assert f'id="{chart}"' in text
    assert "4,975/s" in text  # a second over 201 us
    assert "100 agents 1 µs, 1000 agents 10 µs" in text
    assert "With 1000 agents get of ours costs 10x as much: the most" in text
    assert "slowest 900 ms" in text
    assert "p99.99" not in text  # 1,000 calls don't say


def test_growth_is_a_line_a_server_and_said_only_where_intervals_show_it() -> None:
    results = comparison()
    (chart,) = [one for one in server_charts(results) if one.id == "server-growth"]
    picture = chart.panels[0].picture
    assert picture is not None
    assert (picture.count("<circle"), picture.count("-line")) == (4, 2)
    level = tuple(
        replace(one, median=10.0, interval=Interval(1.0, 20.0, 0.95)) if one.metric == "growth_get" else one
        for one in results.judgement.summaries
    )
    (chart,) = [
        one
        for one in server_charts(replace(results, judgement=replace(results.judgement, summaries=level)))
        if one.id == "server-growth"
    ]
    assert chart.title == "No call costs more with more agents, as far as the intervals show"


def test_what_has_no_number_says_why_and_claims_are_not_spoken_of(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "UNIMPLEMENTED 3 times" in text
    assert 'id="claims"' not in text
    assert 'id="attribution"' not in text
