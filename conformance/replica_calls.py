"""Calls at a replica of one's choice, or at every one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import grpc

from conformance.evidence import NotAsked
from conformance.methods import Proto
from conformance.replicas import channels_of
from conformance.session import Session
from conformance.target_client import Call, Response

ONE_ADDRESS = "the target is one address; name its replicas with commas between, as in grpc://a:1,grpc://b:1"


@dataclass(frozen=True)
class Replicas:
    """The replicas of the target, by their places in its text."""

    session: Session
    channels: tuple[grpc.Channel, ...]

    @classmethod
    def of(cls, session: Session) -> Self:
        """Raises NotAsked where the target is one address."""
        channels = channels_of(session.client.channel)
        if not channels:
            raise NotAsked(ONE_ADDRESS)
        session.note("replicas", len(channels))
        return cls(session, channels)

    @property
    def places(self) -> range:
        """The numbers of the replicas."""
        return range(len(self.channels))

    def at(self, place: int, label: str, method: str, request: Proto, role: str | None = None) -> Response:
        """Make one call at one replica."""
        (answer,) = self.session.together([Call(label, method, request, role, channel=self.channels[place])])
        return answer

    def everywhere(self, label: str, method: str, request: Proto, role: str | None = None) -> None:
        """Make one call at every replica, as `LABEL.PLACE`."""
        self.session.together(
            Call(f"{label}.{place}", method, request, role, channel=channel)
            for place, channel in enumerate(self.channels)
        )
