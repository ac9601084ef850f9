"""Mutants that give themselves away where calls meet: of one slug, beside a delete, of one reader and another."""

from __future__ import annotations

import time
from collections.abc import Callable

from reference_server.errors import NotFound, PermissionDenied
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Record
from stores.schema import slug_key
from tests.mutants.mutant import AUTHORIZE, DUPLICATE, PERSIST, Mutant
from tests.mutants.wrapping import Change, Run, everywhere, first, then, together, wrap

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
    Mutant(
        "gets-share-answers",
        "gets of one id at once are answered alike, whoever asks",
        everywhere("get", lambda operation: wrap(operation, AUTHORIZE, _sharing_answers())),
        asked=("RACE-READERS",),
        full=True,
    ),
)
