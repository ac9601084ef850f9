"""Mutants of updates, applies and deletes of agents. A new one is one row."""

from __future__ import annotations

from reference_server.errors import InvalidArgument, NotFound, PermissionDenied
from tests.mutants import change_effects as ch
from tests.mutants import effects as do
from tests.mutants import read_effects as rd
from tests.mutants.mutant import (
    APPLY,
    AUTHORIZE,
    CREATE,
    DELETE,
    PERSIST,
    PUBLISH,
    SEND,
    TRANSFORM,
    UPDATE,
    VALIDATE,
    Mutant,
)
from tests.mutants.wrapping import answering, first, instead, leaking, omit, store_now, swap, then, together, wrap

CHANGE_SINS: tuple[Mutant, ...] = (
    # update and apply
    Mutant("update-validate-omitted", "updates are not validated", omit(UPDATE, VALIDATE)),
    Mutant("update-authorize-omitted", "everybody may update", omit(UPDATE, AUTHORIZE)),
    Mutant("update-validate-after-authorize", "update authorizes before it validates", swap(UPDATE, VALIDATE)),
    Mutant("update-loads-first", "update loads before it authorizes", together(wrap(UPDATE, AUTHORIZE, rd.load_first))),
    Mutant(
        "update-loads-before-validate",
        "update loads before it validates",
        first(UPDATE, VALIDATE, ch.must_exist),
    ),
    Mutant(
        "update-wrong-message",
        "a refused update is answered in other words",
        wrap(UPDATE, AUTHORIZE, answering(do.message("no"), only=PermissionDenied)),
    ),
    Mutant("update-changes-slug", "an update changes the slug", ch.carrying(UPDATE, "slug")),
    Mutant("update-changes-org", "an update moves the agent", ch.carrying(UPDATE, "org")),
    Mutant(
        "update-changes-id",
        "an update gives a new id",
        then(UPDATE, SEND, do.changed_response(do.put_at("metadata.id", "agt-other"))),
    ),
    Mutant(
        "update-loses-status",
        "an update loses the default instance",
        then(UPDATE, "BuildUpdateState", do.changed_resource(do.drop_field("status.default_instance_id"))),
    ),
    Mutant(
        "update-merges",
        "an update keeps what it doesn't set",
        then(
            UPDATE,
            "BuildUpdateState",
            ch.reloaded(lambda new, old: do.put_at("spec.icon_url", new.spec.icon_url or old.spec.icon_url)(new)),
        ),
    ),
    Mutant(
        "update-keeps-name",
        "an update keeps name and labels",
        then(
            UPDATE, "BuildUpdateState", ch.reloaded(lambda new, old: do.put_at("metadata.name", old.metadata.name)(new))
        ),
    ),
    Mutant(
        "update-audit-omitted",
        "an update leaves the audit",
        then(UPDATE, "BuildUpdateState", ch.reloaded(lambda new, old: new.status.audit.CopyFrom(old.status.audit))),
    ),
    Mutant(
        "update-audit-recreated",
        "an update makes created_at new",
        then(
            UPDATE,
            "BuildUpdateState",
            do.changed_resource(
                lambda r: r.status.audit.spec_audit.created_at.CopyFrom(r.status.audit.spec_audit.updated_at)
            ),
        ),
    ),
    Mutant("update-creates", "an update of something unknown creates it", wrap(UPDATE, "LoadExisting", ch.upsert)),
    Mutant(
        "update-by-slug-unknown",
        "an update without id finds nothing",
        first(
            UPDATE,
            "LoadExisting",
            lambda s, w: None if s.request.metadata.id else do.put_at("metadata.slug", "nothing-has-this")(s.request),
        ),
    ),
    Mutant(
        "update-neither-ok",
        "an update that names nothing is NOT_FOUND",
        wrap(UPDATE, "LoadExisting", answering(lambda e: NotFound("agent", ""), only=InvalidArgument)),
    ),
    Mutant(
        "update-mixes",
        "labels are stored past the unit of work",
        first(UPDATE, PERSIST, ch.store_labels),
    ),
    Mutant(
        "update-refused-stored",
        "an invalid update is stored before it is refused",
        wrap(UPDATE, VALIDATE, leaking(ch.overwrite_by_id)),
    ),
    Mutant(
        "update-denied-stored",
        "a denied update is stored before it is refused",
        wrap(UPDATE, AUTHORIZE, leaking(ch.overwrite_by_id)),
    ),
    Mutant(
        "update-answer-stale",
        "update answers the state before it",
        then(UPDATE, SEND, lambda s, w: s._replace(response=s.existing.data) if s.existing else None),
    ),
    Mutant(
        "apply-creates-bare",
        "an apply creates without a default instance",
        instead(APPLY, "ContinueAsCreateOrUpdate", ch.apply_bare),
    ),
    Mutant(
        "apply-over-half",
        "an apply over an agent that lacks its default instance leaves it so",
        instead(APPLY, "ContinueAsCreateOrUpdate", ch.apply_as_if_whole),
    ),
    Mutant(
        "apply-always-creates",
        "an apply of what exists is a create",
        wrap(APPLY, "LoadForApply", ch.as_new),
    ),
    Mutant(
        "apply-validate-omitted",
        "an invalid apply is stored before it is refused",
        wrap(APPLY, VALIDATE, leaking(store_now)),
    ),
    Mutant(
        "apply-invalid-ok",
        "applies are not validated",
        together(omit(APPLY, VALIDATE), omit(CREATE, VALIDATE), omit(UPDATE, VALIDATE)),
    ),
    Mutant(
        "apply-unauthorized",
        "an apply is authorized as the system",
        wrap(APPLY, "ContinueAsCreateOrUpdate", rd.for_everybody),
    ),
    Mutant(
        "apply-not-idempotent",
        "every apply changes the agent",
        then(APPLY, "LoadForApply", ch.one_more_tag),
    ),
    Mutant("apply-races", "racing applies make an agent each", first(APPLY, VALIDATE, ch.own_slug)),
    # delete
    Mutant("delete-validate-omitted", "a delete without credentials is let through", omit(DELETE, AUTHORIZE)),
    Mutant("delete-loads-first", "delete loads before it authorizes", wrap(DELETE, AUTHORIZE, rd.load_first)),
    Mutant(
        "delete-wrong-message",
        "a refused delete is answered in other words",
        wrap(DELETE, AUTHORIZE, answering(do.message("no"), only=PermissionDenied)),
    ),
    Mutant(
        "delete-denied-deletes",
        "a denied delete deletes before it is refused",
        wrap(DELETE, AUTHORIZE, leaking(ch.delete_now)),
    ),
    Mutant(
        "delete-leaves-instances",
        "an agent's instances outlive it",
        then(DELETE, "DeleteResource", do.keep("agent_instance")),
    ),
    Mutant(
        "delete-leaves-policies",
        "an agent's policies outlive it",
        then(DELETE, "DeleteResource", do.keep("iam_policy")),
    ),
    Mutant("delete-keeps-agent", "a deleted agent stays", then(DELETE, "DeleteResource", do.keep("agent"))),
    Mutant(
        "delete-takes-neighbour",
        "a delete takes an instance of another agent with it",
        then(DELETE, "DeleteResource", ch.delete_neighbour),
    ),
    Mutant(
        "delete-answers-nothing",
        "delete answers an empty agent",
        then(DELETE, SEND, do.changed_response(lambda m: m.Clear())),
    ),
    Mutant(
        "delete-again-ok",
        "deleting nothing is OK",
        together(
            wrap(DELETE, "LoadExistingForDelete", ch.forgiving),
            *(wrap(DELETE, n, ch.skip_if_no_resource) for n in (PUBLISH, TRANSFORM)),
        ),
    ),
)
