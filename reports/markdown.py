"""The summary for a pull request or a CI job: GitHub's Markdown, with everything foreign made harmless."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from conformance.verdict import Verdict
from reports.models import Run
from reports.numbers import counted, quantity
from reports.text import cut, one_line
from reports.views.blanks import gaps
from reports.views.claims import claim_groups
from reports.views.failures import Failure, contract_defects, deviations, failures
from reports.views.matrix import Cell, Row, create_rows, operation_rows
from reports.views.mending import Mending, mending
from reports.views.outcome import outcome
from reports.views.words import CLAIMS, DEVIATIONS_ARE, STANDINGS, VERDICTS, sign_of

FAILURES_SHOWN = 20
LENGTH_LIMIT = 900_000
"""A CI job's summary may hold 1 MiB; what is longer is thrown away whole, so we cut before that."""

_MARKUP = re.compile(r"([\\`*_{}\[\]()#|~!^])")
_ENTITIES = {ord("<"): "&lt;", ord(">"): "&gt;", ord("&"): "&amp;", ord("@"): "&#64;", ord("$"): "&#36;"}


def plain(text: str) -> str:
    """Return foreign text as Markdown that shows it as it is, on one line: no markup, links, mentions or HTML."""
    shown = _MARKUP.sub(r"\\\1", one_line(text)).translate(_ENTITIES)
    unlinked = shown.replace("://", "&#58;//").replace("www.", "www&#46;")
    return re.sub(r"^([-+=]|\d+[.])", lambda found: f"&#{ord(found[0][0])};{found[0][1:]}", unlinked)


