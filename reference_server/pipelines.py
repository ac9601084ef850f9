"""Every operation and the order of its steps: data, stated once.

A new operation is one entry here; a new kind is its entries here and a row in `protos/kinds.py`. Steps marked CLOUD
don't exist in the oss profile. Source: behaviour contract, sections 1 and 2.
"""

from __future__ import annotations

from functools import partial

from protos.kinds import AGENT, AGENT_INSTANCE, ENVIRONMENT, IAM_POLICY, ResourceKind
from reference_server.pipeline import Operation, Step, operation, step
from reference_server.profile import Profile
from reference_server.steps import authorize, publish
from reference_server.steps import policy_operations as policies
from reference_server.steps.build_update_state import build_update_state
from reference_server.steps.check_duplicate import check_duplicate
from reference_server.steps.continue_as_create_or_update import continue_as_create_or_update
from reference_server.steps.create_default_instance import create_default_instance
from reference_server.steps.create_iam_policies import create_iam_policies
from reference_server.steps.delete_resource import delete_resource
from reference_server.steps.extract_resource_id import extract_resource_id
from reference_server.steps.list_resources import list_resources
from reference_server.steps.load_by_agent import load_by_agent
from reference_server.steps.load_by_reference import load_by_reference
from reference_server.steps.load_existing import load_existing, load_for_apply
from reference_server.steps.load_parent_agent import load_parent_agent
from reference_server.steps.load_target import load_existing_for_delete, load_target
from reference_server.steps.move_to_agent import move_to_agent
from reference_server.steps.persist import persist
from reference_server.steps.resolve_slug import resolve_slug, resolve_slug_if_needed
from reference_server.steps.send_response import send_response
from reference_server.steps.set_defaults import set_defaults
from reference_server.steps.transform_response import transform_response
from reference_server.steps.update_agent_status_with_default_instance import (
    update_agent_status_with_default_instance,
)
from reference_server.steps.validate_field_constraints import validate_field_constraints

CLOUD = Profile.CLOUD

_VALIDATE = step(validate_field_constraints)
_SEND = step(send_response)
_TRANSFORM = step(transform_response, only=CLOUD)
_AUTHENTICATE = step(authorize.authenticate, "Authorize", only=CLOUD)


def _authorize(target: authorize.Target = authorize.by_option) -> Step:
    return step(authorize.authorize_on(target), "Authorize", only=CLOUD)


def _publish(event: str) -> Step:
    return step(publish.STEPS[event], "Publish", only=CLOUD)


AGENT_CREATE = (
    _VALIDATE,
    _authorize(authorize.by_owner_scope),
    step(resolve_slug),
    step(check_duplicate),
    step(set_defaults),
    step(persist),
    step(create_iam_policies, only=CLOUD),
    step(create_default_instance),
    step(update_agent_status_with_default_instance),
    _publish("created"),
    _TRANSFORM,
    _SEND,
)

_MAKE = (
    step(resolve_slug),
    step(check_duplicate),
    step(set_defaults),
    step(persist),
    step(create_iam_policies, only=CLOUD),
    _publish("created"),
    _TRANSFORM,
    _SEND,
)

AGENT_INSTANCE_CREATE = (_VALIDATE, _authorize(), step(load_parent_agent), *_MAKE)

ENVIRONMENT_CREATE = (_VALIDATE, _authorize(authorize.by_owner_scope), *_MAKE)

_LOAD_FOR_UPDATE = (
    _VALIDATE,
    _authorize(authorize.by_id_or_slug),
    step(resolve_slug_if_needed, "ResolveSlug"),
    step(load_existing),
)

_CHANGE = (
    step(build_update_state),
    step(persist),
    _publish("updated"),
    _TRANSFORM,
    _SEND,
)

UPDATE = (*_LOAD_FOR_UPDATE, *_CHANGE)

AGENT_INSTANCE_UPDATE = (*_LOAD_FOR_UPDATE, step(move_to_agent, only=CLOUD), step(load_parent_agent), *_CHANGE)

APPLY = (
    _VALIDATE,
    step(resolve_slug_if_needed, "ResolveSlug"),
    step(load_for_apply),
    step(continue_as_create_or_update),
)

# Secrets are absent from every response, that of a delete included.
DELETE = (
    _VALIDATE,
    _authorize(),
    step(extract_resource_id),
    step(load_existing_for_delete),
    step(delete_resource),
    _publish("deleted"),
    _TRANSFORM,
    _SEND,
)

GET = (_VALIDATE, _authorize(), step(load_target), _TRANSFORM, _SEND)

