"""The colours of the page, once for light and once for dark. A test holds every text colour to WCAG AA contrast."""

from __future__ import annotations

LIGHT: dict[str, str] = {
    "page": "#f6f7f9",
    "card": "#ffffff",
    "sunk": "#eef0f4",
    "line": "#d5dae2",
    "text": "#1a2029",
    "soft": "#566070",
    "link": "#0b57c2",
    "good": "#0d6b39",
    "good-back": "#dff3e6",
    "bad": "#b3201c",
    "bad-back": "#fde7e5",
    "warn": "#7f5200",
    "warn-back": "#fdf0d0",
    "idle": "#566070",
    "idle-back": "#eef0f4",
    "fault": "#7a2fb0",
    "fault-back": "#f2e6fb",
    "band": "#cfe0f8",
    "series-1": "#1f6fd6",
    "series-2": "#c2570c",
    "series-3": "#16805c",
    "series-4": "#8a4fbf",
    "series-5": "#a8730a",
    "series-6": "#b83a6b",
}

DARK: dict[str, str] = {
    "page": "#12151b",
    "card": "#1b2029",
    "sunk": "#262c37",
    "line": "#3a4250",
    "text": "#e8ebf0",
    "soft": "#a7b0be",
    "link": "#8ab8ff",
    "good": "#6fdb9c",
    "good-back": "#15382a",
    "bad": "#ff9d94",
    "bad-back": "#4a1f1f",
    "warn": "#f3c463",
    "warn-back": "#40321a",
    "idle": "#a7b0be",
    "idle-back": "#262c37",
    "fault": "#d5a8fb",
    "fault-back": "#38254a",
    "band": "#28405f",
    "series-1": "#6aa8ff",
    "series-2": "#f2995c",
    "series-3": "#4fc79b",
    "series-4": "#c09af0",
    "series-5": "#e0b04c",
    "series-6": "#f08ab3",
}

TEXT_PAIRS: tuple[tuple[str, str], ...] = (
    *((text, back) for text in ("text", "soft", "link") for back in ("page", "card", "sunk")),
    *((kind, f"{kind}-back") for kind in ("good", "bad", "warn", "idle", "fault")),
    *((kind, "card") for kind in ("good", "bad", "warn", "idle", "fault")),
)
"""(text, background) pairs that the style sheet uses: 4.5 to 1 at least."""

MARK_PAIRS: tuple[tuple[str, str], ...] = tuple((f"series-{number}", "card") for number in range(1, 7))
"""(mark, background) pairs of charts: 3 to 1 at least."""

SERIES = 6
"""How many series colours there are; more series begin again at the first."""


def declarations(palette: dict[str, str]) -> str:
    """Return a palette as CSS custom properties."""
    return "".join(f"--{name}:{value};" for name, value in palette.items())
