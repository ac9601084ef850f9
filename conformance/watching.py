"""The event channel, watched while a check works."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Self

import grpc
from google.protobuf.message import DecodeError

from conformance import samples
from conformance.evidence import Exchange, Json, value_at
from conformance.methods import METHODS, Proto
from conformance.session import Session, SetupRefused
from conformance.target_client import Metadata, as_json

WATCH = METHODS["event.watch"]
WATCH_CALLS = 60
"""A watch may last as long as so many calls: it goes on while a check works, however slow the server is."""


def first_answer(session: Session, label: str, role: str | None, metadata: Metadata | None = None) -> Exchange:
    """Begin a watch, end it at its first answer (or its refusal), and keep that as one exchange."""
    client, request = session.client, WATCH.request(from_now=True)
    sent, code = time.monotonic(), "OK"
    rows: tuple[Json, ...] = ()
    call: Any = client.channel.unary_stream(WATCH.path, None, None)(
        request.SerializeToString(),
        timeout=client.deadline_seconds,
        metadata=session.metadata(role) if metadata is None else metadata,
        wait_for_ready=True,
    )
    try:
        rows = (as_json(WATCH.response.FromString(next(call))),)
    except grpc.RpcError:
        code = call.code().name
    call.cancel()
    exchange = _exchange(session, label, role or session.context.caller, request, sent, code, rows)
    session.record(exchange)
    return exchange


def _exchange(
    session: Session, label: str, role: str, request: Proto, sent: float, code: str, rows: tuple[Json, ...]
) -> Exchange:
    client = session.client
    return Exchange(
        seq=client.next_seq(),
        check=session.check,
        label=label,
        step=WATCH.name,
        role=role,
        method=WATCH.path,
        request=as_json(request),
        code=code,
        responses=rows,
        at_ms=round((sent - client.started) * 1000, 3),
        elapsed_ms=round((time.monotonic() - sent) * 1000, 3),
    )


class Watch:
    """A watch from now on, or from where it is told. Use it in a `with`; at its end it becomes one exchange.

    One from now on that is refused is a precondition that failed: entering it raises SetupRefused. One that resumes
    after a position which the target told itself is for the judge, however it is answered.
    """

    def __init__(
        self,
        session: Session,
        label: str,
        *,
        role: str | None = None,
        after: int | None = None,
        subject: str = "",
        channel: grpc.Channel | None = None,
    ) -> None:
        """Watch as a role; `after` a position (None: from now on), about one `subject` (empty: about all).

        `channel` is another than the run's.
        """
        self._session, self._label = session, label
        self._role = session.context.caller if role is None else role
        self._seen: list[Json] = []
        self._ended = ""
        self._lost = False
        self._changed = threading.Condition()
        self._sent = time.monotonic()
        call: Any = (channel or session.client.channel).unary_stream(WATCH.path, None, None)
        self._request = WATCH.request(from_now=after is None, after_position=after or 0, subject=subject)
        self._call = call(
            self._request.SerializeToString(),
            timeout=session.client.deadline_seconds * WATCH_CALLS,
            metadata=session.metadata(self._role),
            wait_for_ready=True,
        )
        self._thread = threading.Thread(target=self._read, name="conform-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(lambda: bool(self._seen), self._session.client.deadline_seconds)
        if not self._seen and self._request.from_now:
            self.__exit__()
            raise SetupRefused(f"precondition: the watch sent no bookmark ({self._ended or 'nothing'})")
        return self

    def __exit__(self, *_: object) -> None:
        self._call.cancel()
        self._thread.join(self._session.client.deadline_seconds)
        code = "OK" if self._ended in {"", "CANCELLED"} else self._ended
        rows = tuple(self._seen)
        made = _exchange(self._session, self._label, self._role, self._request, self._sent, code, rows)
        self._session.record(replace(made, lost=self._lost))

    @property
    def began_after(self) -> int:
        """The position that the bookmark, which comes first, tells."""
        return int(self._seen[0].get("position", 0))

    def catch_up(self, *, org: str = "", maker: str | None = None) -> str:
        """Make a last change that the watcher may see and wait for its event, at most the run's time for events.

        The channel has the order of the commits, so whatever was to be announced before has come by then: that an event
        is missing, or came twice, is known by this and not by the clock. `maker` changes something in `org`; without
        them, the ordinary caller in the run's first organization. Returns the id of what was changed.
        """
        session = self._session
        request = samples.environment(session.name(), org or session.org)
        last = session.need(f"last.{self._label}", "environment.create", request, role=maker)
        self.wait_for(last.metadata.id)
        return str(last.metadata.id)

    def wait_for(self, subject: str, count: int = 1) -> None:
        """Wait for so many events about a resource, at most the run's time for events."""
        self._wait(lambda: len(self._positions(subject)) >= count, self._session.context.event_seconds)

    def read_through(self, subject: str) -> None:
        """Read until the event about a resource, as long as others come: a backlog takes what it takes."""
        before = -1
        while not self._positions(subject) and len(self._seen) > before:
            before = len(self._seen)
            self._wait(partial(self._went_on, before, subject), self._session.context.event_seconds)

    def _went_on(self, before: int, subject: str) -> bool:
        return len(self._seen) > before or bool(self._positions(subject))

    def position_of(self, subject: str) -> int:
        """Return the position of the first event about a resource. Raises SetupRefused where none came."""
        found = self._positions(subject)
        if not found:
            raise SetupRefused(f"precondition: no event about {subject} came")
        return found[0]

    def _positions(self, subject: str) -> list[int]:
        return [int(row.get("position", 0)) for row in self._seen if value_at(row, "event.subject") == subject]

    def _wait(self, done: Callable[[], bool], seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: done() or bool(self._ended), seconds)

    def _read(self) -> None:
        ended = "OK"
        try:
            for data in self._call:
                row = as_json(WATCH.response.FromString(data))
                with self._changed:
                    self._seen.append(row)
                    self._changed.notify_all()
        except grpc.RpcError:
            ended = self._call.code().name
            self._lost = self._session.client.lost(ended, self._call.details() or "")
        except DecodeError:
            ended = "the answer is no WatchResponse"
        with self._changed:
            self._ended = ended
            self._changed.notify_all()


def events_in_order(exchange: Exchange) -> list[tuple[int, str]]:
    """Return position and id of each event that a watch was told, as often as it was."""
    return [(int(row.get("position", 0)), value_at(row, "event.id")) for row in exchange.responses if "event" in row]


CHANGES = frozenset({"created", "updated", "deleted"})


def change_of(event: Json) -> str:
    """Return the last word of an event's type, which says the change; what else is in it is a server's choice."""
    return str(event.get("type", "")).rpartition(".")[2]


def events_about(exchange: Exchange, subject: str) -> list[Json]:
    """Return the events about one resource, each once however often it was sent, in the order they came."""
    found: dict[str, Json] = {}
    for row in exchange.responses:
        event = row.get("event")
        if event is not None and event.get("subject") == subject:
            found.setdefault(event.get("id", str(len(found))), event)
    return list(found.values())
