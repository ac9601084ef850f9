"""All checks, in the order in which they run. A new module of checks is one line here."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache

from conformance.catalogue import CatalogueInvalid, catalogue
from conformance.check import Check
from conformance.checks import (
    access,
    apply,
    audits,
    authorize,
    bootstrap,
    by_agent_seen,
    check_duplicate,
    create_default_instance,
    create_iam_policies,
    delete,
    durability,
    environment,
    events,
    features,
    get,
    get_by_reference,
    instance,
    kind_races,
    listing,
    lists,
    load,
    lookups,
    moving,
    order,
    own_scope,
    ownership,
    pages,
    persist,
    policy,
    policy_ids,
    publish,
    races,
    readers,
    refused_secrets,
    replace,
    replicas,
    replicas_at_once,
    resolve_slug,
    revoked,
    rpc,
    rules,
    search,
    send_response,
    set_defaults,
    slug_holders,
    tracing,
    transform_response,
    update,
    update_agent_status,
    validate_field_constraints,
    ways,
)

MODULES = (
    validate_field_constraints,
    rules,
    authorize,
    access,
    resolve_slug,
    check_duplicate,
    set_defaults,
    persist,
    create_iam_policies,
    create_default_instance,
    update_agent_status,
    publish,
    transform_response,
    readers,
    refused_secrets,
    send_response,
    order,
    own_scope,
    ownership,
    get,
    get_by_reference,
    update,
    apply,
    replace,
    delete,
    listing,
    lists,
    pages,
    lookups,
    slug_holders,
    instance,
    by_agent_seen,
    moving,
    ways,
    environment,
    policy,
    policy_ids,
    bootstrap,
    revoked,
    audits,
    events,
    rpc,
    search,
    races,
    kind_races,
    replicas,
    replicas_at_once,
    load,
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
    """Requirement id to the check that serves it. Raises CatalogueInvalid where catalogue and checks don't agree."""
    found: dict[str, Check] = {}
    for row in all_checks():
        for requirement in row.judges:
            if requirement not in catalogue():
                near = get_close_matches(requirement, catalogue(), 1)
                meant = f"; is {near[0]} meant?" if near else "; add it to a file of conformance/requirements"
                raise CatalogueInvalid(f"check {row.id}: no requirement {requirement}{meant}")
            if requirement in found:
                raise CatalogueInvalid(f"requirement {requirement} is served by {found[requirement].id} and {row.id}")
            found[requirement] = row
    without = [row.id for row in catalogue().values() if not row.excluded and row.id not in found]
    if without:
        listed = ", ".join(without)
        raise CatalogueInvalid(f"no check serves {listed}: add one, or say in the catalogue why it is excluded")
    return found
