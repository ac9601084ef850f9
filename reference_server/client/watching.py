"""`get --watch`: what is there, then every change, by events or (where a server has none) by looking again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
import typer

from reference_server.client.events import POLL_SECONDS, Change, Watch, changes_by_looking
from reference_server.client.failures import Refused
from reference_server.client.kinds import Kind, name_of
from reference_server.client.session import Session

Look = Callable[[], list[Any]]
Fits = Callable[[Any], bool]


def watch(session: Session, look: Look, fits: Fits, *, named: bool) -> None:
    """Show what `look` finds and then every change of it, until Ctrl-C or the server ends.

    Args:
        session: Where, and how to print.
        look: Reads what is to be watched.
        fits: Whether a resource of the session's kind belongs to that.
        named: Only what the first look finds is watched; else also what is new.
    """
    try:
        with Watch(session.server) as events:
            found = look()
            _show_first(session, found)
            ids = {one.metadata.id for one in found}
            for change in _changes(events, session.resources.kind):
                if fits(change.resource) and (not named or change.resource.metadata.id in ids):
                    _show(session, change)
    except Refused as refused:
        if refused.code is not grpc.StatusCode.UNIMPLEMENTED:
            raise
        typer.echo(f"this server has no events: it is asked again every {POLL_SECONDS:g} s", err=True)
        found = look()
        _show_first(session, found)
        for change in changes_by_looking(look, found):
            _show(session, change)


def _changes(events: Watch, kind: Kind) -> Iterator[Change]:
    while (event := events.next(None)) is not None:
        if event.kind is kind:
            yield Change(event.done, event.resource)


def _show_first(session: Session, found: Sequence[Any]) -> None:
    """Show what is there: people get a table, programs one resource after the other, as they will get the changes."""
    if session.output.is_for_people:
        session.show(found)
    else:
        for resource in found:
            session.show([resource], one=True)


def _show(session: Session, change: Change) -> None:
    if session.output.is_for_people:
        typer.echo(f"{name_of(session.resources.kind, change.resource)} {change.done}")
    else:
        session.show([change.resource], one=True)