GET_BY_REFERENCE = (
    _VALIDATE,
    step(load_by_reference),
    step(authorize.authorize_candidates, "Authorize"),
    _TRANSFORM,
    _SEND,
)

GET_BY_AGENT = (_VALIDATE, _AUTHENTICATE, step(load_by_agent), _SEND)

LIST = (_VALIDATE, _AUTHENTICATE, step(list_resources), _SEND)

POLICY_CREATE = (
    _VALIDATE,
    _authorize(authorize.by_policy_resource),
    step(policies.check_duplicate_policy, "CheckDuplicate"),
    step(policies.build_policy, "SetDefaults"),
    step(persist),
    _SEND,
)

POLICY_BOOTSTRAP = (
    _VALIDATE,
    _authorize(),
    step(policies.ensure_policy, "Persist"),
    _SEND,
)

POLICY_DELETE = (
    _VALIDATE,
    _authorize(authorize.by_policy_resource),
    step(policies.load_policy, "LoadExistingForDelete"),
    step(policies.delete_policy, "DeleteResource"),
    _SEND,
)

POLICY_CLEANUP = (_VALIDATE, _authorize(), step(policies.cleanup_policies, "DeleteResource"), _SEND)

POLICY_GET = (_VALIDATE, _authorize(authorize.by_stored_policy), step(load_target), _SEND)


def _of_kind(kind: ResourceKind, create: tuple[Step, ...], update: tuple[Step, ...] = UPDATE) -> tuple[Operation, ...]:
    prefix = kind.name.replace("_", "-")
    make = partial(operation, kind=kind)
    commands, queries = kind.command.methods_by_name, kind.query.methods_by_name
    return (
        make(f"{prefix}-create", method=commands["create"], steps=create),
        make(f"{prefix}-update", method=commands["update"], steps=update),
        make(f"{prefix}-apply", method=commands["apply"], steps=APPLY),
        make(f"{prefix}-delete", method=commands["delete"], steps=DELETE),
        make(f"{prefix}-get", method=queries["get"], steps=GET),
        make(f"{prefix}-get-by-reference", method=queries["getByReference"], steps=GET_BY_REFERENCE),
        make(f"{prefix}-list", method=kind.list_method, steps=LIST),
    )


def _policies() -> tuple[Operation, ...]:
    commands, queries = IAM_POLICY.command.methods_by_name, IAM_POLICY.query.methods_by_name
    make = partial(operation, kind=IAM_POLICY, only=CLOUD)
    ask = (_VALIDATE, _AUTHENTICATE)
    return (
        make("iam-policy-create", method=commands["create"], steps=POLICY_CREATE),
        make("iam-policy-delete", method=commands["delete"], steps=POLICY_DELETE),
        make("iam-policy-create-platform-link", method=commands["createPlatformLink"], steps=POLICY_BOOTSTRAP),
        make("iam-policy-bootstrap", method=commands["bootstrapPolicy"], steps=POLICY_BOOTSTRAP),
        make("iam-policy-cleanup", method=commands["cleanupResourcePolicies"], steps=POLICY_CLEANUP),
        make("iam-policy-get", method=queries["get"], steps=POLICY_GET),
        make(
            "iam-policy-check-authorization",
            method=queries["checkAuthorization"],
            steps=(*ask, step(policies.check_authorization), _SEND),
        ),
        make(
            "iam-policy-list-authorized-resource-ids",
            method=queries["listAuthorizedResourceIds"],
            steps=(
                _VALIDATE,
                _authorize(authorize.by_own_principal),
                step(policies.list_authorized_resource_ids),
                _SEND,
            ),
        ),
        make(
            "iam-policy-list-authorized-principal-ids",
            method=queries["listAuthorizedPrincipalIds"],
            steps=(
                _VALIDATE,
                _authorize(authorize.by_policy_resource),
                step(policies.list_authorized_principal_ids),
                _SEND,
            ),
        ),
    )


def _all() -> tuple[Operation, ...]:
    by_agent = AGENT_INSTANCE.query.methods_by_name["getByAgent"]
    return (
        *_of_kind(AGENT, AGENT_CREATE),
        *_of_kind(AGENT_INSTANCE, AGENT_INSTANCE_CREATE, AGENT_INSTANCE_UPDATE),
        operation("agent-instance-get-by-agent", AGENT_INSTANCE, by_agent, GET_BY_AGENT),
        *_of_kind(ENVIRONMENT, ENVIRONMENT_CREATE),
        *_policies(),
    )


OPERATIONS = {each.name: each for each in _all()}
"""All operations by name, with all their steps; `Operation.for_profile` leaves out what a profile hasn't."""
