"""The reference of the command line, made of the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from parity.commands import COMMANDS
from parity.lazy import load

FILE = "commands.md"


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("# The command line", "", "Made of `parity --help` and the help of each command.", "")
    yield from (f"- [`parity {row.name}`](#parity-{row.name}): {row.summary}" for row in COMMANDS)
    for row in COMMANDS:
        yield from ("", *_command(load(row), f"parity {row.name}", 2))


def _command(command: TyperCommand | TyperGroup, name: str, depth: int) -> Iterator[str]:
    yield from (f"{'#' * depth} {name} {{ #{name.replace(' ', '-')} }}", "", _unescaped(command.help or ""), "")
    context = typer.Context(command, info_name=name)
    if isinstance(command, TyperGroup):
        for child in command.commands.values():
            if isinstance(child, TyperCommand | TyperGroup) and not child.hidden:
                yield from _command(child, f"{name} {child.name}", depth + 1)
        return
    yield from ("```sh", " ".join([name, *command.collect_usage_pieces(context)]), "```", "")
    rows = [row for row in (_parameter(one, context) for one in command.params) if row]
    if rows:
        yield from ("| option | meaning | default |", "|---|---|---|", *rows, "")


def _parameter(one: Any, context: Any) -> str:  # noqa: ANN401 - typer keeps the types of its parameters to itself
    if getattr(one, "hidden", False) or "--help" in one.opts:
        return ""
    names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts)) if one.opts[0][:1] == "-" else ""
    names = names or f"`{one.metavar or one.name.upper()}`"
    default = one.get_default(context)
    shown = (
        "" if default is None or default is False or default in ("", ()) else f"`{getattr(default, 'value', default)}`"
    )
    return f"| {names} | {_unescaped(one.help or '').replace('|', chr(92) + '|')} | {shown} |"


def _unescaped(text: str) -> str:
    """Help texts are escaped for rich; a page shows brackets as they are."""
    return " ".join(text.replace("\\[", "[").split()).replace("<", "&lt;")
