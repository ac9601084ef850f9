"""Mutants that do most of what they should: hide most secrets, by most ways. A new one is one row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.identity import message_of
from reference_server.pipeline import State
from reference_server.redaction import MASK, redacted
from reference_server.unit_of_work import UnitOfWork
from tests.mutants.mutant import TRANSFORM, Mutant
from tests.mutants.wrapping import Change, first, then, together

HOLDERS = ("agent", "environment")
"""Kinds that have secrets, as operations are named."""
ANSWERING = ("create", "get", "get-by-reference", "update", "delete")
Shows = Callable[[State, str], str]
"""What stands for a secret of this value."""


def _values(resource: Any) -> Any:
    return resource.spec.env_spec.data if hasattr(resource.spec, "env_spec") else resource.spec.data


def _showing(shows: Shows) -> Callable[[State, UnitOfWork], State | None]:
    """After TransformResponse: show something else than stars."""

    def effect(state: State, work: UnitOfWork) -> State | None:
        del work
        stored = state.resource
        if stored is None:
            assert state.existing is not None
            stored = message_of(state, state.existing)
        shown = type(stored)()
        shown.CopyFrom(redacted(state.operation.kind, stored))
        for name, value in _values(stored).items():
            if value.is_secret:
                _values(shown)[name].value = shows(state, value.value)
        return state.with_response(shown)

    return effect


def _answers_showing(shows: Shows, *verbs: str) -> Change:
    return together(*(then(f"{kind}-{verb}", TRANSFORM, _showing(shows)) for kind in HOLDERS for verb in verbs))


def _fill_stars(state: State, work: UnitOfWork) -> None:
    """Give whatever was sent as the stars the stored value, be it marked as a secret or not."""
    del work
    if state.existing is not None:
        before = _values(message_of(state, state.existing))
        for name, value in _values(state.request).items():
            if value.value == MASK and name in before:
                value.value = before[name].value


def _when(said: str) -> Shows:
    """Hide secrets unless the delete says more than what is to be deleted."""
    return lambda state, value: value if getattr(state.request, said, None) else MASK


HALF_DONE_SINS: tuple[Mutant, ...] = (
    Mutant(
        "secret-empty-shown",
        "that a secret is empty shows",
        _answers_showing(lambda _, value: value and MASK, *ANSWERING),
    ),
    Mutant(
        "secret-length-shown",
        "a secret is shown as as many stars as it has characters",
        _answers_showing(lambda _, value: "*" * len(value), *ANSWERING),
    ),
    Mutant(
        "unmask-by-flag",
        "an update that sends the stars back for what is no secret any more gets the secret",
        together(*(first(f"{kind}-update", "BuildUpdateState", _fill_stars) for kind in HOLDERS)),
    ),
    Mutant(
        "unmask-by-apply",
        "an apply that sends the stars back for what is no secret any more gets the secret",
        together(*(first(f"{kind}-apply", "ContinueAsCreateOrUpdate", _fill_stars) for kind in HOLDERS)),
    ),
    Mutant(
        "delete-force-reveals",
        "a delete with force answers the secrets",
        then("environment-delete", TRANSFORM, _showing(_when("force"))),
    ),
    Mutant(
        "delete-message-reveals",
        "a delete that says why answers the secrets",
        then("environment-delete", TRANSFORM, _showing(_when("version_message"))),
    ),
)
