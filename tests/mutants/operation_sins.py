"""Mutants of the other operations. A new one is one row."""

from __future__ import annotations

from reference_server.errors import InvalidArgument, NotFound, PermissionDenied
from tests.mutants import change_effects as ch
from tests.mutants import effects as do
from tests.mutants import read_effects as rd
from tests.mutants.mutant import (
    APPLY,
    AUTHORIZE,
    BY_AGENT,
    CREATE,
    DELETE,
    DUPLICATE,
    ENVIRONMENT,
    GET,
    INSTANCE,
    LIST,
    PERSIST,
    PUBLISH,
    REFERENCE,
    SEND,
    SLUG,
    TRANSFORM,
    UPDATE,
    VALIDATE,
    Mutant,
)
from tests.mutants.wrapping import answering, first, instead, leaking, move, omit, store_now, swap, then, together, wrap

OPERATION_SINS: tuple[Mutant, ...] = (
    # get and references
    Mutant(
        "get-other-code",
        "an unknown id is PERMISSION_DENIED to operators too",
        wrap(GET, "LoadTarget", answering(do.message("no"))),
    ),
    Mutant("get-loads-first", "get loads before it authorizes", wrap(GET, AUTHORIZE, rd.load_first)),
    Mutant("get-authorize-omitted", "everybody may get", omit(GET, AUTHORIZE)),
    Mutant("get-by-prefix", "get finds ids that begin alike", wrap(GET, "LoadTarget", rd.prefix_found)),
    Mutant(
        "get-any-kind",
        "get finds ids of other kinds",
        together(*(wrap(f"{k}-get", "LoadTarget", rd.any_kind) for k in ("agent", "agent-instance", "environment"))),
    ),
    Mutant(
        "get-stale",
        "get answers another name",
        then(GET, SEND, do.changed_response(lambda m: do.put_at("metadata.name", m.metadata.name + " ")(m))),
    ),
    Mutant(
        "reference-ignores-org",
        "getByReference ignores the organization",
        wrap(REFERENCE, "LoadByReference", rd.without("org")),
    ),
    Mutant(
        "reference-ignores-kind",
        "getByReference ignores the kind",
        wrap(REFERENCE, "LoadByReference", rd.without("kind")),
    ),
    Mutant(
        "reference-without-slug",
        "getByReference without a slug finds something",
        wrap(REFERENCE, "LoadByReference", rd.no_slug_any),
    ),
    Mutant("reference-any-case", "getByReference ignores case", wrap(REFERENCE, "LoadByReference", rd.any_case)),
    Mutant(
        "reference-by-prefix",
        "getByReference finds slugs that begin alike",
        wrap(REFERENCE, "LoadByReference", rd.slug_by_prefix),
    ),
    Mutant(
        "reference-org-required",
        "getByReference without an organization finds nothing",
        first(
            REFERENCE,
            "LoadByReference",
            lambda s, w: None if s.request.org else do.put_at("slug", "nothing-has-this")(s.request),
        ),
    ),
    Mutant(
        "reference-other-agent",
        "getByReference answers another name",
        then(REFERENCE, SEND, do.changed_response(lambda m: do.put_at("metadata.name", m.metadata.name + " ")(m))),
    ),
    Mutant(
        "reference-authorize-omitted", "everybody may get by reference", wrap(REFERENCE, AUTHORIZE, rd.for_everybody)
    ),
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
    # lists
    Mutant(
        "list-skips-boundary",
        "a list leaves out the first of every later page",
        then(LIST, "ListResources", do.listing(rd.drop_first_of_later_pages)),
    ),
    Mutant("list-reversed", "a list is newest first", then(LIST, "ListResources", do.listing(rd.newest_first))),
    Mutant("list-ignores-org", "a list ignores the organization", first(LIST, "ListResources", rd.all_orgs)),
    Mutant(
        "list-shows-all", "a list shows what the caller may not view", wrap(LIST, "ListResources", rd.for_everybody)
    ),
    Mutant("list-anonymous", "a list needs no credentials", omit(LIST, AUTHORIZE)),
    Mutant("list-shows-deleted", "a list shows deleted agents", wrap(LIST, "ListResources", rd.with_deleted)),
    Mutant(
        "list-hides-defaults",
        "a list of instances hides default ones",
        then("agent-instance-list", "ListResources", do.listing(rd.hide_default)),
    ),
    Mutant(
        "by-agent-size",
        "getByAgent's pages have 100 where no size is asked for",
        first(BY_AGENT, "LoadByAgent", rd.page(rd.hundred_by_default)),
    ),
    Mutant(
        "by-agent-from-zero",
        "getByAgent counts pages from 0",
        first(BY_AGENT, "LoadByAgent", rd.page(rd.page_from_zero)),
    ),
    Mutant(
        "by-agent-total",
        "total_count counts the page only",
        then(BY_AGENT, "LoadByAgent", do.listing(rd.total_of_page)),
    ),
    Mutant("by-agent-all", "getByAgent holds every agent's instances", wrap(BY_AGENT, "LoadByAgent", rd.all_instances)),
    Mutant(
        "by-agent-shows-all",
        "getByAgent shows what the caller may not view",
        wrap(BY_AGENT, "LoadByAgent", rd.for_everybody),
    ),
    Mutant(
        "by-agent-reversed", "getByAgent is newest first", then(BY_AGENT, "LoadByAgent", do.listing(rd.newest_first))
    ),
    # instances
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
    # environments
    Mutant(
        "environment-authorize-omitted",
        "environments are everybody's",
        together(*(omit(f"environment-{v}", AUTHORIZE) for v in ("create", "get", "update", "delete"))),
    ),
    Mutant(
        "environment-denied-stored",
        "a denied environment is stored before it is refused",
        wrap(ENVIRONMENT, AUTHORIZE, leaking(store_now)),
    ),
    Mutant(
        "environment-duplicate-stored",
        "a duplicate environment is stored before it is refused",
        wrap(
            ENVIRONMENT,
            DUPLICATE,
            leaking(do.store_under_id),
        ),
    ),
    Mutant(
        "environment-duplicate-wrong-code",
        "a duplicate environment is answered INVALID_ARGUMENT",
        wrap(ENVIRONMENT, DUPLICATE, answering(do.invalid)),
    ),
    Mutant(
        "environment-drops-values",
        "values of an environment are lost",
        first(ENVIRONMENT, PERSIST, do.changed_resource(ch.without_region)),
    ),
    Mutant(
        "environment-secrets",
        "answers show an environment's secrets",
        together(
            *(omit(f"environment-{v}", TRANSFORM) for v in ("create", "get", "get-by-reference", "update", "delete"))
        ),
    ),
    Mutant(
        "environment-update-merges",
        "an update of an environment keeps its name",
        then(
            "environment-update",
            "BuildUpdateState",
            ch.reloaded(lambda new, old: do.put_at("metadata.name", old.metadata.name)(new)),
        ),
    ),
    Mutant(
        "environment-apply-creates",
        "an apply of an environment is a create",
        wrap("environment-apply", "LoadForApply", ch.as_new),
    ),
    Mutant(
        "environment-delete-keeps",
        "a deleted environment stays",
        then("environment-delete", "DeleteResource", do.keep("environment")),
    ),
    # policies as an API
    Mutant(
        "check-always-true",
        "checkAuthorization is always true",
        instead("iam-policy-check-authorization", "CheckAuthorization", rd.always(answer=True)),
    ),
    Mutant(
        "check-any-relation",
        "checkAuthorization overlooks the relation",
        wrap("iam-policy-check-authorization", "CheckAuthorization", rd.any_relation),
    ),
    Mutant(
        "check-operators-only",
        "only operators may ask checkAuthorization",
        first("iam-policy-check-authorization", "CheckAuthorization", do.operators_only),
    ),
    Mutant(
        "grant-open",
        "everybody may grant and revoke",
        together(
            *(omit(f"iam-policy-{v}", AUTHORIZE) for v in ("create", "delete", "cleanup", "create-platform-link"))
        ),
    ),
    Mutant(
        "grant-bare",
        "a policy has no id",
        then("iam-policy-create", SEND, do.changed_response(do.drop_field("metadata"))),
    ),
    Mutant(
        "revoke-keeps", "a revoked policy stays", then("iam-policy-delete", "DeleteResource", do.keep("iam_policy"))
    ),
    Mutant(
        "policy-get-other-code",
        "an unknown policy is PERMISSION_DENIED to operators",
        wrap("iam-policy-get", "LoadTarget", answering(do.message("no"))),
    ),
    Mutant(
        "authorize-remembers", "what was once allowed stays allowed", wrap(GET, AUTHORIZE, rd.remembering_refusals())
    ),
    # the server around the pipelines
    Mutant(
        "size-limit-too-high",
        "requests over 10 MiB are accepted",
        lambda operations: operations,
        config={"max_message_bytes": 64 * 1024 * 1024},
    ),
    Mutant(
        "size-limit-too-low",
        "requests over 4 MiB are refused",
        lambda operations: operations,
        config={"max_message_bytes": 4 * 1024 * 1024},
    ),
)
