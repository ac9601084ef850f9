"""The checks, one module for each part of the contract; `CHECKS` is all of them in reading order."""

from __future__ import annotations

from stores.suite.check import StoreCheck
from stores.suite.checks import (
    batches,
    concurrency,
    conditions,
    durability,
    exact,
    groups,
    indexes,
    kinds,
    lifecycle,
    positions,
    races,
    reading,
    resources,
    scans,
    values,
)

CHECKS: tuple[StoreCheck, ...] = (
    *resources.checks.all,
    *batches.checks.all,
    *indexes.checks.all,
    *scans.checks.all,
    *values.checks.all,
    *exact.checks.all,
    *kinds.checks.all,
    *conditions.checks.all,
    *positions.checks.all,
    *groups.checks.all,
    *lifecycle.checks.all,
    *reading.checks.all,
    *concurrency.checks.all,
    *races.checks.all,
    *durability.checks.all,
)
