"""Mutants that do most of what they should: hide most secrets, replace most parts, delete most of what goes with an
agent. A new one is one row.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from reference_server.authorization.policies import tuple_of
from reference_server.errors import AlreadyExists
from reference_server.identity import message_of
from reference_server.pipeline import State
from reference_server.redaction import MASK, redacted
from reference_server.unit_of_work import UnitOfWork, stored_message
from tests.mutants.mutant import APPLY, DELETE, PUBLISH, TRANSFORM, Mutant
from tests.mutants.wrapping import Change, Run, everywhere, first, then, together, wrap

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


def _changes_nothing(state: State) -> bool:
    """Whether an update leaves all but the audit as it is."""
    assert state.existing is not None
    old, new = message_of(state, state.existing), state.resource
    return bool((old.metadata, old.spec) == (new.metadata, new.spec))


def _unaudited(state: State, work: UnitOfWork) -> None:
    del work
    if state.existing is not None and _changes_nothing(state):
        state.resource.status.CopyFrom(message_of(state, state.existing).status)


def _silent(run: Run) -> Run:
    """Announce nothing where nothing is changed."""
    return lambda state, work: state if _changes_nothing(state) else run(state, work)


_HEALER: ContextVar[str] = ContextVar("healer", default="")


def _healing(run: Run) -> Run:
    """Remember who applies over something that exists, while it is done."""

    def continuing(state: State, work: UnitOfWork) -> State:
        token = _HEALER.set(state.actor.id if state.existing is not None else "")
        try:
            return run(state, work)
        finally:
            _HEALER.reset(token)

    return continuing


def _when_healed(change: Callable[[Any, str], None]) -> Change:
    def effect(state: State, work: UnitOfWork) -> None:
        del work
        if _HEALER.get():
            change(state.resource, _HEALER.get())

    return together(
        wrap(APPLY, "ContinueAsCreateOrUpdate", _healing), then("agent-instance-create", "SetDefaults", effect)
    )


def _signed(instance: Any, caller: str) -> None:
    for half in (instance.status.audit.spec_audit, instance.status.audit.status_audit):
        half.created_by.id = half.updated_by.id = caller


def _undescribed(instance: Any, caller: str) -> None:
    del caller
    instance.spec.description = ""


def _merging(part: Callable[[Any], Any]) -> Callable[[State, UnitOfWork], None]:
    """Before an apply goes on as an update: add what is stored in a map and isn't sent."""

    def effect(state: State, work: UnitOfWork) -> None:
        del work
        if state.existing is not None:
            sent = part(state.request)
            for key, value in part(message_of(state, state.existing)).items():
                if key in sent:
                    continue
                if isinstance(value, str):
                    sent[key] = value
                else:
                    sent[key].CopyFrom(value)

    return effect


def keeping(kind: str, kept: Callable[[State, Any], bool]) -> Change:
    """Take back what a delete of an agent staged for some resources of another kind."""

    def effect(state: State, work: UnitOfWork) -> None:
        for key in [key for key in work._deletes if key[0] == kind]:
            record = work.store.get_record(*key)
            if record is not None and kept(state, stored_message(kind, record.id, record.data)):
                del work._deletes[key]

    return then(DELETE, "DeleteResource", effect)


def _given_to(state: State, policy: Any) -> bool:
    """Whether a policy gives the agent something on a thing that stays."""
    mine, resource = state.resource.metadata.id, policy.spec.resource
    return bool(policy.spec.principal.id == mine and resource.kind != "agent_instance")


def _given_to_a_set(state: State, policy: Any) -> bool:
    return _given_to(state, policy) and bool(policy.spec.principal.relation)


def _given_to_an_instance(state: State, policy: Any) -> bool:
    del state
    return bool(policy.spec.principal.kind == "agent_instance")


def _no_more_than(count: int) -> Change:
    """Delete the first so many instances of an agent only."""

    def effect(state: State, work: UnitOfWork) -> None:
        del state
        for key in [key for key in work._deletes if key[0] == "agent_instance"][count:]:
            del work._deletes[key]
        work._conditions.clear()

    return then(DELETE, "DeleteResource", effect)


