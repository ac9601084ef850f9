"""The event channel, watched while a check works."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Self

import grpc
from google.protobuf.message import DecodeError

from conformance import samples
from conformance.evidence import Exchange, Json, value_at
from conformance.methods import METHODS
from conformance.session import Session, SetupRefused
from conformance.target_client import as_json

WATCH = METHODS["event.watch"]
WATCH_CALLS = 60
"""A watch may last as long as so many calls: it goes on while a check works, however slow the server is."""


class Watch:
    """A watch on all events from now on. Use it in a `with`; at its end it becomes one exchange."""

    def __init__(self, session: Session, label: str, *, role: str | None = None) -> None:
        self._session, self._label = session, label
        self._role = session.context.caller if role is None else role
        self._seen: list[Json] = []
        self._ended = ""
        self._lost = False
        self._changed = threading.Condition()
        self._sent = time.monotonic()
        call: Any = session.client.channel.unary_stream(WATCH.path, None, None)
        self._request = WATCH.request(from_now=True)
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
        if not self._seen:
            self.__exit__()
            raise SetupRefused(f"precondition: the watch sent no bookmark ({self._ended or 'nothing'})")
        return self

    def __exit__(self, *_: object) -> None:
        self._call.cancel()
        self._thread.join(self._session.client.deadline_seconds)
        client = self._session.client
        self._session.record(
            Exchange(
                seq=client.next_seq(),
                check=self._session.check,
                label=self._label,
                step=WATCH.name,
                role=self._role,
                method=WATCH.path,
                request=as_json(self._request),
                code="OK" if self._ended in {"", "CANCELLED"} else self._ended,
                responses=tuple(self._seen),
                lost=self._lost,
                at_ms=round((self._sent - client.started) * 1000, 3),
                elapsed_ms=round((time.monotonic() - self._sent) * 1000, 3),
            )
        )

    def catch_up(self) -> None:
        """Make a last change and wait for its event, at most the run's time for events.

        The channel has the order of the commits, so whatever was to be announced before has come by then: that an event
        is missing, or came twice, is known by this and not by the clock.
        """
        session = self._session
        last = session.need("last.change", "environment.create", samples.environment(session.name(), session.org))

        def there() -> bool:
            return any(value_at(row, "event.subject") == last.metadata.id for row in self._seen)

        self._wait(there, session.context.event_seconds)

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


def events_about(exchange: Exchange, subject: str) -> list[Json]:
    """Return the events about one resource, each once however often it was sent, in the order they came."""
    found: dict[str, Json] = {}
    for row in exchange.responses:
        event = row.get("event")
        if event is not None and event.get("subject") == subject:
            found.setdefault(event.get("id", str(len(found))), event)
    return list(found.values())
