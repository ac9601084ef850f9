"""Mutants of the operations on instances. A new one is one row."""

from __future__ import annotations

from tests.mutants import change_effects as ch
from tests.mutants import effects as do
from tests.mutants.mutant import (
    AUTHORIZE,
    DUPLICATE,
    INSTANCE,
    PERSIST,
    SLUG,
    VALIDATE,
    Mutant,
)
from tests.mutants.wrapping import answering, first, leaking, move, omit, store_now, then, together, wrap

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
)
