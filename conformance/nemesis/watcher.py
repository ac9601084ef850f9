"""Watches of the event channel: one that goes on under the faults, and one that reads everything again afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from conformance.methods import METHODS, Proto
from conformance.nemesis.client import value_of
from conformance.nemesis.history import HistoryWriter
from conformance.target_client import Metadata
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent

AGAIN_SECONDS = 0.05
"""The time between the end of a watch and the next."""
STREAM_SECONDS = 30.0
"""A watch is ended and resumed after this at the latest, so that resuming is tried where nothing breaks it."""


@dataclass
class Watcher:
    """One watch, resumed after its last position wherever it ends, until it is told to stop."""

    name: str
    channels: Sequence[grpc.Channel]
    metadata: Metadata
    history: HistoryWriter
    random: Random
    position: int = 0
    resumed: int = 0
    last: str = ""
    """The subject of the last event."""
    _ended: threading.Event = field(default_factory=threading.Event)
    _call: Any = None
    _heard: threading.Condition = field(default_factory=threading.Condition)

    def begin_now(self, seconds: float) -> bool:
        """Take the position at which the channel is now; say whether there is one."""
        for row in self._stream(METHODS["event.watch"].request(from_now=True), seconds):
            self.position = row.position
            return True
        return False

    def run(self) -> None:
        """Watch until `stop`."""
        while not self._ended.is_set():
            request = METHODS["event.watch"].request(after_position=self.position)
            self.history.write("info", self.name, "watch", value={"after": self.position})
            for row in self._stream(request, STREAM_SECONDS):
                if row.HasField("event"):
                    self._tell(row)
            self.resumed += 1
            self._ended.wait(AGAIN_SECONDS)

    def stop(self) -> None:
        """End the watch."""
        self._ended.set()
        if self._call is not None:
            self._call.cancel()

    def wait_for(self, subject: str, seconds: float) -> bool:
        """Wait until an event about a resource has come; say whether one did."""
        with self._heard:
            return self._heard.wait_for(lambda: self.last == subject, seconds)

    def _tell(self, row: Proto) -> None:
        event = row.event
        agent = Agent()
        held = event.data.Unpack(agent)
        value = {
            "position": row.position,
            "id": event.id,
            "change": event.type.rpartition(".")[2],
            "subject": event.subject,
            "value": value_of(agent) if held else "",
        }
        self.history.write("info", self.name, "event", agent.metadata.slug if held else "", value)
        self.position = row.position
        with self._heard:
            self.last = event.subject
            self._heard.notify_all()

    def _stream(self, request: Proto, seconds: float) -> Iterator[Proto]:
        method = METHODS["event.watch"]
        opened: Any = self.random.choice(self.channels).unary_stream(method.path, None, None)
        self._call = opened(request.SerializeToString(), timeout=seconds, metadata=self.metadata, wait_for_ready=True)
        try:
            for data in self._call:
                yield method.response.FromString(data)
        except (grpc.RpcError, DecodeError):
            return
        finally:
            self._call.cancel()


def in_background(run: Callable[[], None], name: str) -> threading.Thread:
    """Run something in a thread of its own."""
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