def _other_sets(state: State, work: UnitOfWork) -> list[IamPolicy]:
    """The policies that differ from the one in question in the principal's relation alone."""
    asked, found = tuple_of(state.request), list[IamPolicy]()
    for record in work.scan("iam_policy", "principal", asked.principal[:2]):
        policy = IamPolicy.FromString(record.data)
        other = tuple_of(policy.spec)
        if other != asked and (other.relation, other.resource) == (asked.relation, asked.resource):
            found.append(policy)
    return found


def _thing_is_there(state: State, work: UnitOfWork) -> None:
    if state.request.principal.relation:
        for other in _other_sets(state, work):
            if not other.spec.principal.relation:
                raise AlreadyExists("iam_policy", other.spec.principal.id, other.metadata.id, "relation tuple")


def _revoke_others(state: State, work: UnitOfWork) -> None:
    for other in _other_sets(state, work):
        work.delete("iam_policy", other.metadata.id)


OF_WHAT_STAYS = ("UPD-*", "APL-*", "AUD-*", "EVT-*")
OF_WHAT_CHANGES = (*OF_WHAT_STAYS, "INST-*", "ENV-*")
OF_WHAT_GOES = ("DEL-*", "INS-*", "IAM-*")
"""The requirements by which changes that change nothing, changes and removals are judged."""

HALF_DONE_SINS: tuple[Mutant, ...] = (
    Mutant(
        "same-update-unaudited",
        "an update that changes nothing isn't audited",
        everywhere("update", lambda operation: then(operation, "BuildUpdateState", _unaudited)),
        asked=OF_WHAT_STAYS,
    ),
    Mutant(
        "same-update-silent",
        "an update that changes nothing isn't announced",
        everywhere("update", lambda operation: wrap(operation, PUBLISH, _silent)),
        asked=OF_WHAT_STAYS,
    ),
    Mutant(
        "healed-by-caller",
        "the default instance that an apply heals is its caller's",
        _when_healed(_signed),
        asked=OF_WHAT_CHANGES,
    ),
    Mutant(
        "healed-undescribed",
        "the default instance that an apply heals is another",
        _when_healed(_undescribed),
        asked=OF_WHAT_CHANGES,
    ),
    Mutant(
        "apply-merges-annotations",
        "an apply adds the annotations that are stored",
        everywhere(
            "apply",
            lambda operation: first(
                operation, "ContinueAsCreateOrUpdate", _merging(lambda one: one.metadata.annotations)
            ),
        ),
        asked=OF_WHAT_CHANGES,
    ),
    Mutant(
        "apply-merges-values",
        "an apply of an environment adds the values that are stored",
        first("environment-apply", "ContinueAsCreateOrUpdate", _merging(_values)),
        asked=OF_WHAT_CHANGES,
    ),
    Mutant(
        "delete-leaves-given-policies",
        "what was granted to an agent outlives it",
        keeping("iam_policy", _given_to),
        asked=OF_WHAT_GOES,
    ),
    Mutant(
        "delete-leaves-set-policies",
        "what was granted to a set of an agent outlives it",
        keeping("iam_policy", _given_to_a_set),
        asked=OF_WHAT_GOES,
    ),
    Mutant(
        "delete-leaves-instance-policies",
        "what was granted to an agent's instances outlives them",
        keeping("iam_policy", _given_to_an_instance),
        asked=OF_WHAT_GOES,
    ),
    Mutant(
        "delete-cascade-100",
        "a delete takes the first 100 instances of an agent with it",
        _no_more_than(100),
        asked=("DEL-INSTANCES",),
        full=True,
    ),
    Mutant(
        "delete-cascade-256",
        "a delete takes the first 256 instances of an agent with it",
        _no_more_than(256),
        asked=("DEL-INSTANCES",),
        full=True,
    ),
    Mutant(
        "policy-sets-taken-for-things",
        "what a thing was granted can't be granted to a set of it",
        first("iam-policy-create", "CheckDuplicate", _thing_is_there),
        asked=("DEL-*", "IAM-*"),
    ),
    Mutant(
        "revoke-takes-sets",
        "what is revoked of a thing is revoked of its sets, and the other way round",
        then("iam-policy-delete", "DeleteResource", _revoke_others),
        asked=("DEL-*", "IAM-*"),
    ),
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
        "environment-unmask-by-flag",
        "an update of an environment that sends the stars back for what is no secret any more gets the secret",
        first("environment-update", "BuildUpdateState", _fill_stars),
        asked=("RED-*", "ENV-*"),
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
