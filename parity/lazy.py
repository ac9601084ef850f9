"""A command group that knows its commands by name and summary, and imports one only when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, TypeVar

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from parity.commands import COMMANDS, CommandRow


def load(row: CommandRow) -> TyperCommand | TyperGroup:
    """Import the command of a row. Raises ImportError or AttributeError when the row is wrong."""
    target = getattr(import_module(row.module), row.attribute)
    if isinstance(target, typer.Typer):
        return _plainly_told(typer.main.get_group(target))
    application = typer.Typer(add_completion=False)
    application.command(row.name)(target)
    command = typer.main.get_command(application)
    if not isinstance(command, TyperCommand):
        raise TypeError(f"{row.module}.{row.attribute} makes no single command")
    return _plainly_told(command)


Told = TypeVar("Told", TyperCommand, TyperGroup)


def _plainly_told(command: Told) -> Told:
    """Let help texts be shown as they are written: `[features]` in one is a table of a file, no markup."""
    for one in (command, *getattr(command, "commands", {}).values()):
        one.help = escape(one.help or "")
        for parameter in one.params:
            if getattr(parameter, "help", None):
                parameter.help = escape(parameter.help)
    return command


class LazyGroup(TyperGroup):
    """The group of all rows. Help and completion of names read the rows; calling one imports its module."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - handed on as typer gives them
        super().__init__(**settings)
        self._rows = {row.name: row for row in COMMANDS}
        for row in COMMANDS:
            self.add_command(TyperCommand(row.name, callback=None, help=row.summary))

    def resolve_command(
        self,
        ctx: Any,  # noqa: ANN401 - typer keeps the type of its contexts to itself
        args: Sequence[str],
    ) -> tuple[str | None, Any, list[str]]:
        """Find the command of the first argument, and import it."""
        name, command, rest = super().resolve_command(ctx, list(args))
        row = self._rows.get(name or "")
        return name, load(row) if row else command, rest
