"""Which store for which use, from the reads and writes of any run: what `parity choose` measures for one use. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.results import Advice, Raw, Rival, Subject
from benchmarks.samples import Samples
from benchmarks.statistics import Nested, TooFewBuilds, median, paired_ratio

READ_SHARES = (0.9, 0.1)
"""The uses that advice is given on: mostly reads, mostly writes."""
METRICS = ("read", "write")


def advise(raw: Raw, samples: Samples) -> Iterator[Advice]:
    """Yield an advice for each durability mode, payload class and read share of which two stores were measured.

    Only Python's stores: they are what a server here can be run over.
    """
    subjects = [one for one in raw.configuration.subjects if not one.language and not one.profile]
    cells = set(samples.cells)
    for mode in sorted({one.durability for one in subjects}):
        for payload in raw.configuration.payload.classes:
            here = [
                one
                for one in subjects
                if one.durability == mode and all((metric, one, payload.name) in cells for metric in METRICS)
            ]
            for share in READ_SHARES:
                yield from _advice(samples, here, mode, payload.name, share)


def _advice(samples: Samples, subjects: list[Subject], mode: str, payload: str, share: float) -> Iterator[Advice]:
    try:
        costs = {one: mean_costs(samples, one, payload, share) for one in subjects}
        best, *others = sorted(costs, key=lambda one: median([build for (build,) in costs[one]]))
        rivals = tuple(Rival(one, paired_ratio(costs[one], costs[best])) for one in others)
    except ValueError:
        return  # Nothing, or too few builds, or builds that are no pairs: no advice rather than a doubtful one.
    if rivals:
        yield Advice(mode, payload, share, best, rivals)


def mean_costs(samples: Samples, subject: Subject, payload: str, read_share: float) -> Nested:
    """Return the cost of a mean call, build by build. Raises LookupError (no samples), TooFewBuilds."""
    reads, writes = (samples.nested(metric, subject, payload) for metric in METRICS)
    if len(reads) != len(writes):
        raise TooFewBuilds(f"{subject.label}: builds are missing")
    return tuple((read_share * median(r) + (1 - read_share) * median(w),) for r, w in zip(reads, writes, strict=True))
