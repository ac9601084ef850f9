"""What a store costs over its bare driver and codec: a verdict for each subject and payload class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.claims import conclude
from benchmarks.results import ClaimVerdict, Conclusion, Raw, Subject
from benchmarks.samples import Samples
from benchmarks.statistics import TooFewBuilds, ratio

ALLOWED = (
    # metric, bare metric, title, sentence, at most
    ("store_read", "raw_read", "Get", "A get costs at most 1.5 times the bare driver and codec.", 1.5),
    ("store_write", "raw_write", "Put", "A put costs at most twice the bare driver and codec.", 2.0),
)


def judge_overheads(raw: Raw) -> Iterator[ClaimVerdict]:
    """Yield a verdict for every subject whose bare driver was measured in the same rounds."""
    samples = Samples(raw.samples)
    for metric, bare, title, sentence, at_most in ALLOWED:
        for name, subject, payload in samples.cells:
            if name == bare:
                yield _judge(samples, raw, (metric, bare), subject, payload, (title, sentence, at_most))


def _judge(
    samples: Samples,
    raw: Raw,
    metrics: tuple[str, str],
    subject: Subject,
    payload: str,
    said: tuple[str, str, float],
) -> ClaimVerdict:
    metric, bare = metrics
    title, sentence, at_most = said
    unjudged = ClaimVerdict(
        claim=f"overhead-{metric.removeprefix('store_')}-{subject.name}",
        title=f"{title} over the bare driver, {subject.name}",
        sentence=sentence,
        metric=metric,
        baseline=replace(subject, engine=f"{subject.engine} driver"),
        candidate=subject,
        durability=subject.durability,
        payload=payload,
        form="growth",
        at_least=1 / at_most,
        at_most=None,
        ratio=None,
        placement=None,
        verdict=Conclusion.NOT_MEASURED,
        reason="",
        reproduce=f"{raw.configuration.command} --workload raw",
    )
    try:
        found = ratio(samples.nested(bare, subject, payload), samples.nested(metric, subject, payload))
    except (LookupError, TooFewBuilds) as error:
        return replace(unjudged, reason=str(error.args[0]))
    return conclude(unjudged, found)
