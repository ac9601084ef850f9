"""Write a run's reports. A reader never finds half of one: each file is written beside its place, then moved there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from reports.badge import render_badge
from reports.errors import ReportUnwritable
from reports.html import render_page
from reports.junit import render_junit
from reports.markdown import render_markdown
from reports.models import Run
from reports.read import read_run


class Format(StrEnum):
    """What a run can be rendered as."""

    HTML = "html"
    MARKDOWN = "md"
    JUNIT = "junit"
    BADGE = "badge"


FORMATS: dict[Format, tuple[str, Callable[[Run], str]]] = {
    Format.HTML: ("report.html", render_page),
    Format.MARKDOWN: ("report.md", render_markdown),
    Format.JUNIT: ("junit.xml", render_junit),
    Format.BADGE: ("badge.svg", render_badge),
}
"""File name and renderer of each format, in the order they are written."""


def write_all(
    run_dir: Path, out: Path | None = None, formats: Sequence[Format] = tuple(Format), *, docs: str = ""
) -> dict[Format, Path]:
    """Read a run directory and write its reports.

    Args:
        run_dir: the directory of a run, whatever part of one it holds.
        out: where the reports go; by default into the run directory itself.
        formats: which to write; by default all.
        docs: the address of the site of documents, for links from requirements; empty: none.

    Returns:
        The path of each file written.

    Raises:
        RunUnreadable: the directory or a file in it can't be read.
        ReportUnwritable: a report can't be written.
    """
    run = replace(read_run(run_dir), docs=docs.rstrip("/"))
    place = out or run_dir
    return {chosen: write_whole(place / FORMATS[chosen][0], FORMATS[chosen][1](run)) for chosen in formats}


def write_whole(path: Path, content: str) -> Path:
    """Write a file in one piece and return its path. Raises ReportUnwritable."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(content, encoding="utf-8", newline="\n")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise ReportUnwritable(f"{path}: {error.strerror}", hint="name another place with --out or --html") from error
    return path
