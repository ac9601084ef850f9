"""Mutants that give themselves away where calls meet: of one slug, beside a delete, of one reader and another."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from reference_server.errors import NotFound, PermissionDenied
from reference_server.events.outbox import KIND as EVENT
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork, stored_message
from stores.contract import Put, Record
from stores.schema import slug_key
from tests.mutants.mutant import AUTHORIZE, DEFAULTS, DELETE, DUPLICATE, INSTANCE, PERSIST, UPDATE, Mutant
from tests.mutants.wrapping import Change, Run, everywhere, first, then, together, wrap

_EVENTS_MAX = 16
_MOMENT_SECONDS = 1.0
"""Calls that come so soon one after another are taken for calls at once."""


def _renamed_in_race() -> Callable[[State, UnitOfWork], None]:
    """A slug that another create asked for a moment ago gets the id behind it."""
    asked: dict[tuple[str, ...], tuple[float, str]] = {}

    def effect(state: State, work: UnitOfWork) -> None:
        del work
        metadata, now = state.resource.metadata, time.monotonic()
        at, by = asked.setdefault(slug_key(metadata), (now, metadata.id))
        if by != metadata.id and now - at < _MOMENT_SECONDS:
            metadata.slug += f"-{metadata.id}"

    return effect


def _brought_back(kind: str) -> Change:
    """An update goes on with what it read, though a delete came between."""
    gone: dict[str, tuple[float, Record]] = {}

    def remember(state: State, work: UnitOfWork) -> None:
        del work
        assert state.existing is not None
        gone[state.existing.id] = time.monotonic(), state.existing

    def reading_before(run: Run) -> Run:
        def load(state: State, work: UnitOfWork) -> State:
            try:
                return run(state, work)
            except NotFound:
                at, record = gone.get(state.request.metadata.id, (0.0, None))
                if record is None or time.monotonic() - at > _MOMENT_SECONDS:
                    raise
                return state._replace(existing=record)

        return load

    def overwrite(state: State, work: UnitOfWork) -> None:
        key = (state.operation.kind.name, state.resource.metadata.id)
        work._puts[key] = work._puts[key]._replace(precondition="any", expect=None)

    return together(
        then(f"{kind}-delete", "DeleteResource", remember),
        wrap(f"{kind}-update", "LoadExisting", reading_before),
        then(f"{kind}-update", PERSIST, overwrite),
    )


def _deleted_twice() -> Callable[[Run], Run]:
    """Who deletes what somebody deleted a moment ago is told that he did."""
    gone: dict[bytes, tuple[float, Record]] = {}

    def wrapper(run: Run) -> Run:
        def load(state: State, work: UnitOfWork) -> State:
            asked, now = state.request.SerializeToString(), time.monotonic()
            try:
                state = run(state, work)
            except NotFound:
                at, record = gone.get(asked, (-_MOMENT_SECONDS, None))
                if record is None or now - at > _MOMENT_SECONDS:
                    raise
                return state.with_resource(stored_message(record.kind, record.id, record.data))
            assert state.existing is not None
            gone[asked] = now, state.existing
            return state

        return load

    return wrapper


def _sharing_audits() -> Callable[[State, UnitOfWork], None]:
    """What is made within a moment is signed by whoever made the first of it."""
    signed: list[tuple[float, Any]] = []

    def effect(state: State, work: UnitOfWork) -> None:
        del work
        audit, now = state.resource.status.audit.spec_audit, time.monotonic()
        if not signed or now - signed[-1][0] > _MOMENT_SECONDS:
            signed.append((now, audit.created_by.id))
        audit.created_by.id = audit.updated_by.id = signed[-1][1]

    return effect


def _torn() -> Callable[[State, UnitOfWork], None]:
    """An update takes the tags of the one before it, if that came a moment ago."""
    written: dict[str, tuple[float, list[str]]] = {}

    def effect(state: State, work: UnitOfWork) -> None:
        del work
        metadata, now = state.resource.metadata, time.monotonic()
        at, tags = written.get(metadata.id, (-_MOMENT_SECONDS, []))
        written[metadata.id] = now, list(metadata.tags)
        if now - at < _MOMENT_SECONDS:
            metadata.tags[:] = tags

    return effect


def _only_some_events(state: State, work: UnitOfWork) -> None:
    """Of the events of a commit the first are stored."""
    del state
    for key in [key for key in work._puts if key[0] == EVENT][_EVENTS_MAX:]:
        del work._puts[key]


def _sharing_answers() -> Callable[[Run], Run]:
    """Who asks for what somebody was shown a moment ago is shown it too."""
    shown: dict[str, float] = {}

    def wrapper(run: Run) -> Run:
        def authorize(state: State, work: UnitOfWork) -> State:
            asked, now = state.request.value, time.monotonic()
            try:
                state = run(state, work)
            except PermissionDenied:
                if now - shown.get(asked, -_MOMENT_SECONDS) < _MOMENT_SECONDS:
                    return state
                raise
            shown[asked] = now
            return state

        return authorize

    return wrapper


def _writing_the_parent(state: State, work: UnitOfWork) -> None:
    """Write it whatever its revision is by now."""
    agent_id = state.request.spec.agent_id
    data = work.store.get_bytes("agent", agent_id)
    if data is not None and ("agent", agent_id) not in work._puts:
        work._puts["agent", agent_id] = Put("agent", agent_id, stored_message("agent", agent_id, data), "present")


RACING_SINS: tuple[Mutant, ...] = (
    *(
        Mutant(
            f"{kind}-slug-shared-in-race",
            f"of creates of {kind}s with one slug at once each is answered, the later ones under other slugs",
            first(f"{operation}-create", DUPLICATE, _renamed_in_race()),
            asked=(f"RACE-SLUG-{kind.upper()}",),
        )
        for kind, operation in (("instance", "agent-instance"), ("environment", "environment"))
    ),
    *(
        Mutant(
            f"{kind}-brought-back",
            f"an update of an {kind} that comes after its delete, but read it before, brings it back",
            _brought_back(operation),
            asked=(f"RACE-DELETE-{kind.upper()}",),
            full=True,
        )
        for kind, operation in (("instance", "agent-instance"), ("environment", "environment"))
    ),
    *(
        Mutant(
            f"{kind}-deleted-twice",
            f"of deletes of one {kind} at once each is answered",
            wrap(f"{operation}-delete", "LoadExistingForDelete", _deleted_twice()),
            asked=(f"RACE-DELETES-{kind.upper()}",),
        )
        for kind, operation in (
            ("agent", "agent"),
            ("instance", "agent-instance"),
            ("environment", "environment"),
            ("policy", "iam-policy"),
        )
    ),
    Mutant(
        "creates-share-an-audit",
        "creates at once share one audit: whoever comes first made all of it",
        everywhere("create", lambda operation: then(operation, DEFAULTS, _sharing_audits())),
        asked=("LOAD-AGENT", "LOAD-ENVIRONMENT"),
    ),
    Mutant(
        "update-torn",
        "of updates at once the later takes the tags of the earlier",
        then(UPDATE, "BuildUpdateState", _torn()),
        asked=("UPD-RACE",),
    ),
    Mutant(
        "agent-rewritten-by-children",
        "whoever makes an instance writes its agent again as he read it",
        then(INSTANCE, "LoadParentAgent", _writing_the_parent),
        asked=("RACE-CHILDREN",),
        full=True,
    ),
    Mutant(
        "events-of-a-commit-cut",
        "of the events of one commit the first 16 are stored",
        then(DELETE, "DeleteResource", _only_some_events),
        asked=("LOAD-INSTANCE",),
    ),
    Mutant(
        "gets-share-answers",
        "gets of one id at once are answered alike, whoever asks",
        everywhere("get", lambda operation: wrap(operation, AUTHORIZE, _sharing_answers())),
        asked=("RACE-READERS",),
        full=True,
    ),
)
