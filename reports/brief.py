"""What a CI job's summary shows at once: verdict, what to mend first, new failures; the rest is folded below."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.verdict import FAILED, Level
from reports.markdown import code, plain, render_markdown
from reports.models import Run
from reports.numbers import counted
from reports.text import cut
from reports.views.failures import failures
from reports.views.mending import mending
from reports.views.outcome import outcome
from reports.views.words import STANDINGS

SHOWN = 5
"""Causes, and failures: more don't fit one screen."""
SENTENCE_MAX = 160


def render_brief(run: Run) -> str:
    """Return the summary. The same run gives the same text."""
    return "\n".join(
        [*_lines(run), "", "<details><summary>All of it</summary>", "", render_markdown(run), "</details>", ""]
    )


def _lines(run: Run) -> Iterator[str]:
    found = outcome(run)
    sign = STANDINGS[found.standing]
    yield from (f"# Parity: {sign.symbol} {sign.word}", "", f"**{plain(found.sentence)}**")
    causes = mending(run)
    if causes.exists:
        yield from ("", f"**Mend first.** {plain(causes.headline)}.", "")
    for number, row in enumerate(causes.rows[:SHOWN], start=1):
        sentence = plain(cut(row.cause.sentence, SENTENCE_MAX))
        count = counted(len(row.cause.explains), "failure")
        yield f"{number}. {sentence} ({count}; shows in {code(row.cause.telling)})"
    new = [one for one in failures(run) if one.verdict in FAILED and one.level is Level.MUST and not one.blocked_by]
    if new:
        yield from ("", f"**{counted(len(new), 'new failure')}**", "")
    yield from (f"- {code(one.id)} {plain(cut(one.sentence, SENTENCE_MAX))}" for one in new[:SHOWN])
    if len(new) > SHOWN:
        yield f"- and {len(new) - SHOWN} more below"
