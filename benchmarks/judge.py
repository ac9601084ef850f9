"""Derive everything from the raw samples of a run: summaries, attribution, verdicts. Pure, so it can be repeated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from benchmarks.advice import advise
from benchmarks.attribution import attribute
from benchmarks.claims import Claim, judge_claims, load_claims
from benchmarks.overhead import judge_overheads
from benchmarks.results import ClaimSentence, ClaimVerdict, Factor, Histogram, Interval, Judgement, Raw, Summary
from benchmarks.robustness import dependence, robustness, sentence
from benchmarks.samples import Cell, Samples
from benchmarks.server.latency import PERCENTILES, merged, percentile_us
from benchmarks.statistics import Nested, TooFewBuilds, estimate, median, percentile


def judge(raw: Raw, claims: Iterable[Claim] | None = None) -> Judgement:
    """Return all that follows from a run, by the project's ledger or another's claims."""
    ledger = tuple(claims) if claims is not None else load_claims()
    samples = Samples(raw.samples)
    verdicts = judge_claims(raw, ledger)
    return Judgement(
        summaries=(*(_summary(samples, cell) for cell in samples.cells), *_latencies(raw)),
        factors=tuple(dict.fromkeys(_factors(raw, samples, ledger))),  # pairs of claims share sides
        verdicts=(*verdicts, *judge_overheads(raw)),
        sentences=tuple(_sentences(verdicts)),
        advice=tuple(advise(raw, samples)),
    )


def _sentences(verdicts: Iterable[ClaimVerdict]) -> Iterator[ClaimSentence]:
    for found in robustness(verdicts):
        yield ClaimSentence(found.headline.claim, found.headline.verdict, sentence(found), dependence(found))


def _summary(samples: Samples, cell: Cell) -> Summary:
    metric, subject, payload = cell
    group = samples.of(*cell)
    nested = samples.nested(*cell)
    values = list(chain.from_iterable(sample.values for sample in group))
    try:
        middle, interval = estimate(nested)
    except TooFewBuilds:
        middle = median(values)
        interval = Interval(min(values), max(values), 1.0)  # One build: all that can be said is what was seen.
    return Summary(
        workload=group[0].workload,
        metric=metric,
        unit=group[0].unit,
        subject=subject,
        payload=payload,
        builds=len(nested),
        count=len(values),
        median=middle,
        interval=interval,
        p90=percentile(values, 0.90),
        p99=percentile(values, 0.99),
        largest=max(values),
    )


def _latencies(raw: Raw) -> Iterator[Summary]:
    """Yield a summary of each metric whose latencies were kept as histograms."""
    cells: dict[Cell, list[Histogram]] = {}
    for one in raw.histograms:
        cells.setdefault((one.metric, one.subject, one.payload), []).append(one)
    for (metric, subject, payload), group in cells.items():
        builds: dict[int, list[str]] = {}
        for one in group:
            builds.setdefault(one.build, []).append(one.encoded)
        medians = tuple((percentile_us(merged(texts), 50),) for texts in builds.values())
        whole = merged([one.encoded for one in group])
        at = {each: percentile_us(whole, each) for each in PERCENTILES}
        yield Summary(
            workload=group[0].workload,
            metric=metric,
            unit="us",
            subject=subject,
            payload=payload,
            builds=len(builds),
            count=int(whole.total_count),
            median=at[50.0],
            interval=_interval(medians),
            p90=at[90.0],
            p99=at[99.0],
            largest=float(whole.get_max_value()),
            p99_9=at[99.9],
            p99_99=at[99.99],
        )


def _interval(medians: Nested) -> Interval:
    try:
        return estimate(medians)[1]
    except TooFewBuilds:
        seen = [value for rounds in medians for value in rounds]
        return Interval(min(seen), max(seen), 1.0)


def _factors(raw: Raw, samples: Samples, ledger: tuple[Claim, ...]) -> Iterator[Factor]:
    """Yield the factors of every metric that has a claim, between that claim's two sides."""
    modes = sorted({subject.durability for subject in raw.configuration.subjects})
    claims = {(claim.metric, claim.language, claim.baseline, claim.candidate): claim for claim in ledger}
    for claim in claims.values():
        engines = (claim.baseline[0], claim.candidate[0])
        codecs = (claim.baseline[1], claim.candidate[1])
        for payload in raw.configuration.payload.classes:
            yield from attribute(samples, claim.metric, payload.name, engines, codecs, modes, claim.language)
