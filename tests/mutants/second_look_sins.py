"""Mutants that a second look gives away: another role, a second time, another instance. A new one is one row."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from reference_server.authorization.model import Ref, RelationTuple
from reference_server.authorization.policies import StoredPolicies
from reference_server.errors import Internal
from reference_server.identity import message_of
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork, staged_message, stored_message
from stores.schema import KINDS, slug_key
from tests.mutants.mutant import DEFAULTS, DELETE, PERSIST, PUBLISH, TRANSFORM, UPDATE, Mutant
from tests.mutants.read_effects import ending_with_an_empty_page, unredacted_later
from tests.mutants.wrapping import Run, Wrapper, everywhere, then, together, wrap

PASSED_OVER = 50
IDLE_SECONDS = 4


def silent_after_idleness(run: Run) -> Run:
    """Announce no change of what had none for a while."""
    changed: dict[str, float] = {}

    def publish(state: State, work: UnitOfWork) -> State:
        now, subject = time.monotonic(), state.resource.metadata.id
        before = changed.get(subject, now)
        changed[subject] = now
        return state if now - before > IDLE_SECONDS else run(state, work)

    return publish


def is_operator(state: State, work: UnitOfWork) -> bool:
    caller = state.caller
    return caller is not None and state.context.authorizer.is_operator(caller.ref, StoredPolicies(work))


def is_made_by_another(state: State) -> bool:
    """Whether somebody else than the caller made what is stored."""
    if state.existing is None or state.caller is None:
        return False
    made_by: str = message_of(state, state.existing).status.audit.spec_audit.created_by.id
    return made_by != state.caller.id


def unsigned_by_operator(state: State, work: UnitOfWork) -> None:
    if is_operator(state, work) and is_made_by_another(state):
        state.resource.status.audit.spec_audit.updated_by.id = "system"


def trimmed_default_name(state: State, work: UnitOfWork) -> None:
    del work
    metadata = state.resource.metadata
    if metadata.name.endswith("-default"):
        metadata.name = f"{metadata.name.removesuffix('-default').strip()}-default"


def chosen_default(run: Run) -> Run:
    """Take what the client names as the default instance, where it is one of the agent's."""

    def build(state: State, work: UnitOfWork) -> State:
        wanted: str = state.request.status.default_instance_id
        done = run(state, work)
        data = work.data("agent_instance", wanted) if wanted else None
        chosen: Any = stored_message("agent_instance", wanted, data) if data is not None else None
        if chosen is not None and chosen.spec.agent_id == done.resource.metadata.id:
            done.resource.status.default_instance_id = wanted
        return done

    return build


def one_delete_a_second() -> Wrapper:
    """Keep what is deleted under slug and second, which can hold one of a name only."""
    deleted: dict[tuple[str, ...], tuple[int, str]] = {}

    def wrapper(run: Run) -> Run:
        def delete(state: State, work: UnitOfWork) -> State:
            metadata = state.resource.metadata
            key, now = (state.operation.kind.name, *slug_key(metadata)), int(time.time())
            second, before = deleted.get(key, (0, ""))
            if second == now and before != metadata.id:
                raise Internal("two rows have one slug and one time of deletion")
            deleted[key] = (now, metadata.id)
            return run(state, work)

        return delete

    return wrapper


def indexed_by_old_agent(state: State, work: UnitOfWork) -> None:
    """Leave an instance in the index of the agent that it had."""
    key = ("agent_instance", state.resource.metadata.id)
    put, schema = work._puts[key], KINDS["agent_instance"]
    assert state.existing is not None
    old, new = message_of(state, state.existing), staged_message(put)
    entries = [entry for entry in schema.entries(new) if entry[0] != "agent"]
    entries += [entry for entry in schema.entries(old) if entry[0] == "agent"]
    work._puts[key] = put._replace(message=None, data=new.SerializeToString(), keys=tuple(entries))


def support_view(run: Run) -> Run:
    """Show an operator the secrets of what somebody else has made."""

    def transform(state: State, work: UnitOfWork) -> State:
        return state if is_operator(state, work) and is_made_by_another(state) else run(state, work)

    return transform


def joined_memberships(run: Run) -> Run:
    """List once for each membership that lets the caller in."""

    def listing(state: State, work: UnitOfWork) -> State:
        done = run(state, work)
        shown: Any = done.response
        rows, policies = list(shown.items), StoredPolicies(work)
        del shown.items[:]
        for row in rows:
            org = Ref("organization", row.metadata.org)
            caller = state.caller.ref if state.caller is not None else org
            held = [policies.holds(RelationTuple(caller, relation, org)) for relation in ("member", "admin")]
            shown.items.extend([row] * max(1, sum(held)))
        return done

    return listing


def given_up(kind: str) -> Wrapper:
    """Look at fifty rows only that the caller may not view."""

    def wrapper(run: Run) -> Run:
        def listing(state: State, work: UnitOfWork) -> State:
            done = run(state, work)
            shown: Any = done.response
            if state.caller is None or is_operator(state, work) or not shown.items:
                return done
            before = [record.id for record in work.scan(kind)].index(shown.items[0].metadata.id)
            if before > PASSED_OVER:
                return done.with_response(state.operation.response_type())
            return done

        return listing

    return wrapper


