"""Mutants of the operations on instances. A new one is one row."""

from __future__ import annotations

from typing import Any

from conformance.checks.create_default_instance import DESCRIPTION
from reference_server.errors import AlreadyExists, FailedPrecondition
from reference_server.pipeline import State
from reference_server.steps.authorize import known_caller
from reference_server.unit_of_work import UnitOfWork, stored_message
from stores.schema import slug_key
from tests.mutants import change_effects as ch
from tests.mutants import effects as do
from tests.mutants.mutant import (
    AUTHORIZE,
    DEFAULTS,
    DELETE,
    DUPLICATE,
    INSTANCE,
    PERSIST,
    SLUG,
    UPDATE,
    VALIDATE,
    Mutant,
)
from tests.mutants.wrapping import Change, Run, answering, first, leaking, move, omit, store_now, then, together, wrap


def _kept_for_its_reader() -> Change:
    """Answers are kept for who got them until the instance itself is deleted, not its agent."""
    kept: dict[tuple[str, str], Any] = {}

    def key(state: State) -> tuple[str, str]:
        return known_caller(state).id, state.request.value

    def authorizing(run: Run) -> Run:
        return lambda state, work: state if key(state) in kept else run(state, work)

    def loading(run: Run) -> Run:
        def load(state: State, work: UnitOfWork) -> State:
            if work.record("agent_instance", state.request.value) is not None or key(state) not in kept:
                state = run(state, work)
                kept[key(state)] = state.resource
                return state
            return state.with_resource(kept[key(state)])

        return load

    def forget(state: State, _: UnitOfWork) -> None:
        for each in [each for each in kept if each[1] == state.resource.metadata.id]:
            del kept[each]

    return together(
        wrap("agent-instance-get", AUTHORIZE, authorizing),
        wrap("agent-instance-get", "LoadTarget", loading),
        then("agent-instance-delete", "DeleteResource", forget),
    )


def _is_default(instance: Any) -> bool:
    return bool(instance.metadata.name.endswith("-default"))


def _made_by_who_changes(state: State, work: UnitOfWork) -> None:
    del work
    audit = state.resource.status.audit.spec_audit
    if audit.created_by.id == "system":
        audit.created_by.CopyFrom(audit.updated_by)


def _made_as_at_first(state: State, work: UnitOfWork) -> None:
    """Write the default instance of an agent as if it had just been made."""
    record = work.record("agent_instance", state.resource.status.default_instance_id)
    if record is None:
        return
    before, after = (stored_message("agent_instance", record.id, record.data) for _ in range(2))
    after.metadata.labels.clear()
    after.spec.description = DESCRIPTION
    if before != after:
        work.replace("agent_instance", record.id, after, record.revision)


def _refused_without_default(state: State, work: UnitOfWork) -> None:
    if not work.exists("agent_instance", state.resource.status.default_instance_id):
        raise FailedPrecondition("the agent lacks its default instance")


def _in_agents_organization(state: State, work: UnitOfWork) -> None:
    agent_id = state.resource.spec.agent_id
    data = work.data("agent", agent_id)
    if data is not None and _is_default(state.resource):
        state.resource.metadata.org = stored_message("agent", agent_id, data).metadata.org


def _slugs_kept_by_cascade() -> Change:
    """What goes with an agent leaves its slug taken, unless it is the default instance."""
    taken: set[tuple[str, ...]] = set()

    def take(state: State, work: UnitOfWork) -> None:
        for record in work.scan("agent_instance", "agent", (state.resource.metadata.id,)):
            instance = stored_message("agent_instance", record.id, record.data)
            if not _is_default(instance):
                taken.add(slug_key(instance.metadata))

    def refuse(state: State, work: UnitOfWork) -> None:
        del work
        if slug_key(state.resource.metadata) in taken:
            raise AlreadyExists("agent_instance", state.resource.metadata.slug, "", "slug")

    return together(first(DELETE, "DeleteResource", take), first(INSTANCE, DUPLICATE, refuse))


