"""One life of a resource, each change followed by a get and between two looks at the clock: for audits and events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from conformance import samples
from conformance.evidence import Json
from conformance.methods import Proto
from conformance.requests import new_resource
from conformance.session import Session
from conformance.target_client import Response

SAME = ("same.apply", "same.update")
CHANGES = ("update", "apply", *SAME)
"""The changes of a life, in their order."""
_STARTED_SECONDS, _LOCAL_SECONDS, _REMOTE_SECONDS = 0.02, 2.0, 300.0
"""How far the clocks of suite and target may be apart: of a target that the suite started it is one clock; behind an
address of this machine there may be another one, by a forwarded port."""


def maker(session: Session) -> str:
    """Return who makes what lives: no operator, where there is somebody else, since it is read as an operator."""
    return next((one for one in ("org_member", "org_admin") if one in session.context.roles), session.context.caller)


def live(session: Session, kind: str) -> None:
    """Create, update, apply and delete a resource, and create another by an apply. Raises SetupRefused.

    After the apply the same is sent again, as `same.apply` and as `same.update`: that changes nothing.
    Leaves the exchanges `create`, `update`, `apply`, `new`, `delete`, a get `OPERATION.get` after each but the last,
    and the facts `OPERATION.between`, `OPERATION.by`, `made.by`, `seconds_apart`, `secrets`.
    """
    role = maker(session)
    agent = session.created_agent("parent", role=role) if kind == "instance" else None
    request = _whole(session, kind, agent)
    session.note("seconds_apart", _seconds_apart(session))
    session.note("made.by", session.context.identity(role))
    secrets = [_secret_of(request)]
    made = _timed(session, "create", lambda: session.call("create", f"{kind}.create", request, role=role))
    if not made.ok:
        return
    request.metadata.id = made.message.metadata.id
    _read(session, kind, "create", made)
    for operation in CHANGES:
        if operation not in SAME:
            request.spec.description = f"after the {operation}"
            secrets.append(_renew_secret(request, operation))
        _timed(session, operation, lambda operation=operation: _as_another(session, operation, kind, request))  # type: ignore[misc]
        _read(session, kind, operation, made)
    if kind == "agent":
        _give_an_instance(session, made.message, role)
    another = _whole(session, kind, agent)
    secrets.append(_secret_of(another))
    session.note("secrets", [one for one in secrets if one])
    applied = _timed(session, "new", lambda: session.call("new", f"{kind}.apply", another, role=role))
    _read(session, kind, "new", applied)
    session.delete("delete", kind, made.message.metadata.id)


def _give_an_instance(session: Session, agent: Proto, role: str) -> None:
    """Give the agent that is deleted at last an instance, and change it: `further` and `further.update`."""
    request = samples.instance(session.name(), session.org, agent.metadata.id)
    made = session.call("further", "instance.create", request, role=role)
    if not made.ok:
        return
    request.metadata.id, request.spec.description = made.message.metadata.id, "after the update"
    request.metadata.labels["changed"] = "yes"
    session.call("further.update", "instance.update", request, role=role)
    session.read("further.get", "instance", made.message.metadata.id)


def stay(session: Session, kind: str) -> None:
    """Make a resource that stays, and change it twice: `stays`, `stays.0`, `stays.1`, as far as that goes.

    Raises SetupRefused where an instance has no agent.
    """
    role = maker(session)
    agent = session.created_agent("stays.parent", role=role).metadata.id if kind == "instance" else ""
    request = new_resource(session, kind, agent)
    made = session.call("stays", f"{kind}.create", request, role=role)
    if not made.ok:
        return
    request.metadata.id = made.message.metadata.id
    for number in range(2):
        request.spec.description = request.metadata.name = f"{request.metadata.name}, changed {number}"
        session.call(f"stays.{number}", f"{kind}.update", request, role=role)


def _whole(session: Session, kind: str, agent: Proto) -> Proto:
    """Return a create with all fields, secrets among them where the kind has any."""
    if kind == "agent":
        made = samples.full_agent(session.name(), session.org)
    else:
        made = new_resource(session, kind, agent.metadata.id if agent is not None else "")
    if kind != "instance":
        samples.add_odd_secrets(_values(made))
    return made


def _values(request: Proto) -> Json:
    spec = request.spec
    return spec.env_spec.data if hasattr(spec, "env_spec") else getattr(spec, "data", {})


def _secret_of(request: Proto) -> str:
    values = _values(request)
    return values[samples.SECRET_NAME].value if samples.SECRET_NAME in values else ""


def _renew_secret(request: Proto, operation: str) -> str:
    """Give the request another secret than before, and return it."""
    values = _values(request)
    if samples.SECRET_NAME not in values:
        return ""
    values[samples.SECRET_NAME].value = samples.secret_value(f"{request.metadata.name}-{operation}")
    return _secret_of(request)


def _as_another(session: Session, operation: str, kind: str, request: Proto) -> Response:
    """Change it as somebody else than who made it, where there is one: an admin first, then an operator."""
    made_by = maker(session)
    others = [one for one in ("org_admin", "operator") if one in session.context.roles and one != made_by] or [made_by]
    role = made_by if operation == SAME[0] else others[0 if operation == CHANGES[0] else -1]
    session.note(f"{operation}.by", session.context.identity(role))
    return session.call(operation, f"{kind}.{operation.removeprefix('same.')}", request, role=role)


def _timed(session: Session, operation: str, call: Callable[[], Response]) -> Response:
    before = datetime.now(UTC).isoformat()
    answer = call()
    session.note(f"{operation}.between", [before, datetime.now(UTC).isoformat()])
    return answer


def _read(session: Session, kind: str, operation: str, made: Response) -> None:
    if made.ok:
        session.read(f"{operation}.get", kind, made.message.metadata.id)
    if made.ok and kind == "agent" and operation in {"create", "new"}:
        session.instances(f"{operation}.instances", made.message)


def _seconds_apart(session: Session) -> float:
    if session.running.process is not None:
        return _STARTED_SECONDS
    name = session.running.address.name
    return _LOCAL_SECONDS if name.startswith(("127.", "localhost", "[::1]", "unix:")) else _REMOTE_SECONDS
