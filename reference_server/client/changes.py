"""Changes that notice others: who reads, changes and writes must not undo what somebody else wrote in between.

Before it writes, the client reads again and compares the time of the last change; and it sends that time along
(`protos.conditions`), so that a server that knows the condition compares it in the moment of the write. On a server
that doesn't, a change in the few milliseconds between the second reading and the write goes unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import grpc
from google.protobuf.message import Message

from protos.conditions import change_mark
from reference_server.client.failures import Changed, Refused
from reference_server.client.kinds import name_of, time_of
from reference_server.client.resources import Resources

TRIES_MAX = 100
"""Each time that a change has to be made again, somebody else's was made."""


def change(resources: Resources, name: str, org: str, alter: Callable[[Any], None]) -> Any:  # noqa: ANN401 - a resource
    """Read a resource, alter it, and write it; again when somebody changed it in between. Raises Changed."""
    for _ in range(TRIES_MAX - 1):
        try:
            return _change_once(resources, name, org, alter)
        except Changed:
            continue
    return _change_once(resources, name, org, alter)


def _change_once(resources: Resources, name: str, org: str, alter: Callable[[Any], None]) -> Any:  # noqa: ANN401
    known = resources.find(name, org)
    wanted = deepcopy(known)
    alter(wanted)
    return write(resources, resources.update, wanted, known)


def write(resources: Resources, send: Callable[[Message, str], Any], wanted: Message, known: Any) -> Any:  # noqa: ANN401
    """Send `wanted` if the server still has `known`; return the answer. Raises Changed if it hasn't."""
    mark = change_mark(known.status.audit)
    current = resources.get(known.metadata.id)
    if change_mark(current.status.audit) != mark:
        raise changed(resources, current)
    try:
        return send(wanted, mark)
    except Refused as refused:
        if refused.code is not grpc.StatusCode.ABORTED:
            raise
        raise changed(resources, resources.get(known.metadata.id)) from refused


def changed(resources: Resources, current: Any) -> Changed:  # noqa: ANN401 - a resource
    """Return the error that says who changed a resource, and when."""
    audit = current.status.audit.spec_audit
    return Changed(
        f"{name_of(resources.kind, current)} was changed by {audit.updated_by.id or 'somebody'} at "
        f"{time_of(audit.updated_at)}, after it was read",
        hint="Read it again, and make the change in what is there now.",
    )
