"""What GitHub shows beside a change: one `::error` for each failure that is new, in the runner's own commands."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.verdict import FAILED, Level, Verdict
from reports.models import Run
from reports.numbers import counted
from reports.text import cut, one_line
from reports.views.failures import failures
from reports.views.outcome import outcome

SHOWN = 10
"""GitHub keeps ten of a kind for each step."""


def render_annotations(run: Run) -> str:
    """Return the lines; nothing where nothing is new."""
    return "".join(f"{line}\n" for line in _lines(run))


def _lines(run: Run) -> Iterator[str]:
    red = FAILED | {Verdict.HARNESS_ERROR}
    new = [one for one in failures(run) if one.verdict in red and one.level is Level.MUST and not one.blocked_by]
    for failure in new[:SHOWN]:
        result = failure.occurrences[0].result
        problem = result.problems[0].text if result.problems else result.reason
        yield f"::error title={_property(failure.id)}::{_data(f'{failure.sentence} {problem}')}"
    if len(new) > SHOWN:
        more = f"{counted(len(new) - SHOWN, 'more failure')}. {outcome(run).sentence}"
        yield f"::error title=Parity::{_data(more)}"


def _data(text: str) -> str:
    return cut(one_line(text), 500).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
