"""`parity help TOPIC`: what the guides say of a topic, from the guides themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from parity.commands import COMMANDS
from parity.lazy import load
from parity.problems import Problem
from stores.listing import listed
from stores.registry import schemes
from terminal.lines import width, wrapped

_INSTALLED = Path(__file__).with_name("guides")
GUIDES = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[1] / "docs" / "guides"
"""The guides are packed beside this module; in a clone they are where they are written."""
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: the sections (guide, heading) that explain it; an empty heading is a whole guide."""

    name: str
    summary: str
    sections: tuple[tuple[str, str], ...]


TOPICS: tuple[Topic, ...] = (
    Topic("stores", "store URLs, their options, durability", (("run-the-server.md", ""),)),
    Topic("targets", "what `parity conform` can judge", (("judge-a-server.md", "Targets"),)),
    Topic("profiles", "cloud and oss", (("judge-a-server.md", "Profiles"), ("judge-a-server.md", "Credentials"))),
    Topic("exit-codes", "what commands end with", (("judge-a-server.md", "Exit codes"), ("client.md", "Exit codes"))),
    Topic("known-failing", "to hold a server to exactly what is known", (("judge-a-server.md", "Known failures"),)),
    Topic("features", "what a server may leave out", (("judge-a-server.md", "Features"),)),
    Topic("output", "the fields of -o json", (("output.md", ""),)),
)


def explain(
    topic: Annotated[str, typer.Argument(metavar="[TOPIC]", help="A topic or a command; without one: which.")] = "",
) -> None:
    """Explain a topic, or show the help of a command."""
    row = next((one for one in COMMANDS if one.name == topic), None)
    found = next((one for one in TOPICS if one.name == topic), None)
    if found is not None:
        lines = text_of(found, width())
    elif row is not None and row.name != "help":
        load(row).main(["--help"], prog_name=f"parity {row.name}")
        return
    elif topic and topic != "help":
        raise Problem(f"there is no topic {topic!r}", hint=f"There are: {', '.join(one.name for one in TOPICS)}.")
    else:
        lines = (line for one in TOPICS for line in wrapped(f"{one.name:<14} {one.summary}", width()))
    for line in lines:
        typer.echo(line)


def text_of(topic: Topic, columns: int | None) -> Iterator[str]:
    """Yield what the guides say of a topic, in lines of at most so many columns (None: as long as they are)."""
    if topic.name == "stores":
        yield from wrapped("A store is named by a URL: SCHEME:PATH?OPTION=VALUE&OPTION=VALUE.", columns)
        for row in map(listed, schemes().values()):
            yield from wrapped(f"{row.url} {row.summary}", columns)
            for name, choices in row.options.items():
                yield from wrapped(f"{name}={'|'.join(choices)}", columns, "    ")
        yield ""
    for number, (guide, heading) in enumerate(topic.sections):
        if number:
            yield ""
        yield from plain(section((GUIDES / guide).read_text(encoding="utf-8"), heading), columns)


def section(text: str, heading: str) -> str:
    """Return what stands under a heading of the second level; all of a guide if it is empty. Raises KeyError."""
    if not heading:
        return text
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise KeyError(heading)
    return f"## {heading}\n{found[1]}"


def plain(markdown: str, columns: int | None) -> Iterator[str]:
    """Yield Markdown as plain lines: paragraphs and items are broken anew, a table's row is a line, code stays."""
    paragraph: list[str] = []
    code = False
    for line in [*markdown.strip().splitlines(), ""]:
        starts = line.startswith(("```", "|", "- ", "#")) or not line.strip()
        if code or starts:
            yield from _paragraph(" ".join(paragraph), columns)
            paragraph = []
        if line.startswith("```"):
            code = not code
        elif code:
            yield f"    {line}"
        elif line.startswith("|"):
            yield from _row(line, columns)
        elif line.startswith("#"):
            yield from wrapped(line.lstrip("# "), columns)
        elif line.strip():
            paragraph.append(line.strip())
        else:
            yield ""


def _paragraph(text: str, columns: int | None) -> Iterator[str]:
    if text:
        yield from wrapped(_LINK.sub(r"\1", text), columns)


def _row(line: str, columns: int | None) -> Iterator[str]:
    cells = [_LINK.sub(r"\1", cell.strip()) for cell in line.strip().strip("|").split("|")]
    if not set("".join(cells)) <= set("-: "):
        yield from wrapped(f"{cells[0]}: {'; '.join(cells[1:])}", columns, "  ")
