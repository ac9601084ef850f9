"""Mutants of what a create makes, announces and answers. A new one is one row."""

from __future__ import annotations

from tests.mutants import create_effects as on
from tests.mutants import effects as do
from tests.mutants.mutant import (
    CREATE,
    DEFAULT,
    DEFAULTS,
    DELETE,
    GET,
    INSTANCE,
    LIST,
    PERSIST,
    POLICIES,
    PUBLISH,
    REFERENCE,
    SEND,
    SLUG,
    STATUS,
    TRANSFORM,
    UPDATE,
    VALIDATE,
    Mutant,
)
from tests.mutants.wrapping import (
    commit_now,
    first,
    instead,
    leaking,
    move,
    omit,
    repeat,
    swallow,
    swap,
    then,
    together,
    wrap,
)

CREATE_SINS: tuple[Mutant, ...] = (
    # defaults
    Mutant("defaults-omitted", "SetDefaults is left out", omit(CREATE, DEFAULTS)),
    Mutant(
        "defaults-id-kind",
        "ids have the prefix of another kind",
        first(
            CREATE,
            DEFAULTS,
            lambda s, w: (
                None
                if s.resource.metadata.id
                else do.put_at("metadata.id", f"agent-{s.context.clock.new_ulid()}")(s.resource)
            ),
        ),
    ),
    Mutant(
        "defaults-id-reused", "ids are made of the slug, so they come again", first(CREATE, DEFAULTS, on.reused_ids)
    ),
    Mutant(
        "defaults-id-of-client-replaced",
        "an id of the client is replaced",
        first(CREATE, DEFAULTS, do.changed_resource(do.put_at("metadata.id", ""))),
    ),
    Mutant(
        "defaults-status-of-client",
        "the default instance is the client's",
        together(wrap(CREATE, DEFAULTS, on.keep_client_status), wrap(CREATE, STATUS, on.keep_named_instance)),
    ),
    Mutant(
        "defaults-audit-time-of-client",
        "created_at is the client's",
        together(first(CREATE, DEFAULTS, on.client_audit), then(CREATE, DEFAULTS, on.restore_client_audit)),
    ),
    Mutant(
        "defaults-no-actor",
        "the audit names nobody",
        then(
            CREATE,
            DEFAULTS,
            do.changed_resource(on.audits(on.without_actors)),
        ),
    ),
    Mutant(
        "defaults-audit-event",
        "the audit's event is `create`",
        then(CREATE, DEFAULTS, do.changed_resource(on.audits(do.put_at("event", "create")))),
    ),
    Mutant(
        "defaults-audit-times-differ",
        "updated_at of a new agent is later than created_at",
        then(
            CREATE,
            DEFAULTS,
            do.changed_resource(
                lambda r: do.put_at("nanos", (r.status.audit.spec_audit.updated_at.nanos + 1) % 10**9)(
                    r.status.audit.spec_audit.updated_at
                )
            ),
        ),
    ),
    # persist
    Mutant(
        "persist-drops-labels",
        "labels are lost",
        first(CREATE, PERSIST, do.changed_resource(do.drop_field("metadata.labels"))),
    ),
    Mutant(
        "persist-drops-nested",
        "what sub-agents select is lost",
        first(
            CREATE,
            PERSIST,
            do.changed_resource(on.without_selections),
        ),
    ),
    Mutant(
        "persist-strips-text",
        "text is stripped of control characters",
        first(CREATE, PERSIST, do.changed_resource(do.change("\x00"))),
    ),
    Mutant("persist-drops-unknown", "unknown fields are dropped", first(CREATE, PERSIST, on.forget_unknown_fields)),
    Mutant(
        "persist-forgets",
        "nothing is stored",
        together(instead(CREATE, PERSIST, do.nothing), then(CREATE, STATUS, on.reader_of("agent"))),
    ),
    # policies
    Mutant("policies-omitted", "no policies are written", omit(CREATE, POLICIES)),
    Mutant("policies-no-owner", "nobody owns a new agent", then(CREATE, POLICIES, on.policies_about("agent", "owner"))),
    Mutant(
        "policies-no-organization",
        "a new agent hangs below no organization",
        then(CREATE, POLICIES, on.policies_about("agent", "organization")),
    ),
    Mutant(
        "policies-no-platform",
        "an agent of platform scope hangs below nothing",
        then(CREATE, POLICIES, on.policies_about("agent", "platform")),
    ),
    Mutant(
        "policies-too-many", "organization admins own what others create", then(CREATE, POLICIES, on.everybody_owns)
    ),
    Mutant("instance-policies-omitted", "instances have no policies", omit(INSTANCE, POLICIES)),
    # default instance
    Mutant("default-instance-omitted", "no default instance is made", omit(CREATE, DEFAULT)),
    Mutant(
        "default-instance-twice",
        "two default instances are made",
        then(CREATE, DEFAULT, on.one_more_instance),
    ),
    Mutant(
        "default-instance-other-name",
        "its name is `default`",
        first(INSTANCE, DEFAULTS, on.if_default(do.put_at("metadata.name", "default"))),
    ),
    Mutant(
        "default-instance-no-org",
        "it has no organization",
        first(INSTANCE, PERSIST, on.if_default(do.put_at("metadata.org", ""))),
    ),
    Mutant(
        "default-instance-scope",
        "it has organization scope always",
        first(INSTANCE, PERSIST, on.if_default(do.put_at("metadata.owner_scope", 2))),
    ),
    Mutant(
        "default-instance-description",
        "its description is the agent's",
        first(INSTANCE, PERSIST, on.if_default(do.put_at("spec.description", ""))),
    ),
    Mutant(
        "default-instance-bare",
        "it has no kind",
        first(INSTANCE, PERSIST, on.if_default(do.put_at("kind", ""))),
    ),
    Mutant(
        "default-instance-slug-of-name",
        "its slug is made of its name, so agents of one name collide",
        first(INSTANCE, SLUG, on.no_default_slug),
    ),
    Mutant(
        "default-instance-slug-other",
        "its slug is the agent's with another ending",
        first(INSTANCE, SLUG, on.other_default_slug),
    ),
    Mutant(
        "default-instance-partial-failure",
        "the agent is committed before its instance is made",
        wrap(CREATE, DEFAULT, leaking(commit_now)),
    ),
    Mutant(
        "default-instance-failure-swallowed",
        "an agent whose instance can't be made is created without",
        wrap(CREATE, DEFAULT, swallow),
    ),
    # status
    Mutant("status-omitted", "the default instance's id is not written", omit(CREATE, STATUS)),
    Mutant("status-before-instance", "the status is written before there is an instance", swap(CREATE, DEFAULT)),
    Mutant(
        "status-answered-not-stored",
        "the default instance's id is answered and not stored",
        together(omit(CREATE, STATUS), then(CREATE, SEND, on.with_default)),
    ),
    # publish
    Mutant("publish-omitted", "nothing is announced", together(omit(CREATE, PUBLISH), omit(INSTANCE, PUBLISH))),
    Mutant("publish-instance-omitted", "the default instance is not announced", omit(INSTANCE, PUBLISH)),
    Mutant("publish-twice", "two events for one agent", repeat(CREATE, PUBLISH)),
    Mutant(
        "publish-early", "the event shows the agent without its default instance", move(CREATE, PUBLISH, before=DEFAULT)
    ),
    Mutant("publish-secrets", "events show secrets", then(CREATE, PUBLISH, on.reveal_in_event)),
    Mutant("publish-for-refused", "a refused create is announced", wrap(CREATE, VALIDATE, leaking(on.announce_now))),
    Mutant("publish-no-source", "events have no source", then(CREATE, PUBLISH, on.event_without("source"))),
    Mutant(
        "publish-before-commit",
        "the event is out before the agent is stored",
        wrap(CREATE, PUBLISH, on.event_and_no_agent),
    ),
    Mutant("publish-update-omitted", "updates are not announced", omit(UPDATE, PUBLISH)),
    # transform and send
    Mutant("transform-omitted", "the answer to a create shows secrets", omit(CREATE, TRANSFORM)),
    Mutant(
        "transform-omitted-reads",
        "reads show secrets",
        together(
            omit(GET, TRANSFORM),
            omit(REFERENCE, TRANSFORM),
            omit(UPDATE, TRANSFORM),
            omit(DELETE, TRANSFORM),
            wrap(LIST, "ListResources", on.plain_list),
        ),
    ),
    Mutant(
        "transform-everything",
        "plain values are hidden too",
        then(
            CREATE,
            TRANSFORM,
            do.changed_response(on.hide_everything),
        ),
    ),
    Mutant(
        "send-request-back",
        "the answer lacks the audit",
        then(CREATE, SEND, do.changed_response(do.drop_field("status.audit"))),
    ),
)
