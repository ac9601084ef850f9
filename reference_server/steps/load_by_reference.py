"""LoadByReference: the resources that a reference may mean."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import ApiResourceKind
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from reference_server.errors import FieldViolation, InvalidArgument
from reference_server.identity import message_of
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Record

_CANDIDATES_MAX = 1000
"""So many resources with one slug are looked at; a reference that names the organization needs only one."""


def load_by_reference(state: State, work: UnitOfWork) -> State:
    """Find by slug, narrowed by organization and scope. Raises InvalidArgument for no slug or another kind."""
    reference, kind = state.request, state.operation.kind
    if not reference.slug:
        raise InvalidArgument([FieldViolation("slug", f"is empty; send the slug of the {kind.name}")])
    if reference.kind not in {0, kind.number}:
        named = ApiResourceKind.Name(reference.kind) if reference.kind in ApiResourceKind.values() else reference.kind
        raise InvalidArgument([FieldViolation("kind", f"is {named}, but this method finds {kind.name}")])
    return state._replace(candidates=tuple(islice(_matching(state, work), _CANDIDATES_MAX)))


def _matching(state: State, work: UnitOfWork) -> Iterable[Record]:
    reference, kind = state.request, state.operation.kind.name
    if reference.org and reference.scope == organization:
        record = work.record_under(kind, "slug_key", (str(organization), reference.org, reference.slug))
        if record is not None:
            yield record
        return
    for record in work.scan(kind, "slug", (reference.slug,)):
        metadata = message_of(state, record).metadata
        if reference.org in {"", metadata.org} and reference.scope in {0, metadata.owner_scope}:
            yield record
