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
    "delete_leaves_instances": "an agent's instances outlive it",
    "delete_leaves_policies": "a resource's policies outlive it",
    "page_boundary_skipped": "a listing leaves out the first resource of every page but the first",
    "total_is_page": "total_count counts the page only",
    "junk_accepted": "bytes that don't parse are taken for an empty answer's worth",
    "unknown_method_ok": "unknown methods are answered with nothing, OK",
    "long_status": "a refusal holds all that is wrong, however long",
    "not_serving": "the health service says NOT_SERVING",
    "reflection_silent": "reflection names no service",
    "late_half": "a create whose deadline has passed keeps the agent and drops its default instance",
}
"""What can be planted, by name."""

CHOICES: dict[str, str] = {
    "slug_invented": "a name with nothing to make a slug of gets one that nobody else has",
    "orphans_accepted": "an instance of an agent that doesn't exist is created",
    "instances_stay": "of an agent's instances, only the default one goes with it",
    "policies_stay": "the policies of a resource outlive it",
    "pages_of_ten": "a page of getByAgent has 10 instances by default, and up to 1000",
    "events_of_its_own": "events have types of other names",
    "hidden_word": "the word hidden stands in the place of a secret",
}
"""What the contract leaves to the server (it marks its own choice as one), and another may do. No defects."""
