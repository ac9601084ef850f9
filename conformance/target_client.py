"""One call over the wire: bytes out, bytes in, and what came of it, with a deadline on everything."""

from __future__ import annotations

import base64
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2  # noqa: F401 - registers the types that details are made of
from google.rpc.status_pb2 import Status

from conformance.evidence import Exchange, Json
from conformance.line import ended_under
from conformance.methods import Method, Proto
from conformance.target import Running
from conformance.traces import SpanLog

TIMEOUTS_IN_A_ROW_MAX = 3
GONE_AFTER_SECONDS = 2.0

Metadata = tuple[tuple[str, str], ...]


class TargetLost(Exception):
    """The target stopped answering: the run can't go on."""


@dataclass(frozen=True)
class Call:
    """One of many calls: the arguments of `Session.call`, and the channel where it isn't to be the run's."""

    label: str
    method: str
    request: Message
    role: str | None = None
    metadata: Metadata | None = None
    channel: grpc.Channel | None = None


@dataclass(frozen=True)
class Part:
    """What an exchange is within its check: see `conformance.evidence.Exchange`."""

    check: str
    label: str
    role: str


@dataclass(frozen=True)
class Response:
    """What came back: the exchange as evidence, and the message where one could be read."""

    exchange: Exchange
    message: Any = None

    @property
    def ok(self) -> bool:
        """Whether the call succeeded and its answer could be read."""
        return self.exchange.ok


@dataclass
class TargetClient:
    """The connection of a run to its target. Safe to use from many threads."""

    running: Running
    channel: grpc.Channel
    deadline_seconds: float
    spans: SpanLog | None = None
    """Where the target's spans arrive, if the suite listens for them."""
    started: float = field(default_factory=time.monotonic)
    _seq: Any = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _timeouts: int = 0

    def lost(self, code: str, message: str) -> bool:
        """Whether the line lost a call of this status. Between the suite and a command that it started is no line."""
        return not self.running.restartable and ended_under(code, message)

    def next_seq(self) -> int:
        """Return the next number of an exchange."""
        return int(next(self._seq))

    def call(
        self, part: Part, method: Method, request: Message, metadata: Metadata, *, keep_wire: bool = False
    ) -> Response:
        """Make one unary call. Raises TargetLost when nothing answers any more."""
        return PendingCall(self, part, method, request, metadata, keep_wire, waits=True).finish()

    def begin(
        self,
        part: Part,
        method: Method,
        request: Message,
        metadata: Metadata,
        *,
        keep_wire: bool = False,
        deadline_seconds: float | None = None,
    ) -> PendingCall:
        """Start one unary call; `finish()` waits for it. A deadline given here is meant to expire."""
        return PendingCall(self, part, method, request, metadata, keep_wire, deadline_seconds)

    def judge_silence(self, code: str, *, meant: bool) -> None:
        """Decide after a failed call whether the target is gone. Raises TargetLost."""
        if code not in {"DEADLINE_EXCEEDED", "UNAVAILABLE", "CANCELLED"} or meant:
            with self._lock:
                self._timeouts = 0
            return
        until = time.monotonic() + GONE_AFTER_SECONDS
        while not self.running.answers():
            if time.monotonic() > until:
                ended = self.running.epitaph()
                raise TargetLost(ended or f"nothing listens at {self.running.address.name} any more")
            time.sleep(0.05)
        with self._lock:
            self._timeouts += code == "DEADLINE_EXCEEDED"
            if self._timeouts >= TIMEOUTS_IN_A_ROW_MAX:
                raise TargetLost(
                    f"{self._timeouts} calls in a row had no answer within {self.deadline_seconds:g} s each"
                )


class PendingCall:
    """A unary call that was sent; or, if it `waits`, is sent by `finish()`, which costs less than a future."""

    def __init__(
        self,
        client: TargetClient,
        part: Part,
        method: Method,
        request: Message,
        metadata: Metadata,
        keep_wire: bool = False,
        deadline_seconds: float | None = None,
        *,
        waits: bool = False,
        channel: grpc.Channel | None = None,
    ) -> None:
        self._client, self._part, self._method = client, part, method
        self._request, self._keep_wire, self._meant = request, keep_wire, deadline_seconds is not None
        self._sent, self._ended = time.monotonic(), 0.0
        callable_: Any = (channel or client.channel).unary_unary(method.path, None, None)
        data = request.SerializeToString()
        options = {
            "timeout": deadline_seconds if deadline_seconds is not None else client.deadline_seconds,
            "metadata": metadata,
            "wait_for_ready": True,
        }
        self._wait: Callable[[], tuple[bytes | None, Any]]
        if waits:
            self._wait = partial(_called, callable_, data, options)
        else:
            future = callable_.future(data, **options)
            future.add_done_callback(self._note_end)
            self._wait = partial(_result, future)

    def _note_end(self, _: object) -> None:
        """Keep when the answer came: whoever has many calls under way looks at each of them later."""
        self._ended = time.monotonic()

    def finish(self) -> Response:
        """Wait for the answer (at most the deadline) and make evidence of it. Raises TargetLost."""
        data, message, fault, details = b"", None, "", ()
        answer, call = self._wait()
        if answer is not None:
            data = answer
            message, fault = _parse(self._method, data)
        else:
            details = _details(call.trailing_metadata())
        code = call.code().name
        exchange = Exchange(
            seq=self._client.next_seq(),
            check=self._part.check,
            label=self._part.label,
            step=self._method.name,
            role=self._part.role,
            method=self._method.path,
            request=as_json(self._request),
            code=code,
            message=call.details() or "",
            details=details,
            responses=(as_json(message),) if message is not None else (),
            fault=fault,
            wire=base64.b64encode(data).decode() if self._keep_wire else "",
            lost=self._client.lost(code, call.details() or ""),
            at_ms=round((self._sent - self._client.started) * 1000, 3),
            elapsed_ms=round(((self._ended or time.monotonic()) - self._sent) * 1000, 3),
        )
        self._client.judge_silence(code, meant=self._meant)
        return Response(exchange, message)


def _called(callable_: Any, data: bytes, options: dict[str, Any]) -> tuple[bytes | None, Any]:  # noqa: ANN401 - untyped library
    """Make a call and wait for it; return the answer's bytes, None for an error, and the call that ended."""
    try:
        answer, call = callable_.with_call(data, **options)
    except grpc.RpcError as error:
        return None, error
    return answer, call


def _result(future: Any) -> tuple[bytes | None, Any]:  # noqa: ANN401 - untyped library
    """Wait for a call that was sent; return as `_called` does."""
    return (None if future.exception() is not None else future.result()), future


def as_json(message: Message) -> Json:
    """Return a message as plain JSON values."""
    return MessageToDict(message, preserving_proto_field_name=True)


def _parse(method: Method, data: bytes) -> tuple[Proto, str]:
    try:
        return method.response.FromString(data), ""
    except DecodeError as error:
        return None, f"the answer is no {method.response.DESCRIPTOR.full_name}: {error} (begins {data[:32].hex()})"


def _details(trailers: Json) -> tuple[Json, ...]:
    for key, value in trailers or ():
        if key == "grpc-status-details-bin":
            try:
                status = Status.FromString(value)
            except DecodeError:
                return ({"fault": "grpc-status-details-bin can't be parsed"},)
            return tuple(_detail(detail) for detail in status.details)
    return ()


def _detail(detail: Proto) -> Json:
    try:
        return MessageToDict(detail, preserving_proto_field_name=True)
    except TypeError:
        return {"@type": detail.type_url, "bytes": len(detail.value)}
