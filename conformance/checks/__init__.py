"""All checks, in the order in which they run. A new module of checks is one line here."""

from __future__ import annotations

from functools import cache

from conformance.check import Check
from conformance.checks import (
    apply,
    authorize,
    check_duplicate,
    create_default_instance,
    create_iam_policies,
    delete,
    durability,
    environment,
    features,
    get,
    get_by_reference,
    instance,
    listing,
    order,
    persist,
    policy,
    publish,
    resolve_slug,
    rpc,
    search,
    send_response,
    set_defaults,
    tracing,
    transform_response,
    update,
    update_agent_status,
    validate_field_constraints,
)

MODULES = (
    validate_field_constraints,
    authorize,
    resolve_slug,
    check_duplicate,
    set_defaults,
    persist,
    create_iam_policies,
    create_default_instance,
    update_agent_status,
    publish,
    transform_response,
    send_response,
    order,
    get,
    get_by_reference,
    update,
    apply,
    delete,
    listing,
    instance,
    environment,
    policy,
    rpc,
    search,
    features,
    tracing,
    durability,
)


@cache
def all_checks() -> tuple[Check, ...]:
    """Every check of every module."""
    return tuple(row for module in MODULES for row in module.CHECKS)


@cache
def check_of() -> dict[str, Check]:
    """Requirement id to the check that serves it."""
    return {requirement: row for row in all_checks() for requirement in row.judges}
