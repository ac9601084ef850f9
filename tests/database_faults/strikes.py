"""Faults of a database, as the nemesis takes them: each strikes, mends what it broke, and says what it did."""

from __future__ import annotations

import time

from conformance.evidence import Json
from conformance.nemesis.faults import DEAD_SECONDS, Fault, Field
from conformance.nemesis.proxy import Proxy
from tests.database_faults.pair import Pair
from tests.postgresql import Cluster

BEHIND_SECONDS = 1.0
"""So long the asynchronous standby hears nothing before its primary dies."""


def _down_ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def kill_database(database: Cluster) -> Fault:
    """SIGKILL of the database with all its processes, wherever a commit is; then it starts and recovers."""

    def strike(field: Field, seconds: float) -> Json:
        del seconds  # it takes as long as recovery takes
        began = time.monotonic()
        database.kill()
        field.wait(field.between(DEAD_SECONDS))
        database.start()
        return {"kills": 1, "restarts": 1, "down_ms": _down_ms(began)}

    return strike


def fail_over(pair: Pair) -> Fault:
    """SIGKILL of the primary, promotion of the standby, and a new standby in the place of the old primary."""

    def strike(field: Field, seconds: float) -> Json:
        del field, seconds
        began = time.monotonic()
        pair.fail_over()
        promoted_ms = _down_ms(began)
        pair.follow()
        return {"kills": 1, "promotions": 1, "promoted_ms": promoted_ms, "down_ms": _down_ms(began)}

    return strike


def lose_the_last(pair: Pair, between: Proxy) -> Fault:
    """Promotion of a standby that has not heard of the last commits, though they were acknowledged. Strikes once."""
    struck = list[bool]()

    def strike(field: Field, seconds: float) -> Json:
        del seconds
        if struck:
            return {"kills": 0}
        struck.append(True)
        between.silence()
        field.wait(BEHIND_SECONDS)
        pair.fail_over()
        return {"kills": 1, "promotions": 1}

    return strike
