"""A badge for a README: one small SVG that says what the last run came to."""

from __future__ import annotations

from reports.html.svg import element
from reports.models import Run
from reports.text import one_line
from reports.views.outcome import Standing, outcome

COLOURS = {
    Standing.GREEN: "#0d6b39",
    Standing.KNOWN: "#7f5200",
    Standing.RED: "#b3201c",
    Standing.INCOMPLETE: "#7f5200",
    Standing.FAULT: "#7a2fb0",
    Standing.NONE: "#566070",
}
LABEL = "parity"
HEIGHT = 20.0
CHARACTER = 6.6
"""Width of one character at 11 px in the fonts named below; the text is stretched to what this gives."""


def render_badge(run: Run) -> str:
    """Return the SVG."""
    found = outcome(run)
    message = found.standing.value
    if found.servers and found.standing is not Standing.NONE:
        message = f"{message}, {found.conformant} of {found.servers}"
    message = one_line(message)
    left, right = (len(text) * CHARACTER + 12 for text in (LABEL, message))
    badge = element(
        "svg",
        element("title", f"{LABEL}: {message}"),
        element("rect", width=left + right, height=HEIGHT, rx=4, fill=COLOURS[found.standing]),
        element("path", d=f"M4 0H{left:.2f}V20H4A4 4 0 0 1 0 16V4A4 4 0 0 1 4 0", fill="#3d4552"),
        element(
            "g",
            element("text", LABEL, x=6, y=14, textLength=left - 12),
            element("text", message, x=left + 6, y=14, textLength=right - 12),
            fill="#ffffff",
            font_family="Verdana,DejaVu Sans,sans-serif",
            font_size=11,
        ),
        xmlns="http://www.w3.org/2000/svg",
        width=left + right,
        height=HEIGHT,
        role="img",
        aria_label=f"{LABEL}: {message}",
    )
    return f"{badge.markup()}\n"
