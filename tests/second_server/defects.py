"""What can be planted in the second server: the name of each defect, and what it does."""

from __future__ import annotations

DEFECTS: dict[str, str] = {
    "no_validation": "field constraints are not evaluated",
    "persist_before_validate": "the resource is stored before it is validated",
    "no_authorization": "every known caller may do everything",
    "anonymous_is_operator": "unknown credentials act as the first caller of the token file",
    "duplicate_before_authorize": "the slug is looked up before the caller is authorized",
    "slug_cut": "slugs are cut at 40 characters",
    "slug_global": "a slug is unique across organizations in the cloud profile too",
    "duplicate_answered_ok": "a duplicate create is answered with the first resource",
    "id_overwritten": "a taken id is overwritten",
    "client_id_replaced": "an unused id of the client is not kept",
    "client_status_kept": "the status that the client sent is stored",
    "no_actor": "the audit names nobody",
    "no_rollback": "a failing step leaves what the steps before it wrote",
    "half_named": "a default instance is named after the agent's name, and where that is taken half of the agent stays",
    "no_policies": "no ownership is written",
    "no_default_instance": "an agent has no default instance",
    "status_not_written": "the default instance's id is not written",
    "no_event": "nothing is published",
    "secret_in_event": "events carry secret values",
    "secret_in_response": "responses carry secret values",
    "reference_ignores_org": "a reference finds resources of other organizations",
    "update_changes_slug": "an update may change the slug",
    "update_loses_status": "an update loses the status",
    "apply_always_creates": "apply never updates",
    "apply_overwrites_id": "an apply of another slug under a taken id makes a new resource in the place of the old",
    "delete_leaves_instances": "an agent's instances outlive it",
    "delete_leaves_policies": "a resource's policies outlive it",
    "page_boundary_skipped": "a listing leaves out the first resource of every page but the first",
    "total_is_page": "total_count counts the page only",
    "junk_accepted": "bytes that don't parse are taken for an empty answer's worth",
    "unknown_method_ok": "unknown methods are answered with nothing, OK",
    "long_status": "a refusal holds all that is wrong, however long",
    "not_serving": "the health service says NOT_SERVING",
    "reflection_silent": "reflection names no service",
    "context_ignored": "checkAuthorization overlooks the policies that a question tells of",
    "ids_of_all": "the lists of authorized ids name all that there is",
    "watch_anonymous": "a watch needs no credentials",
    "watch_shows_all": "a watch tells of what the caller may not view",
    "watch_ignores_subject": "a watch of one subject tells of all",
    "watch_resumes_late": "a watch that resumes after a position leaves out the first event after it",
    "late_instance": "an instance is accepted whose agent was deleted a moment ago",
    "revoked_lingers": "what was allowed a moment ago is allowed, whatever was revoked",
    "late_half": "a create whose deadline has passed keeps the agent and drops its default instance",
}
"""What can be planted, by name."""

CHOICES: dict[str, str] = {
    "slug_invented": "a name with nothing to make a slug of gets one that nobody else has",
    "orphans_accepted": "an instance of an agent that doesn't exist is created",
    "instances_stay": "of an agent's instances, only the default one goes with it",
    "halves_stay": "an apply over an agent that lacks its default instance leaves it so",
    "policies_stay": "the policies of a resource outlive it",
    "pages_of_ten": "a page of getByAgent has 10 instances by default, and up to 1000",
    "events_of_its_own": "events have types of other names",
    "hidden_word": "the word hidden stands in the place of a secret",
}
"""What the contract leaves to the server (it marks its own choice as one), and another may do. No defects."""

RACES: dict[str, float] = {
    "creates": 1 / 5,
    "applies": 1 / 5,
    "updates": 1 / 5,
    # An update that came after the delete brings the agent back; in one of four heats the delete is the last of all.
    "deletes": 4 / 15,
}
"""Races that can be planted, each with how often it shows where it may: so that it does in one of five heats."""

PLACES: dict[str, str] = {
    "no_validation": "agent-create: ValidateFieldConstraints",
    "persist_before_validate": "agent-create: ValidateFieldConstraints",
    "no_authorization": "agent-create: Authorize",
    "anonymous_is_operator": "agent-create: Authorize",
    "duplicate_before_authorize": "agent-create: Authorize",
    "slug_cut": "agent-create: ResolveSlug",
    "slug_global": "agent-create: CheckDuplicate",
    "duplicate_answered_ok": "agent-create: CheckDuplicate",
    "id_overwritten": "agent-create: CheckDuplicate",
    "client_id_replaced": "agent-create: SetDefaults",
    "client_status_kept": "agent-create: SetDefaults",
    "no_actor": "agent-create: SetDefaults",
    "no_rollback": "agent-create: CreateDefaultInstance",
    "half_named": "agent-create: CreateDefaultInstance",
    "no_policies": "agent-create: CreateIamPolicies",
    "no_default_instance": "agent-create: CreateDefaultInstance",
    "status_not_written": "agent-create: UpdateAgentStatusWithDefaultInstance",
    "no_event": "agent-create: Publish",
    "secret_in_event": "agent-create: Publish",
    "secret_in_response": "agent-create: TransformResponse",
    "reference_ignores_org": "agent-get-by-reference: LoadByReference",
    "update_changes_slug": "agent-update: BuildUpdateState",
    "update_loses_status": "agent-update: BuildUpdateState",
    "apply_overwrites_id": "agent-apply: LoadForApply",
    "apply_always_creates": "agent-apply: LoadForApply",
    "delete_leaves_instances": "agent-delete: DeleteResource",
    "delete_leaves_policies": "agent-delete: DeleteResource",
    "page_boundary_skipped": "agent-list: ListResources",
    "total_is_page": "agent-instance-get-by-agent: LoadByAgent",
}
"""The operation and step that a defect is in, in the contract's names; others are in no step."""
