"""What a chart shows, in one sentence: its title. Said only as far as the intervals tell it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Conclusion, Summary
from reports.numbers import times
from reports.views.claims import ClaimGroup

VERBS = {"write": "writes", "read": "reads", "list": "lists"}


def claims_found(groups: Sequence[ClaimGroup]) -> str:
    """Return how many claims hold where they were made."""
    made = [next((row.judged for row in group.rows if row.judged.headline), group.rows[0].judged) for group in groups]
    counts = {word: sum(one.verdict is word for one in made) for word in Conclusion}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"Of {len(made)} claims, judged where they were made: {told}"


def fastest(rows: Sequence[Summary], metric: str) -> str:
    """Return which engine does one thing fastest, and by how much in each durability mode."""
    what = VERBS.get(metric, f"is at {metric.replace('_', ' ')}")
    return _best(rows, f"{what} fastest", "faster") or f"No engine {what} faster than another, as far as this run tells"


def smallest(rows: Sequence[Summary], metric: str) -> str:
    """Return which engine takes least of something, and by how much."""
    what = "space" if metric.startswith("size") else metric.partition("_")[0]
    return _best(rows, f"takes least {what}", "less") or f"No engine takes less {what}, as far as this run tells"


def _best(rows: Sequence[Summary], does: str, word: str) -> str:
    """Return a sentence on the store with the least median in each mode, against the best of the other engines."""
    own = [one for one in rows if not one.subject.language] or list(rows)
    payload = own[0].payload
    found: dict[str, list[str]] = {}
    untold = []
    for mode in sorted({one.subject.durability for one in own}, reverse=True):
        here = sorted((o for o in own if o.payload == payload and o.subject.durability == mode), key=lambda o: o.median)
        first = here[0] if here else None
        other = next((one for one in here if first and one.subject.engine != first.subject.engine), None)
        if first is None or other is None:
            continue
        when = f" when {mode}" if mode else ""
        if first.interval.high < other.interval.low and first.median > 0:
            text = f"{times(other.median / first.median)} {word} than {other.subject.name}{when}"
            found.setdefault(first.subject.name, []).append(text)
        else:
            untold.append(f"no difference{when} that the intervals show")
    told = "; ".join(f"{name} {does}: {', '.join(texts)}" for name, texts in found.items())
    return "; ".join([told, *untold]) if told else ""
