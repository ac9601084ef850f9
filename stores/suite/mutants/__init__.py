"""Stores that are wrong on purpose, each named by its one sin. The suite must catch every one of them.

Most are the memory store with one method replaced; those whose sin is about reopening stand on `DictEngine`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sortedcontainers import SortedDict

from stores.codecs import Codec, ProtobufCodec
from stores.contract import Durability, Store
from stores.keyvalue.store import KeyValueStore
from stores.memory import MemoryStore
from stores.suite.dict_engine import DictEngine, Rows
from stores.suite.mutants.commits import (
    CreatesOnUpdate,
    ExpectsTooEarly,
    GroupFailsTogether,
    GroupSkipsAfterFailure,
    IgnoresPresent,
    IgnoresVacant,
    LosesUpdate,
    OverwritesOnCreate,
    PartsVeryLarge,
    TearsBatch,
)
from stores.suite.mutants.indexes import (
    CountsCreatesOnly,
    ForgetsIndexOnDelete,
    IgnoresUnique,
    JoinsKeyParts,
    JudgesUniqueTooEarly,
    KeepsOldIndexOnUpdate,
    LeaksKeyPrefix,
)
from stores.suite.mutants.lifecycle import (
    AnswersNothingWhenClosed,
    AnswersWhenClosed,
    CachesAReadersPast,
    ChecksPresentFirst,
    ChecksWithoutLock,
    ForgetsNumbers,
    ForgetsRemovals,
    LosesLastWrite,
    ShowsKindByKind,
)
from stores.suite.mutants.listings import (
    CompactCutsListings,
    CursorInclusive,
    EndsOldestListing,
    IgnoresLimit,
    LeaksKindPrefix,
    ListsById,
    ListsLive,
    ListsLiveByPage,
    ListsStale,
)
from stores.suite.mutants.values import (
    CutsIdsAtNul,
    DropsUnknownFields,
    ForgetsGivenKeys,
    ListsShortIds,
    ReusesPositions,
    RevisionRestarts,
    RoundsNumbers,
    SharesMessages,
    TakesHalfPuts,
    UpdateMovesToEnd,
)
from stores.suite.subject import FunctionSubject


def _memory(store: type[MemoryStore]) -> Callable[[Path], Store]:
    return lambda _: store()


def _over_dict(engine: type[DictEngine], codec: Callable[[], Codec] = ProtobufCodec) -> Callable[[Path], Store]:
    databases: dict[Path, Rows] = {}

    def opener(path: Path) -> Store:
        rows = databases.setdefault(path, SortedDict())
        return _NotExclusive(engine(rows), codec(), Durability.RELAXED)

    return opener


class _NotExclusive(KeyValueStore):
    """Over a dict nobody can lock anything."""

    def __init__(self, engine: DictEngine, codec: Codec, durability: Durability) -> None:
        super().__init__(engine, codec, durability)
        self.capabilities = replace(self.capabilities, exclusive=False)


MUTANTS: dict[str, Callable[[Path], Store]] = {
    "answers_nothing_when_closed": _memory(AnswersNothingWhenClosed),
    "answers_when_closed": _memory(AnswersWhenClosed),
    "checks_without_lock": _memory(ChecksWithoutLock),
    "compact_cuts_listings": _memory(CompactCutsListings),
    "counts_creates_only": _memory(CountsCreatesOnly),
    "creates_on_update": _memory(CreatesOnUpdate),
    "cursor_inclusive": _memory(CursorInclusive),
    "cuts_ids_at_nul": _memory(CutsIdsAtNul),
    "drops_unknown_fields": _memory(DropsUnknownFields),
    "ends_oldest_listing": _memory(EndsOldestListing),
    "expects_too_early": _memory(ExpectsTooEarly),
    "forgets_given_keys": _memory(ForgetsGivenKeys),
    "forgets_index_on_delete": _memory(ForgetsIndexOnDelete),
    "forgets_numbers": _over_dict(ForgetsNumbers),
    "forgets_removals": _over_dict(ForgetsRemovals),
    "group_fails_together": _memory(GroupFailsTogether),
    "group_skips_after_failure": _memory(GroupSkipsAfterFailure),
    "ignores_limit": _memory(IgnoresLimit),
    "ignores_present": _memory(IgnoresPresent),
    "ignores_unique": _memory(IgnoresUnique),
    "ignores_vacant": _memory(IgnoresVacant),
    "joins_key_parts": _memory(JoinsKeyParts),
    "judges_unique_too_early": _memory(JudgesUniqueTooEarly),
    "keeps_old_index_on_update": _memory(KeepsOldIndexOnUpdate),
    "leaks_key_prefix": _memory(LeaksKeyPrefix),
    "leaks_kind_prefix": _memory(LeaksKindPrefix),
    "lists_by_id": _memory(ListsById),
    "lists_live": _memory(ListsLive),
    "lists_live_by_page": _memory(ListsLiveByPage),
    "lists_short_ids": _memory(ListsShortIds),
    "lists_stale": _memory(ListsStale),
    "loses_last_write": _over_dict(LosesLastWrite),
    "loses_update": _memory(LosesUpdate),
    "overwrites_on_create": _memory(OverwritesOnCreate),
    "parts_very_large": _memory(PartsVeryLarge),
    "reuses_positions": _memory(ReusesPositions),
    "revision_restarts": _memory(RevisionRestarts),
    "rounds_numbers": _over_dict(DictEngine, RoundsNumbers),
    "shares_messages": _memory(SharesMessages),
    "takes_half_puts": _memory(TakesHalfPuts),
    "tears_batch": _memory(TearsBatch),
    "update_moves_to_end": _memory(UpdateMovesToEnd),
}
RACING: dict[str, Callable[[Path], Store]] = {
    "race-overwrite": _memory(CachesAReadersPast),
    "race-torn-kinds": _memory(ShowsKindByKind),
    "race-conditions": _memory(ChecksPresentFirst),
}
"""Wrong only while others are at work, so that the scheduler decides what else notices: by the check that must."""
CORRECT: Callable[[Path], Store] = _over_dict(DictEngine)
"""What the mutants over an engine would be without their sins."""


def mutant(name: str, folder: Path) -> FunctionSubject:
    """Return a mutant as a subject."""
    return FunctionSubject(MUTANTS[name], folder)
