"""Several addresses of one server: each call goes to another replica, as the run's seed decides.

Whatever a requirement says of one call after another, it then says of calls to different replicas: what one
acknowledged is read from another, what one revoked is refused by another, a watch on one shows what another wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import grpc


class ReplicaChannel:
    """The part of a channel that the suite uses, over the channels of all replicas. Safe to use from many threads."""

    def __init__(self, channels: Sequence[grpc.Channel], seed: int) -> None:
        self.channels = tuple(channels)
        self._random = Random(seed)  # noqa: S311 - a choice that can be made again, no secret

    def unary_unary(self, *method: Any, **options: Any) -> Any:  # noqa: ANN401 - untyped library
        """See `grpc.Channel`."""
        return self._one().unary_unary(*method, **options)

    def unary_stream(self, *method: Any, **options: Any) -> Any:  # noqa: ANN401
        """See `grpc.Channel`."""
        return self._one().unary_stream(*method, **options)

    def stream_stream(self, *method: Any, **options: Any) -> Any:  # noqa: ANN401
        """See `grpc.Channel`."""
        return self._one().stream_stream(*method, **options)

    def _one(self) -> Any:  # noqa: ANN401
        return self._random.choice(self.channels)


def channels_of(channel: object) -> tuple[grpc.Channel, ...]:
    """Return the channels of all replicas, in the order of the target's text; none where it is one address."""
    return channel.channels if isinstance(channel, ReplicaChannel) else ()
