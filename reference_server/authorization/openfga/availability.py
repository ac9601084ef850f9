"""What a server knows of its OpenFGA: whether it answers, with the right model, and why not.

While it doesn't, questions are refused at once: nobody waits for an answer that won't come. A background task asks
until it answers again.
"""

from __future__ import annotations

from collections.abc import Callable

from reference_server.authorization.openfga.client import OpenFgaError
from reference_server.errors import AuthorizerUnavailable
from reference_server.telemetry import log

FAILURES_MAX = 3
"""So many calls in a row may fail for a reason that may pass, before the others are spared the wait."""

Listener = Callable[[bool], None]


class Availability:
    """The health of one OpenFGA, as its server has met it. Used on one event loop."""

    def __init__(self) -> None:
        self.model = ""
        """The id of the model that was found to be ours; empty: none was yet."""
        self.listeners: list[Listener] = []
        self._refusal = "it wasn't asked yet"
        self._undelivered = ""
        self._failures = 0
        self._disagreements = 0

    @property
    def answers(self) -> bool:
        """Whether questions are asked at all."""
        return not self._refusal

    @property
    def is_healthy(self) -> bool:
        """Whether it answers, and takes what the store delivers."""
        return not self._refusal and not self._undelivered

    def require(self) -> None:
        """Raises AuthorizerUnavailable while it doesn't answer."""
        if self._refusal:
            raise AuthorizerUnavailable

    def answered(self) -> None:
        """Note that a question was answered."""
        self._failures = 0

    def failed(self, error: OpenFgaError) -> None:
        """Note that a question wasn't answered."""
        self._failures += 1
        if not error.passing or self._failures >= FAILURES_MAX:
            self._set(str(error), self._undelivered)

    def ready(self, model: str) -> None:
        """Note that it has our model, under this id, and answers."""
        self.model = model
        self._failures = 0
        self._set("", self._undelivered)

    def unready(self, reason: str) -> None:
        """Note why it can't be asked."""
        self._set(reason, self._undelivered)

    def delivered(self, failure: str = "") -> None:
        """Note that it has taken what the store delivers, or why it hasn't."""
        self._set(self._refusal, failure)

    def disagrees(self, question: object) -> None:
        """Note that it has followed and yet says no where the stored policies say yes: its tuples have drifted."""
        self._disagreements += 1
        if self._disagreements & (self._disagreements - 1) == 0:  # the first, second, fourth, eighth …
            log().warning(
                "OpenFGA refuses what stored policies allow; see `parity authorizer verify`",
                question=str(question),
                times=self._disagreements,
            )

    def _set(self, refusal: str, undelivered: str) -> None:
        before, was = self.is_healthy, (self._refusal, self._undelivered)
        self._refusal, self._undelivered = refusal, undelivered
        if was != (refusal, undelivered):
            if refusal or undelivered:
                log().error("OpenFGA can't be relied on", refuses=refusal or "no", undelivered=undelivered or "nothing")
            else:
                log().info("OpenFGA answers and follows", model=self.model)
        if self.is_healthy != before:
            for each in self.listeners:
                each(self.is_healthy)
