"""NATS JetStream as a sink: CloudEvents in binary mode, in order, at least once and, within a window, exactly once.

Messages of a chunk are on their way together, which is fast; each says which message must be the last before it
(`Nats-Expected-Last-Msg-Id`), so that none is stored after one that was lost. A chunk of which one message wasn't
acknowledged is delivered again as a whole, one message after the other, as a broker that was killed has forgotten which
was the last; the message id lets the stream drop what it has.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import nats
import nats.errors
from nats.aio.client import Client
from nats.js.api import StreamConfig
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.events.relay import Delivery
from reference_server.events.sink_url import NatsPlace

CONNECT_SECONDS = 2
ACK_SECONDS = 10.0
WINDOW_SECONDS = 600.0
"""How long the stream knows the ids of messages: longer than a broker is usually away."""
HEADERS_BYTES = 4096
"""What is left of the largest message for its headers."""
LEFT_OUT = "ce-databytesleftout"


class NatsSink:
    """One stream. It is connected with the first delivery, and anew after each failure."""

    def __init__(self, place: NatsPlace) -> None:
        self._place = place
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._one_by_one = False
        """Whether the last delivery failed, so that nobody knows what the stream's last message is."""
        self._waiting: list[asyncio.Future[Any]] = []
        """Messages on their way."""

    @property
    def name(self) -> str:
        """One cursor per server, stream and subject."""
        return self._place.name

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Publish, and wait until the stream holds all. Raises OSError, also where the broker is away."""
        try:
            client, stream = await self._connected()
            await self._publish(client, stream, deliveries)
            self._one_by_one = False
        except (OSError, nats.errors.Error) as error:
            self._one_by_one = True
            for future in self._waiting:
                future.cancel()
            await self.close()
            raise OSError(
                f"{self._place.server}, stream {self._place.stream}: {str(error) or type(error).__name__}"
            ) from error

    async def close(self) -> None:
        """Let the connection go."""
        client, self._client, self._stream = self._client, None, None
        if client is not None:
            await client.close()

    async def _connected(self) -> tuple[Client, JetStreamContext]:
        if self._client is not None and self._stream is not None and self._client.is_connected:
            return self._client, self._stream
        await self.close()
        # The client's own retries would take minutes; the relay comes again by itself.
        options: dict[str, Any] = {"allow_reconnect": False, "max_reconnect_attempts": 1, "reconnect_time_wait": 0}
        options |= {"connect_timeout": CONNECT_SECONDS, "error_cb": _ignored, "disconnected_cb": self._lost}
        if self._place.token_file is not None:
            options["token"] = self._place.token_file.read_text(encoding="utf-8").strip()
        if self._place.server.startswith("tls:"):
            options["tls"] = ssl.create_default_context(cafile=self._place.ca)
        async with asyncio.timeout(2 * CONNECT_SECONDS):
            self._client = await nats.connect(self._place.server, **options)
        self._stream = self._client.jetstream()
        await self._have_stream(self._stream)
        return self._client, self._stream

    async def _have_stream(self, stream: JetStreamContext) -> None:
        """Make the stream where there is none; one that is there stays as its owner made it."""
        try:
            await stream.stream_info(self._place.stream)
        except NotFoundError:
            subjects = [f"{self._place.subject}.>"]
            config = StreamConfig(name=self._place.stream, subjects=subjects, duplicate_window=WINDOW_SECONDS)
            await stream.add_stream(config)

    async def _publish(self, client: Client, stream: JetStreamContext, deliveries: Sequence[Delivery]) -> None:
        most = client.max_payload - HEADERS_BYTES
        self._waiting, before = [], ""
        for delivery in deliveries:
            headers, data = binary_form(delivery.event, most)
            headers |= {"Nats-Msg-Id": message_id(delivery)}
            if before and not self._one_by_one:
                headers["Nats-Expected-Last-Msg-Id"] = before
            before = headers["Nats-Msg-Id"]
            subject = f"{self._place.subject}.{_kind_and_change(delivery.event)}"
            sent = await stream.publish_async(subject, data, stream=self._place.stream, headers=headers)
            self._waiting.append(sent)
            if self._one_by_one:
                await self._acknowledged()
        await self._acknowledged()

    async def _acknowledged(self) -> None:
        """Wait until the stream holds all messages. Raises what kept it from one; TimeoutError."""
        waiting = self._waiting
        done, pending = await asyncio.wait(waiting, timeout=ACK_SECONDS) if waiting else (set(), set())
        self._waiting = []
        for future in pending:
            future.cancel()
        if failures := [error for future in done if (error := future.exception()) is not None]:
            raise failures[0]
        if pending:
            raise TimeoutError(f"{len(pending)} messages weren't acknowledged within {ACK_SECONDS:g} s")

    async def _lost(self) -> None:
        """Say to those who wait that no answer comes any more."""
        ended = ConnectionError("the connection ended before a message was acknowledged")
        for future in self._waiting:
            if not future.done():
                future.set_exception(ended)
                future.exception()  # whether anybody asks or not, it counts as seen


def message_id(delivery: Delivery) -> str:
    """Return what a stream knows a message by: the position, and the event's id, as another store counts anew."""
    return f"{delivery.position}.{delivery.event.id}"


def binary_form(event: CloudEvent, bytes_max: int) -> tuple[dict[str, str], bytes]:
    """Return headers and payload of an event; data that is too large is left out, and its size told."""
    attributes: Mapping[str, str] = {
        "specversion": event.spec_version,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time.ToJsonString(),
        "dataschema": event.data.type_url,
    }
    # Header values are ASCII: the rest is percent-encoded, as the bindings of CloudEvents say.
    headers = {f"ce-{name}": quote(value, safe=_UNQUOTED) for name, value in attributes.items()}
    headers["content-type"] = event.data_content_type
    if len(event.data.value) > bytes_max:
        return headers | {LEFT_OUT: str(len(event.data.value))}, b""
    return headers, event.data.value


_UNQUOTED = "!#$&'()*+,/:;=?@[]-._~{}|^`<>\\"


def _kind_and_change(event: CloudEvent) -> str:
    """Return `agent.created` of `ai.stigmer.agentic.agent.v1.created`."""
    parts = event.type.split(".")
    return f"{parts[-3]}.{parts[-1]}"


async def _ignored(error: Exception) -> None:
    """What went wrong is told by the call that it went wrong in."""
    del error
