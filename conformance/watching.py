"""The event channel, watched while a check works."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

import grpc
from google.protobuf.message import DecodeError

from conformance.evidence import Exchange, Json
from conformance.link import as_json
from conformance.methods import METHODS
from conformance.session import Session, SetupRefused

WATCH = METHODS["event.watch"]


class Watch:
    """A watch on all events from now on. Use it in a `with`; at its end it becomes one exchange."""

    def __init__(self, session: Session, label: str, *, role: str | None = None) -> None:
        self._session, self._label = session, label
        self._role = session.world.caller if role is None else role
        self._seen: list[Json] = []
        self._ended = ""
        self._changed = threading.Condition()
        self._sent = time.monotonic()
        call: Any = session.link.channel.unary_stream(WATCH.path, None, None)
        self._request = WATCH.request(from_now=True)
        self._call = call(
            self._request.SerializeToString(),
            timeout=session.link.deadline_seconds,
            metadata=session.metadata(self._role),
            wait_for_ready=True,
        )
        self._thread = threading.Thread(target=self._read, name="conform-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(lambda: bool(self._seen), self._session.link.deadline_seconds)
        if not self._seen:
            self._call.cancel()
            raise SetupRefused(f"precondition: the watch sent no bookmark ({self._ended or 'nothing'})")
        return self

    def __exit__(self, *_: object) -> None:
        self._call.cancel()
        self._thread.join(self._session.link.deadline_seconds)
        link = self._session.link
        self._session.record(
            Exchange(
                seq=link.next_seq(),
                check=self._session.check,
                label=self._label,
                step=WATCH.name,
                role=self._role,
                method=WATCH.path,
                request=as_json(self._request),
                code="OK" if self._ended in {"", "CANCELLED"} else self._ended,
                responses=tuple(self._seen),
                at_ms=round((self._sent - link.started) * 1000, 3),
                elapsed_ms=round((time.monotonic() - self._sent) * 1000, 3),
            )
        )

    def wait_for(self, subjects: Iterable[str], change: str = "created") -> None:
        """Wait until each subject has an event of this change, at most the run's time for events."""
        wanted = set(subjects)

        def all_there() -> bool:
            events = [row["event"] for row in self._seen if "event" in row]
            return wanted <= {e.get("subject") for e in events if e.get("type", "").endswith(f".{change}")}

        self._wait(all_there, self._session.world.event_seconds)

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
