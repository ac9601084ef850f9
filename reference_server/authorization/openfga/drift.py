"""Drift: what OpenFGA holds against what it should hold by the policies of a store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reference_server.authorization.openfga.client import WRITE_TUPLES_MAX, OpenFgaClient
from reference_server.authorization.openfga.rendering import ANY, HOLDER, NAMED, OTHER, Types
from reference_server.authorization.openfga.tuples import TupleKey, tuples_of
from reference_server.authorization.policies import KIND as POLICY
from reference_server.authorization.policies import tuple_of
from reference_server.unit_of_work import stored_message
from stores.contract import Store


@dataclass(frozen=True, slots=True)
class Drift:
    """How OpenFGA differs from the store."""

    policies: int
    missing: tuple[TupleKey, ...]
    """Should be there and aren't: OpenFGA refuses what the policies allow."""
    extra: tuple[TupleKey, ...]
    """Are there and shouldn't be: whoever asks OpenFGA past the server is told more than the policies say."""

    @property
    def is_none(self) -> bool:
        """Whether both say the same."""
        return not self.missing and not self.extra


async def drift_between(store: Store, client: OpenFgaClient, types: Types) -> Drift:
    """Compare all policies with all tuples; takes memory for both. Raises OpenFgaError, StoreError.

    The tuples that name the holders of a relation are always true, so one that nobody needs any more is no drift.
    """
    wanted: set[TupleKey] = set()
    policies = 0
    for record in store.scan(POLICY):
        wanted.update(tuples_of(types, tuple_of(stored_message(POLICY, record.id, record.data).spec)))
        policies += 1
    there = {key async for key in client.tuples()}
    extra = {key for key in there - wanted if not _is_always_true(types, key)}
    return Drift(policies, tuple(sorted(wanted - there)), tuple(sorted(extra)))


async def mend(drift: Drift, client: OpenFgaClient, model: str) -> None:
    """Make OpenFGA hold what the policies say. Raises OpenFgaError."""
    for added in _pieces(drift.missing):
        await client.write(added, (), model)
    for removed in _pieces(drift.extra):
        await client.write((), removed, model)


def _is_always_true(types: Types, key: TupleKey) -> bool:
    """Say whether a tuple only says that who has a relation is among the holders of that relation."""
    user, _, relation = key.user.partition("#")
    kind, _, id_ = user.partition(":")
    if key.relation != HOLDER or relation not in types.get(kind, ()):
        return False
    of = id_ if kind == OTHER else f"{kind}/{id_}"
    what, _, its_id = of.partition("/")
    return key.object == f"{NAMED}:{what}/{relation.removeprefix(ANY)}/{its_id}"


def _pieces(keys: tuple[TupleKey, ...]) -> Iterator[tuple[TupleKey, ...]]:
    return (keys[at : at + WRITE_TUPLES_MAX] for at in range(0, len(keys), WRITE_TUPLES_MAX))
