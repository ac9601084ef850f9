"""Mutants of the policy service, and of the limits around all pipelines. A new one is one row."""

from __future__ import annotations

from reference_server.authorization.policies import new_policy, tuple_of
from reference_server.errors import PermissionDenied
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork
from tests.mutants import effects as do
from tests.mutants import read_effects as rd
from tests.mutants.mutant import (
    AUTHORIZE,
    DEFAULTS,
    GET,
    SEND,
    Mutant,
)
from tests.mutants.wrapping import answering, first, instead, omit, then, together, wrap

_BOOTSTRAPS = ("iam-policy-bootstrap", "iam-policy-create-platform-link")


def _answer_anew(state: State, work: UnitOfWork) -> State | None:
    if state.existing is None:
        return None
    policy = new_policy(work, state.context.clock, state.actor, tuple_of(state.request))
    return state.with_response(policy)


POLICY_SINS: tuple[Mutant, ...] = (
    Mutant(
        "bootstrap-answers-new",
        "whoever bootstraps a policy that is there is answered one that isn't stored",
        together(*(then(operation, "Persist", _answer_anew) for operation in _BOOTSTRAPS)),
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
        "grant-wrong-message",
        "a refused grant is answered in other words",
        wrap("iam-policy-create", AUTHORIZE, answering(do.message("no"), only=PermissionDenied)),
        asked=("IAM-*", "MESSAGE-*", "PERM-POLICY-*"),
    ),
    Mutant(
        "grant-bare",
        "a policy has no id",
        then("iam-policy-create", SEND, do.changed_response(do.drop_field("metadata"))),
    ),
    Mutant(
        "grant-unsigned",
        "a policy doesn't say who granted it",
        then("iam-policy-create", DEFAULTS, do.changed_resource(do.drop_field("status.audit.spec_audit.created_by"))),
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
    Mutant(
        "authorized-ids-end",
        "the lists of authorized ids end after a hundred, without a word",
        together(
            then("iam-policy-list-authorized-resource-ids", SEND, do.changed_response(do.cut("resource_ids", 100))),
            then("iam-policy-list-authorized-principal-ids", SEND, do.changed_response(do.cut("principal_ids", 100))),
        ),
        full=True,
    ),
)