INSTANCE_SINS: tuple[Mutant, ...] = (
    Mutant("instance-parent-unchecked", "an instance needs no agent", omit(INSTANCE, "LoadParentAgent")),
    Mutant(
        "instance-parent-first",
        "the agent is looked for before the caller is authorized",
        move(INSTANCE, "LoadParentAgent", before=AUTHORIZE),
    ),
    Mutant(
        "instance-parent-before-validate",
        "the agent is looked for before the request is validated",
        move(INSTANCE, "LoadParentAgent", before=VALIDATE),
    ),
    Mutant(
        "instance-parent-leaks",
        "an instance without agent is stored before it is refused",
        wrap(INSTANCE, "LoadParentAgent", leaking(store_now)),
    ),
    Mutant("instance-authorize-omitted", "everybody may create instances", omit(INSTANCE, AUTHORIZE)),
    Mutant(
        "instance-denied-stored",
        "a denied instance is stored before it is refused",
        wrap(INSTANCE, AUTHORIZE, leaking(store_now)),
    ),
    Mutant(
        "instance-reads-open",
        "everybody may read, update and delete instances",
        together(*(omit(f"agent-instance-{v}", AUTHORIZE) for v in ("get", "update", "delete"))),
    ),
    Mutant(
        "instance-moved-by-anybody",
        "an update hangs an instance below any agent",
        omit("agent-instance-update", "MoveToAgent"),
    ),
    Mutant(
        "instance-move-tells",
        "an update looks for the agent before it asks whether the caller may create instances there",
        move("agent-instance-update", "LoadParentAgent", before="MoveToAgent"),
    ),
    Mutant(
        "instance-touches-agent",
        "creating an instance makes it the agent's default",
        then(INSTANCE, PERSIST, ch.adopt),
    ),
    Mutant(
        "instance-duplicate-wrong-code",
        "a duplicate instance is answered INVALID_ARGUMENT",
        wrap(INSTANCE, DUPLICATE, answering(do.invalid)),
    ),
    Mutant(
        "instance-refs-dropped",
        "environment references are lost",
        first(INSTANCE, PERSIST, do.changed_resource(do.drop_field("spec.environment_refs"))),
    ),
    Mutant(
        "instance-slug-of-id",
        "instances have their id as slug",
        first(
            INSTANCE,
            SLUG,
            lambda s, w: (
                None
                if s.request.metadata.slug
                else do.put_at("metadata.slug", f"i-{s.context.clock.new_ulid()}")(s.request)
            ),
        ),
    ),
    Mutant(
        "instance-update-loses-audit",
        "an update of an instance makes its audit new",
        then("agent-instance-update", "BuildUpdateState", do.changed_resource(do.drop_field("status"))),
    ),
    Mutant(
        "instance-apply-creates",
        "an apply of an instance is a create",
        wrap("agent-instance-apply", "LoadForApply", ch.as_new),
    ),
    Mutant(
        "instance-delete-keeps",
        "a deleted instance stays",
        then("agent-instance-delete", "DeleteResource", do.keep("agent_instance")),
    ),
    Mutant(
        "instance-kept-for-reader",
        "who has read an instance goes on reading it when it has gone with its agent",
        _kept_for_its_reader(),
        asked=("DEL-*",),
    ),
    Mutant(
        "default-made-by-who-changes",
        "who changes a default instance is noted as who made it",
        then("agent-instance-update", "BuildUpdateState", _made_by_who_changes),
        asked=("UPD-*",),
    ),
    Mutant(
        "default-made-again",
        "an update of an agent makes its default instance what it was at first",
        first(UPDATE, PERSIST, _made_as_at_first),
        asked=("UPD-*",),
    ),
    Mutant(
        "bare-agent-stays",
        "an agent whose default instance was deleted can't be deleted",
        first(DELETE, "DeleteResource", _refused_without_default),
        asked=("DEL-*",),
    ),
    Mutant(
        "platform-default-in-organization",
        "the default instance of an agent of the platform gets the organization that the agent names",
        then(INSTANCE, DEFAULTS, _in_agents_organization),
        asked=("INST-*",),
    ),
    Mutant(
        "cascade-keeps-slugs",
        "the slugs of further instances stay taken when they go with their agent",
        _slugs_kept_by_cascade(),
        asked=("DEL-*",),
    ),
)
