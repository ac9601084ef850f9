"""ValidateFieldConstraints: every protovalidate rule of the request's descriptor."""

from __future__ import annotations

from typing import Any

import protovalidate

from protos.kinds import KINDS
from reference_server.errors import FieldViolation, InvalidArgument
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork


def validate_field_constraints(state: State, work: UnitOfWork) -> State:  # noqa: ARG001 - the signature of a step
    """Refuse a request that breaks a rule. Raises InvalidArgument with one violation per broken rule."""
    try:
        protovalidate.validate(state.request)
    except protovalidate.ValidationError as error:
        raise InvalidArgument(_violation(each) for each in error.violations) from None
    return state


def _violation(violation: Any) -> FieldViolation:  # noqa: ANN401 - protovalidate types it loosely
    return FieldViolation(_path(violation.proto.field), violation.proto.message, violation.proto.rule_id)


def _path(path: Any) -> str:  # noqa: ANN401
    """Render a field path as in `spec.skill_refs[0].kind`."""
    text = ""
    for element in path.elements:
        text += f".{element.field_name}" if text else element.field_name
        subscript = element.subscript
        if subscript is not None:
            text += f"[{subscript.value!r}]"
    return text


def warm_up() -> None:
    """Compile the rules before the first request: that takes 10 ms, once."""
    for kind in KINDS.values():
        protovalidate.collect_violations(kind.message_type())
