"""ExtractResourceId: the id in a request that consists of one."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor

from reference_server.errors import FieldViolation, InvalidArgument
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork


def extract_resource_id(state: State, work: UnitOfWork) -> State:  # noqa: ARG001 - the signature of a step
    """Raises InvalidArgument when the request names nothing."""
    if not resource_id_of(state.request):
        raise InvalidArgument([FieldViolation("value", f"is empty; send the id of the {state.operation.kind.name}")])
    return state


def resource_id_of(request: Any) -> str:  # noqa: ANN401 - one of the id messages
    """Return the id of a request: `value`, or `resource_id` of a delete input."""
    return str(getattr(request, _id_field(request.DESCRIPTOR)))


@cache
def _id_field(descriptor: Descriptor) -> str:
    return "resource_id" if "resource_id" in descriptor.fields_by_name else "value"
