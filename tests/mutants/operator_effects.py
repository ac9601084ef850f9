"""What the operators of generated mutants do, whatever the operation."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from google.protobuf.message import Message

from reference_server.authorization.model import Ref
from reference_server.authorization.policies import StoredPolicies
from reference_server.errors import PermissionDenied
from reference_server.identity import message_of
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork, staged_message
from stores.contract import Record
from tests.mutants import create_effects as on
from tests.mutants.wrapping import Run, Wrapper

RARELY = 50
STALE_SECONDS = 2.0
HOUR_SECONDS = 3600


def by_named_org(run: Run) -> Run:
    """Let through whoever is a member of the organization that the request names."""

    def authorizing(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except PermissionDenied:
            metadata = getattr(state.request, "metadata", None)
            org = getattr(metadata, "org", "") or getattr(state.request, "org", "")
            caller = state.caller
            if caller is None or not org:
                raise
            if not state.context.authorizer.allows(
                caller.ref, "member", Ref("organization", org), StoredPolicies(work)
            ):
                raise
            return state._replace(existing=state.candidates[0]) if state.candidates else state

    return authorizing


def rarely_lost() -> Wrapper:
    """One in fifty is answered, and nothing of it happens."""
    counted = count(1)

    def wrapper(run: Run) -> Run:
        def forgetting(state: State, work: UnitOfWork) -> State:
            done = run(state, work)
            if next(counted) % RARELY == 0:
                work._puts.clear()
                work._deletes.clear()
                work._conditions.clear()
            return done

        return forgetting

    return wrapper


def rarely_silent() -> Wrapper:
    """One in fifty is not announced."""
    counted = count(1)

    def wrapper(run: Run) -> Run:
        def publishing(state: State, work: UnitOfWork) -> State:
            return state if next(counted) % RARELY == 0 else run(state, work)

        return publishing

    return wrapper


def rarely_another() -> Wrapper:
    """One in fifty is answered with the answer before it."""
    counted, before = count(1), list[Any]()

    def wrapper(run: Run) -> Run:
        def sending(state: State, work: UnitOfWork) -> State:
            done = run(state, work)
            answer, earlier = _copy(done), before[-1:]
            before[:] = [answer]
            return done._replace(response=earlier[0]) if earlier and next(counted) % RARELY == 0 else done

        return sending

    return wrapper


def _copy(state: State) -> Message | bytes | None:
    shown: Any = state.resource if state.response is None else state.response
    if shown is None or isinstance(shown, bytes):
        return state.existing.data if shown is None and state.existing is not None else shown
    message: Message = type(shown)()
    message.CopyFrom(shown)
    return message


def _events(work: UnitOfWork) -> Iterator[tuple[tuple[str, str], Any]]:
    for key, put in list(work._puts.items()):
        if key[0] == "event":
            event = type(staged_message(put))()
            event.CopyFrom(staged_message(put))
            yield key, event


def _announcing(state: State, work: UnitOfWork, resource: Message) -> None:
    """Put another resource into the event about the state's."""
    for key, event in _events(work):
        if event.subject == state.resource.metadata.id:
            event.data.value = resource.SerializeToString()
            work._puts[key] = work._puts[key]._replace(message=event, data=None, keys=None)


def revealing_event(state: State, work: UnitOfWork) -> None:
    """Announce the resource as it is stored."""
    _announcing(state, work, state.resource)


def stale_event(state: State, work: UnitOfWork) -> None:
    """Announce what was there before, or, where nothing was, the resource without its spec."""
    old = type(state.resource)()
    old.CopyFrom(state.resource)
    old.ClearField("spec")
    if state.existing is not None:
        old = message_of(state, state.existing)
        old.spec.ClearField("description")
    _announcing(state, work, old)


def stale_reads() -> Wrapper:
    """For two seconds after a change, answer what was there before it."""
    known: dict[str, tuple[float, Record]] = {}

    def wrapper(run: Run) -> Run:
        def loading(state: State, work: UnitOfWork) -> State:
            done = run(state, work)
            if done.existing is None:
                return done
            seen, record = known.get(done.existing.id, (0.0, done.existing))
            if record.revision != done.existing.revision and time.monotonic() - seen < STALE_SECONDS:
                return done._replace(existing=record)
            known[done.existing.id] = (time.monotonic(), done.existing)
            return done

        return loading

    return wrapper


def an_hour_off(path: str) -> Callable[[Any], None]:
    """Let a clock show the local time of somewhere else."""

    def change(resource: Any) -> None:
        for part in path.split("."):
            resource = getattr(resource, part)
        resource.seconds += HOUR_SECONDS

    return change


def compatible(text: str) -> str:
    """Return a text in compatibility form."""
    return unicodedata.normalize("NFKC", text)


def spelled(path: str, spell: Callable[[str], str]) -> Callable[[State, UnitOfWork], None]:
    """Respell a field of the request before the step looks at it."""
    return on.changed_request(lambda request: setattr(request, path, spell(getattr(request, path))))


def without_last(size: int) -> Callable[[Any, State], None]:
    """Leave out the last of a page that has just so many."""

    def change(response: Any, state: State) -> None:
        del state
        if len(response.items) == size:
            del response.items[-1]

    return change
