"""Mutants that hold requests to more rules than there are, to fewer where these lie deep, or too late."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from reference_server.errors import FieldViolation, InvalidArgument
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork
from tests.mutants.mutant import CREATE, VALIDATE, Mutant
from tests.mutants.wrapping import Run, everywhere, swap, then, together, wrap

PORT_MAX = 65_535
ID_BYTES_MAX = 256
_DEEP = re.compile(r"spec\.sub_agents\[\d+\]\.skill_refs\[\d+\]\..+")


def _overlooking_deep(run: Run) -> Run:
    """Overlook what is wrong with a reference of a sub-agent."""

    def validate(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except InvalidArgument as refused:
            left = [one for one in refused.violations if not _DEEP.fullmatch(one.field)]
            if left:
                raise InvalidArgument(left) from None
            return state

    return validate


def _ports(request: Any) -> Iterator[int]:
    for server in request.spec.mcp_servers:
        for port in server.docker.ports:
            yield from (port.host_port, port.container_port)


def _only_ports_of_tcp(state: State, work: UnitOfWork) -> None:
    del work
    if any(port > PORT_MAX for port in _ports(state.request)):
        raise InvalidArgument([FieldViolation("spec.mcp_servers", f"a port is at most {PORT_MAX}")])


def _resource_in_bytes(state: State, work: UnitOfWork) -> None:
    """Count the bytes of a resource's id, not its characters."""
    del work
    if len(state.request.resource.id.encode()) > ID_BYTES_MAX:
        raise InvalidArgument([FieldViolation("resource.id", f"has at most {ID_BYTES_MAX}")])


RULE_SINS: tuple[Mutant, ...] = (
    Mutant(
        "validated-late",
        "updates, lists, and what grants are validated once the caller is authorized",
        together(
            everywhere("update", lambda operation: swap(operation, VALIDATE)),
            everywhere("list", lambda operation: swap(operation, VALIDATE)),
            swap("iam-policy-create", VALIDATE),
        ),
        asked=("ORD-*", "RULES-*"),
    ),
    Mutant(
        "deep-rules-overlooked",
        "the references of a sub-agent are held to no rules",
        wrap(CREATE, VALIDATE, _overlooking_deep),
        asked=("VAL-APIRESOURCEREFERENCE-*", "VAL-SUBAGENT-*"),
    ),
    Mutant(
        "ports-end",
        "ports beyond 65535, which no rule forbids, are refused",
        then(CREATE, VALIDATE, _only_ports_of_tcp),
        asked=("VAL-PORTMAPPING-*",),
    ),
    Mutant(
        "resource-ids-in-bytes",
        "the length of a resource's id in a policy is counted in bytes",
        then("iam-policy-create", VALIDATE, _resource_in_bytes),
        asked=("VAL-APIRESOURCEREF-*",),
    ),
)