def overwriting(kind: str) -> Callable[[State, UnitOfWork], None]:
    """Write under an id that was free when it was looked up, whatever is there by now."""

    def effect(state: State, work: UnitOfWork) -> None:
        key = (kind, state.resource.metadata.id)
        work._puts[key] = work._puts[key]._replace(precondition="any")

    return effect


def overwriting_in_a_crowd(kind: str) -> Callable[[State, UnitOfWork], None]:
    """Write whatever is there under the id, while another resource of the kind is on its way to the store."""
    under_way: set[str] = set()

    def effect(state: State, work: UnitOfWork) -> None:
        under_way.difference_update([each for each in under_way if work.store.get_bytes(kind, each) is not None])
        own: str = state.resource.metadata.id
        if under_way - {own}:
            overwriting(kind)(state, work)
        under_way.add(own)

    return effect


SECOND_LOOK_SINS: tuple[Mutant, ...] = (
    Mutant(
        "update-silent-after-idleness",
        "an update of what nobody changed for four seconds isn't announced",
        wrap(UPDATE, PUBLISH, silent_after_idleness),
        asked=("EVT-SUBJECT",),
        full=True,
    ),
    Mutant(
        "operator-unsigned",
        "what an operator changes of somebody else's is noted as done by the system",
        everywhere("update", lambda name: then(name, "BuildUpdateState", unsigned_by_operator)),
        asked=("AUD-*", "UPD-*"),
    ),
    Mutant(
        "default-name-trimmed",
        "the default instance's name is made of the trimmed name",
        then("agent-instance-create", DEFAULTS, trimmed_default_name),
        asked=("INST-*",),
    ),
    Mutant(
        "default-chosen-by-client",
        "an update may make another instance the default one",
        wrap(UPDATE, "BuildUpdateState", chosen_default),
        asked=("UPD-*",),
    ),
    Mutant(
        "delete-once-a-second",
        "agents of one name can't be deleted twice within a second",
        wrap(DELETE, "DeleteResource", one_delete_a_second()),
        asked=("EXACT-NOW-*",),
    ),
    Mutant(
        "environment-delete-once-a-second",
        "environments of one name can't be deleted twice within a second",
        wrap("environment-delete", "DeleteResource", one_delete_a_second()),
        asked=("EXACT-NOW-*",),
    ),
    Mutant(
        "instance-indexed-once",
        "an instance whose agent is changed stays among those of the old one",
        then("agent-instance-update", PERSIST, indexed_by_old_agent),
        asked=("INS-*", "BYA-*"),
    ),
    Mutant(
        "id-overwritten-in-race",
        "of creates of environments with one id at once each is answered, and the last one stays",
        then("environment-create", PERSIST, overwriting("environment")),
        asked=("RACE-ID-*",),
        full=True,
    ),
    Mutant(
        "id-overwritten-in-crowd",
        "of creates of environments with one id at once each is answered while another one is being created",
        then("environment-create", PERSIST, overwriting_in_a_crowd("environment")),
        asked=("RACE-ID-ENVIRONMENT",),
        full=True,
    ),
    Mutant(
        "operator-sees-secrets",
        "an operator who gets somebody else's agent or environment sees its secrets",
        together(*(wrap(f"{kind}-get", TRANSFORM, support_view) for kind in ("agent", "environment"))),
        asked=("RED-*", "ENV-*"),
    ),
    Mutant(
        "operator-sees-environment-secrets",
        "an operator who gets somebody else's environment sees its secrets",
        wrap("environment-get", TRANSFORM, support_view),
        asked=("RED-*", "ENV-*"),
    ),
    Mutant(
        "list-joins-memberships",
        "who is member and admin is listed everything twice",
        everywhere("list", lambda name: wrap(name, "ListResources", joined_memberships)),
        asked=("SEEN-*", "LST-*"),
    ),
    Mutant(
        "list-unredacted-later",
        "lists show secrets on each page but the first",
        together(*(wrap(f"{kind}-list", "ListResources", unredacted_later) for kind in ("agent", "environment"))),
        asked=("RED-*", "ENV-*"),
    ),
    Mutant(
        "list-ends-on-empty-page",
        "a list ends where a whole page is hidden from the caller",
        everywhere("list", lambda name: wrap(name, "ListResources", ending_with_an_empty_page)),
        asked=("LST-*", "SEEN-*"),
    ),
    *(
        Mutant(
            f"{kind}-list-gives-up",
            f"a list of {kind}s ends behind fifty that the caller may not view",
            wrap(f"{operation}-list", "ListResources", given_up(operation.replace("-", "_"))),
            asked=("LST-HIDDEN",),
        )
        for kind, operation in (("agent", "agent"), ("instance", "agent-instance"), ("environment", "environment"))
    ),
)
