"""`parity events`: what was done on a server, to one resource or to all that you may view."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from reference_server.client.events import Event, Watch, so_far
from reference_server.client.failures import BadInput
from reference_server.client.json_text import write_json_line
from reference_server.client.kinds import kind_called, time_of
from reference_server.client.plain import to_plain
from reference_server.client.session import Session, connected
from reference_server.client.table import GAP, printable
from reference_server.client.verbs import Org, Watching

_FORMS = ("table", "json")


def _events(
    session: Session,
    about: Annotated[str, typer.Argument(metavar="[KIND/SLUG_OR_ID]", help="Only about this one.")] = "",
    org: Org = "",
    after: Annotated[int, typer.Option("--after", min=0, help="Only behind this position.")] = 0,
    watch: Watching = False,
    output: Annotated[str, typer.Option("--output", "-o", help="table, or json: a line of JSON an event.")] = "table",
) -> None:
    """Tell what was done, in the order of the commits; --watch goes on with what is done from now on."""
    if output not in _FORMS:
        raise BadInput(f"-o {output}: there is no such form", hint="It can be table or json.")
    subject = _subject(session, about, org)
    if watch:
        with Watch(session.server, after=after, subject=subject) as events:
            _tell(iter(lambda: events.next(None), None), output)
    else:
        _tell(so_far(session.server, after=after, subject=subject), output)


def _subject(session: Session, about: str, org: str) -> str:
    """Return the id of the resource; one that is gone has to be named by its id."""
    if not about:
        return ""
    kind, name = kind_called(about)
    if name.startswith(f"{kind.resource.id_prefix}-"):
        return name
    return str(session.of(kind).find(name, org).metadata.id)


def _tell(events: Iterable[Event | None], form: str) -> None:
    for event in events:
        if event is not None:
            typer.echo(_json(event) if form == "json" else _line(event))


def _line(event: Event) -> str:
    word = event.kind.word if event.kind is not None else "?"
    slug = event.resource.metadata.slug if event.resource is not None else ""
    parts = (f"{event.position:>6}", time_of(event.time), f"{event.done:<7}", f"{word}/{slug or '-'}", event.subject)
    return GAP.join(printable(part) for part in parts)


def _json(event: Event) -> str:
    resource = {} if event.resource is None else to_plain(event.resource)
    return write_json_line(
        {
            "position": event.position,
            "time": event.time.ToJsonString(),
            "event": event.done,
            "subject": event.subject,
            "resource": resource,
        }
    )


events = connected(_events)
