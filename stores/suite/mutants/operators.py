"""Generated wrong stores: each operator spoils one rule for every kind or index that has it, so that none is left out.

A new operator is one row of `OPERATORS`; a new kind or index is in all of them by itself. What must be seen from other
processes (durability) is in `durability.py`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from stores.contract import Store
from stores.schema import KINDS
from stores.suite.mutants import kept
from stores.suite.mutants import spoiled_commits as commits
from stores.suite.mutants import spoiled_indexes as indexes
from stores.suite.mutants import spoiled_listings as listings
from stores.suite.mutants import spoiled_writes as writes

EACH_KIND = tuple(KINDS)
EACH_INDEX = tuple(f"{kind.name}.{index.name}" for kind in KINDS.values() for index in kind.indexes)
UNIQUE = tuple(f"{kind.name}.{name}" for kind in KINDS.values() for name in sorted(kind.unique))
NOT_UNIQUE = tuple(name for name in EACH_INDEX if name not in UNIQUE)
LISTED = (*EACH_KIND, *NOT_UNIQUE)
"""Kinds, and indexes under one key of which many resources stand."""
LOOSE: dict[str, Callable[[str], str]] = {
    "case": str.casefold,
    "trailing-blank": str.rstrip,
    "form": lambda text: unicodedata.normalize("NFC", text),
    "cut-at-191": lambda text: text[:191],
    "until-nul": lambda text: text.partition("\0")[0],
}
PAGE_SIZES = ("1", "100")
LENGTHS = ("255", "65535")


@dataclass(frozen=True)
class Operator:
    """One way to spoil a rule, where it can be done, in which details, and the checks that it is judged by first.

    `equivalent` holds, by a pattern of `WHERE/DETAIL`, why nobody can see the change.
    """

    name: str
    make: Callable[[str, str], kept.Made]
    where: tuple[str, ...]
    asked: tuple[str, ...]
    details: tuple[str, ...] = ("",)
    equivalent: Mapping[str, str] = field(default_factory=dict)

    def stores(self) -> Iterator[WrongStore]:
        """Yield one for each place and detail."""
        for place in self.where:
            for detail in self.details:
                at = f"{place}/{detail}" if detail else place
                reasons = [reason for pattern, reason in self.equivalent.items() if fnmatchcase(at, pattern)]
                yield WrongStore(f"{self.name}/{at}", self, place, detail, reasons[0] if reasons else "")


@dataclass(frozen=True)
class WrongStore:
    """A generated wrong store; `equivalent` says why it isn't wrong, if it isn't."""

    name: str
    operator: Operator
    place: str
    detail: str
    equivalent: str = ""

    def opener(self) -> Callable[[Path], Store]:
        """Return what opens it; the same path is the same database."""
        return kept.persisting(lambda: self.operator.make(self.place, self.detail))


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "precondition-ignored",
        commits.precondition_ignored,
        EACH_KIND,
        ("kinds-conditions",),
        ("put-absent", "put-present", "put-expect", "delete-present", "delete-expect"),
    ),
    Operator("vacant-ignored", commits.vacant_ignored, EACH_INDEX, ("exact-keys", "exact-policies")),
    Operator(
        "condition-of-last-only",
        commits.condition_of_last_only,
        EACH_KIND,
        ("kinds-each-condition",),
        ("expect", "present", "absent", "there"),
    ),
    Operator("vacant-of-last-only", commits.vacant_of_last_only, EACH_INDEX, ("kinds-each-condition",)),
    Operator("expect-of-before", commits.expect_of_before, EACH_KIND, ("kinds-conditions",)),
    Operator("claims-left", commits.claims_left, UNIQUE, ("kinds-group-refused",)),
    Operator("find-remembers", indexes.find_remembers, NOT_UNIQUE, ("kinds-first-found",)),
    Operator("position-of-before", commits.position_of_before, EACH_KIND, ("kinds-positions-refused",)),
    Operator("vacant-of-first-only", commits.vacant_of_first_only, NOT_UNIQUE, ("kinds-every-holder",)),
    Operator("position-eased", commits.position_eased, EACH_KIND, ("kinds-positions-refused",)),
    Operator("position-cut", commits.position_cut, EACH_KIND, ("kinds-positions-refused",)),
    Operator("message-shared", writes.message_shared, EACH_KIND, ("kinds-private-copies",)),
    Operator("cursor-cut", listings.cursor_cut, LISTED, ("kinds-positions-far",), ("16", "32", "53")),
    Operator("present-ignored", commits.present_ignored, EACH_KIND, ("exact-ids", "kinds-conditions")),
    Operator("index-row-missing", indexes.index_row_missing, EACH_INDEX, ("exact-keys", "exact-policies")),
    Operator("index-row-stale", indexes.index_row_stale, EACH_INDEX, ("kinds-sequences",)),
    Operator("index-row-revived", indexes.index_row_revived, EACH_INDEX, ("kinds-sequences",)),
    Operator("index-row-kept", indexes.index_row_kept, EACH_INDEX, ("exact-keys", "exact-policies")),
    Operator("index-row-late", indexes.index_row_late, EACH_INDEX, ("load-every-answer",)),
    Operator("unique-ignored", indexes.unique_ignored, UNIQUE, ("exact-keys", "exact-policies")),
    Operator(
        "unique-loosely",
        lambda where, detail: indexes.unique_loosely(where, LOOSE[detail]),
        UNIQUE,
        ("exact-keys", "exact-policies"),
        tuple(LOOSE),
    ),
    Operator(
        "lookup-loosely",
        lambda where, detail: indexes.lookup_loosely(where, LOOSE[detail]),
        EACH_INDEX,
        ("exact-keys", "exact-policies"),
        tuple(LOOSE),
    ),
    Operator(
        "id-loosely",
        lambda where, detail: indexes.id_loosely(where, LOOSE[detail]),
        EACH_KIND,
        ("exact-ids",),
        tuple(LOOSE),
    ),
    Operator("page-first-skipped", listings.page_first_skipped, LISTED, ("kinds-pages",), PAGE_SIZES),
    Operator("page-one-more", listings.page_one_more, LISTED, ("kinds-pages",), ("100",)),
    Operator("listing-ends-after", listings.listing_ends_after, LISTED, ("kinds-pages",), ("100",)),
    Operator("cursor-repeats", listings.cursor_repeats, LISTED, ("kinds-pages",)),
    Operator("cursor-skips", listings.cursor_skips, LISTED, ("kinds-pages",)),
    Operator("snapshot-live", listings.snapshot_live, LISTED, ("kinds-one-state",), ("0", "100")),
    Operator("count-capped", listings.count_capped, LISTED, ("kinds-pages",), ("100",)),
    Operator(
        "count-never-falls",
        listings.count_never_falls,
        (*EACH_KIND, *EACH_INDEX),
        ("kinds-conditions", "kinds-sequences"),
    ),
    Operator("position-moves", writes.position_moves, EACH_KIND, ("kinds-conditions",)),
    Operator("position-reused", writes.position_reused, EACH_KIND, ("kinds-conditions",)),
    Operator("revision-kept", writes.revision_kept, EACH_KIND, ("kinds-conditions",), ("update", "same-bytes")),
    Operator(
        "value-cut",
        writes.value_cut,
        EACH_KIND,
        ("kinds-values",),
        tuple(f"{how}-{n}" for how in ("read", "listed") for n in LENGTHS),
    ),
    Operator("lost-on-reopen", writes.lost_on_reopen, (*EACH_KIND, *EACH_INDEX), ("kinds-reopen",)),
    Operator("numbers-restart", writes.numbers_restart, ("position", "revision"), ("kinds-reopen", "reopen-goes-on")),
    Operator("numbers-compacted", writes.numbers_compacted, ("position", "revision"), ("compact-goes-on",)),
    Operator("rarely-lost", commits.rarely_lost, EACH_KIND, ("load-every-answer",), ("create", "update", "delete")),
    Operator("rarely-wrong", writes.rarely_wrong, ("get", "find", "scan", "count", "commit"), ("load-every-answer",)),
    Operator(
        "refused-leaves",
        commits.refused_leaves,
        EACH_KIND,
        ("kinds-conditions", "kinds-sequences"),
        ("commit", "commit_many"),
    ),
)


def generated() -> dict[str, WrongStore]:
    """Return all generated wrong stores by name: `OPERATOR/WHERE` and a detail where an operator has several."""
    return {store.name: store for operator in OPERATORS for store in operator.stores()}
