"""Two runs side by side as a page: what was mended, what broke, what became slower, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.compare import Change, ClaimChange, Comparison, Pace
from reports.html.charts import MIDDLE, ROW, TICKS
from reports.html.shell import render
from reports.html.svg import Scale, axis, canvas, dot, grid, span, upright
from reports.numbers import times
from reports.views.words import Sign

SIGNS = {
    Change.BROKEN: Sign("bad", "✕", "broken"),
    Change.MENDED: Sign("good", "✓", "mended"),
    Change.OTHER: Sign("idle", "~", "changed"),
    Change.ADDED: Sign("idle", "+", "new"),
    Change.REMOVED: Sign("warn", "-", "only in the first"),
}


@dataclass(frozen=True, slots=True)
class _Drawn:
    pace: Pace
    drawing: Markup
    sign: Sign


def render_comparison(found: Comparison) -> str:
    """Return the page."""
    claims = [one for one in found.claims if one.verdict_changed or one.moved]
    paces = [one for one in found.paces if one.moved]
    scale = Scale.around([end for one in paces for end in (one.low, one.high)] or [1.0])
    return render(
        "comparison.html.j2",
        found=found,
        changes=[(SIGNS[kind], [one for one in found.verdicts if one.change is kind]) for kind in Change],
        claims=[(one, _claim(one)) for one in claims],
        paces=[_Drawn(one, _drawing(one, scale), _sign(one)) for one in paces],
        axis=axis(scale, [(value, times(value)) for value in scale.ticks(TICKS)]),
        signs=SIGNS,
    )


def _claim(one: ClaimChange) -> Sign:
    if one.verdict_changed:
        return Sign("warn", "~", "judged otherwise")
    return Sign("idle", "~", "moved")


def _sign(one: Pace) -> Sign:
    return Sign("bad", "▲", one.word) if one.low > 1 else Sign("good", "▼", one.word)


def _drawing(one: Pace, scale: Scale) -> Markup:
    kind = _sign(one).kind
    return canvas(
        ROW,
        *grid(scale, ROW, TICKS),
        upright(scale, 1.0, 0, ROW, "one"),
        span(scale, one.low, one.high, MIDDLE - 1.5, 3, f"fill-{kind}"),
        dot(scale, one.factor, MIDDLE, 4, f"fill-{kind} halo"),
    )
