"""What a server knows of its store: which records are damaged, and whether writes are refused.

Whoever meets an error of the store hands it in here, and gets what callers are told. `grpc.health.v1` tells the store's
health under the name `STORE_HEALTH`, beside that of the server, which goes on with all that isn't concerned.
"""

from __future__ import annotations

from collections.abc import Callable

import stores.contract
from reference_server.errors import ApiError, DataLoss, Internal, OutcomeUnknown, Unavailable
from reference_server.telemetry import log
from stores.contract import CorruptRecord, StoreDamaged, StoreError, StoreUnavailable

STORE_HEALTH = "parity.store"
"""The name of the store's health service: NOT_SERVING once damage was met, and while writes are refused."""
DAMAGES_MAX = 10_000
"""So many damaged records are told apart; each is logged once."""
UNKNOWN = "?"

Listener = Callable[[bool], None]
"""Hears whether the store is healthy, whenever that changes."""


class StoreHealth:
    """The health of one store, as its server has met it. Used on one event loop."""

    def __init__(self) -> None:
        self.damaged: set[tuple[str, str]] = set()
        """Kind and id of what couldn't be read back since the server began; `?` where the id isn't known."""
        self.refuses_writes = False
        self.listeners: list[Listener] = []
        self.on_damage: list[Callable[[str], None]] = []
        """Each hears the kind, whenever damage is met."""

    @property
    def is_healthy(self) -> bool:
        """Whether everything that was asked for could be read and written."""
        return not self.damaged and not self.refuses_writes

    def answer(self, error: StoreError) -> ApiError:
        """Take note of what an error says of the store, and return what it means to a caller."""
        if isinstance(error, CorruptRecord):
            return self._damage(error.kind, error.id, error)
        if isinstance(error, StoreDamaged):
            return self._damage(UNKNOWN, UNKNOWN, error)
        if isinstance(error, stores.contract.OutcomeUnknown):
            log().error("the outcome of a write is unknown", reason=str(error))
            return OutcomeUnknown(
                "the connection with the store broke, and what became of the request is unknown; read the resource, or "
                "send the same request again: it is refused if it was done"
            )
        if isinstance(error, StoreUnavailable):
            self.set_refuses_writes(str(error))
            return Unavailable("the store can't serve now; the operator finds the reason in the log. Try again later")
        return Internal("the store refused the request; the operator finds the reason in the log")

    def set_refuses_writes(self, reason: str | None) -> None:
        """Take note of why the store refuses writes, or (None) that it takes them again."""
        refuses = reason is not None
        if refuses != self.refuses_writes:
            before, self.refuses_writes = self.is_healthy, refuses
            if refuses:
                log().error("the store refuses writes", reason=reason)
            else:
                log().info("the store takes writes again")
            self._tell(before)

    def _damage(self, kind: str, id_: str, error: StoreError) -> DataLoss:
        if (kind, id_) not in self.damaged and len(self.damaged) < DAMAGES_MAX:
            before = self.is_healthy
            self.damaged.add((kind, id_))
            log().error("the store is damaged", kind=kind, id=id_, reason=str(error), hint=error.hint)
            self._tell(before)
        for each in self.on_damage:
            each(kind)
        return DataLoss(kind, id_)

    def _tell(self, before: bool) -> None:
        if self.is_healthy != before:
            for each in self.listeners:
                each(self.is_healthy)