def code(text: str) -> str:
    """Return foreign text as a code span that nothing inside can end, fit for a table cell."""
    shown = one_line(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if "`" in shown or not shown else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def render_markdown(run: Run) -> str:
    """Return the summary. The same run gives the same text."""
    text = "\n".join(_lines(run)) + "\n"
    return text if len(text) <= LENGTH_LIMIT else f"{text[:LENGTH_LIMIT]}\n\nCut here: the page has the rest.\n"


def _lines(run: Run) -> Iterator[str]:
    found = outcome(run)
    sign = STANDINGS[found.standing]
    yield from (
        f"# Parity: {sign.symbol} {sign.word}",
        "",
        f"**{plain(found.sentence)}** {plain(found.claims_sentence)}",
    )
    yield from ("", f"Begun {plain(run.started_at or 'at a time not recorded')} on {plain(run.machine or '?')}.")
    if run.benchmarks:
        fsync = run.benchmarks.raw.environment.fsync
        yield f"One fsync on this disk: **{quantity(fsync.median_us, 'us')}** (p90 {quantity(fsync.p90_us, 'us')})."
    yield from ("", f"This run again: {code(run.command)}")
    if run.judged:
        yield from _matrix("Create, step by step", "Step", run, create_rows(run))
        yield from _matrix("All other operations", "Operation", run, operation_rows(run))
        yield from _mending(mending(run))
        yield from _cards("Failures", failures(run))
        yield from _cards("Deviations", deviations(run), DEVIATIONS_ARE)
        yield from _contract_defects(contract_defects(run))
    yield from _claims(run)
    yield from _gaps(run)


def _matrix(title: str, corner: str, run: Run, rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    heads = [corner, *(f"{one.store} {one.profile}" for one in run.judged)]
    body = ([plain(row.name), *(_cell(cell) for cell in row.cells)] for row in rows)
    yield from ("", f"## {title}", "", *_table([plain(head) for head in heads], body))


def _cell(cell: Cell) -> str:
    sign = sign_of(cell.verdict)
    count = f" {cell.passed}/{cell.total}" if cell.total else ""
    should = f" ({cell.should_failed} SHOULD not met)" if cell.should_failed else ""
    blocked = f", {len(cell.blocked)} blocked" if cell.blocked else ""
    return f"{sign.symbol} {sign.word}{count}{blocked}{should}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _mending(found: Mending) -> Iterator[str]:
    if not found.exists:
        return
    yield from ("", "## Mend first", "", f"{plain(found.headline)}.", "")
    for number, row in enumerate(found.rows, start=1):
        cause = row.cause
        where = f" ({plain(cause.where)})" if cause.where else ""
        yield f"{number}. **{plain(cut(cause.sentence, 500))}**{where}: {counted(len(cause.explains), 'failure')}"
        yield from (f"   - or: {plain(cut(sentence, 500))}" for sentence in cause.also)
        yield f"   - {plain(cause.sure)}"
        yield f"   - shows in {code(cause.telling)}: {plain(cut(row.shown, 300))}"
    if found.more:
        yield from ("", f"{counted(found.more, 'more cause')}: `parity diagnose RUN`")
    for place, names in found.unexplained.items():
        yield from ("", f"Nothing known explains {', '.join(map(code, names))} ({plain(place)}).")


def _contract_defects(found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if found:
        yield from ("", f"## Findings about the contract ({len(found)})", "")
        yield from (f"- {plain(text)} Asked for by {', '.join(map(code, ids))}." for text, ids in found.items())


def _cards(title: str, found: Sequence[Failure], explained: str = "") -> Iterator[str]:
    if not found:
        return
    yield from ("", f"## {title} ({len(found)})", *(("", explained) if explained else ()))
    own = [failure for failure in found if not failure.blocked_by]
    for failure in own[:FAILURES_SHOWN]:
        sign = VERDICTS[failure.verdict]
        yield from ("", f"### {sign.symbol} {sign.word} {code(failure.id)}, {failure.level}")
        yield from ("", plain(cut(failure.sentence, 500)), "")
        yield f"On: {', '.join(code(one.judged.name) for one in failure.occurrences)}"
        first = failure.occurrences[0].result
        if first.verdict in {Verdict.DEVIATION, Verdict.FLAKY}:
            yield from ("", plain(cut(first.reason, 500)), "")
        for problem in first.problems[:5]:
            against = f" Expected {code(cut(problem.expected, 200))}," if problem.expected else ""
            actual = f" actual {code(cut(problem.actual, 200))}." if problem.actual else ""
            yield f"- {plain(cut(problem.text, 400))}{against}{actual}"
        if failure.blocks:
            yield from ("", f"Keeps from being asked: {', '.join(code(name) for name in failure.blocks)}")
        yield from ("", f"Reproduce: {code(first.reproduce or failure.occurrences[0].judged.command)}")
    if len(own) > FAILURES_SHOWN:
        yield from ("", f"{len(own) - FAILURES_SHOWN} more are on the page.")


def _claims(run: Run) -> Iterator[str]:
    groups = claim_groups(run)
    if not groups:
        return
    rows = [
        (
            plain(group.title),
            plain(row.judged.payload),
            plain(row.judged.durability),
            f"{CLAIMS[row.judged.verdict].symbol} {row.judged.verdict}",
            plain(group.range),
            plain(row.ratio),
            plain(row.interval),
            plain(row.meaning),
        )
        for group in groups
        for row in group.rows
    ]
    heads = ("Claim", "Agents", "Durability", "Verdict", "Claimed", "Measured", "Interval", "What it means")
    yield from ("", "## Claims", "", *_table(heads, rows))
    lines = dict.fromkeys(row.judged.reproduce for group in groups for row in group.rows)
    yield from ("", *(f"- Again: {code(line)}" for line in lines))


def _gaps(run: Run) -> Iterator[str]:
    found = gaps(run)
    if not found:
        return
    total = sum(gap.count for gap in found)
    rows = [(plain(gap.what), plain(gap.where), str(gap.count), plain(cut(gap.reason, 300))) for gap in found]
    yield from ("", "<details><summary>", f"Not measured: {counted(total, 'thing')}, and why", "</summary>", "")
    yield from _table(("What", "Where", "Count", "Why"), rows)
    yield from ("", "</details>")
