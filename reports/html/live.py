"""The page that follows a run; what happens comes to it as server-sent events, and is put in as text alone."""

from __future__ import annotations

from reports.html.shell import render


def render_live(name: str, trouble: str = "") -> str:
    """Return the page. `trouble` says why a run that has ended has no page of its own."""
    return render("live.html.j2", more_script="live.js", name=name, trouble=trouble)
