"""Environment: created, read, changed, applied and deleted like the others."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, value_at
from conformance.judging import (
    absent,
    accepted,
    answer_of,
    answered,
    both,
    choice,
    code,
    differences,
    equal,
    field_is,
    same_answer,
)
from conformance.methods import METHODS
from conformance.secrets_shown import DATA_OF_ENVIRONMENT, leaks, not_stars, unlike
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from conformance.verdict import Problem
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment


def _request(session: Session, **changes: str) -> Environment:
    return samples.environment(changes.pop("name", session.name()), session.org, **changes)


_DELETES: dict[str, dict[str, object]] = {
    "force": {"force": True},
    "message": {"version_message": "no longer needed"},
    "both": {"force": True, "version_message": "no longer needed"},
}
"""What a delete may say beside the id: it is a delete like any other."""


def _life(session: Session) -> None:
    request = _request(session)
    samples.add_odd_secrets(request.spec.data)
    answer = session.call("create", "environment.create", request)
    if not answer.ok:
        return
    made = answer.message
    session.read("read", "environment", made.metadata.id)
    session.find("find", "environment", made.metadata.slug)
    changed = _request(session, name=f"{made.metadata.name} renamed", resource_id=made.metadata.id)
    changed.spec.data[samples.PLAIN_NAME].value = "south"
    changed.spec.data["ADDED"].value = "1"
    session.call("update", "environment.update", changed)
    session.read("updated", "environment", made.metadata.id)
    changed.spec.data["ADDED"].value = "2"
    session.call("apply", "environment.apply", changed)
    session.call("new", "environment.apply", _request(session))
    session.delete("delete", "environment", made.metadata.id)
    role = "operator" if session.cloud else None
    session.read("gone", "environment", made.metadata.id, role=role)
    session.find("gone.find", "environment", made.metadata.slug, role=role)
    session.delete("again", "environment", made.metadata.id, role=role)
    for way, said in _DELETES.items():
        more = session.need(f"setup.{way}", "environment.create", _request(session))
        delete = METHODS["environment.delete"].request(resource_id=more.metadata.id, **said)
        session.call(f"delete.{way}", "environment.delete", delete)
        session.read(f"gone.{way}", "environment", more.metadata.id, role=role)
        session.call(f"again.{way}", "environment.delete", delete, role=role)


def _plain(data: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """The values that no profile hides."""
    return {name: value for name, value in data.items() if not value.get("is_secret")}


def _round_trip(evidence: Evidence) -> list[Problem]:
    created, read = evidence["create"], evidence["read"]
    failed = answered(created, "OK") + answered(read, "OK")
    if failed:
        return failed
    wanted = _plain(value_at(created.request, "spec.data", {}))
    found = differences(wanted, _plain(read.value("spec.data", {})), read, "spec.data")
    found += equal(
        "names of the values", read, sorted(created.request["spec"]["data"]), sorted(read.value("spec.data", {}))
    )
    if not read.value("metadata.id").startswith("env-"):
        found += equal("prefix of the id", read, "env-", read.value("metadata.id"))
    return found + equal("event", read, "created", read.value("status.audit.spec_audit.event"))


def _updated(evidence: Evidence) -> list[Problem]:
    update, read, created = evidence["update"], evidence["updated"], evidence["create"]
    failed = answered(update, "OK") + answered(read, "OK")
    if failed:
        return failed
    wanted = _plain(value_at(update.request, "spec.data", {}))
    found = differences(wanted, _plain(read.value("spec.data", {})), read, "spec.data")
    for part in ("id", "slug", "org"):
        found += equal(part, read, created.value(f"metadata.{part}"), read.value(f"metadata.{part}"))
    found += equal("name", read, update.request["metadata"]["name"], read.value("metadata.name"))
    return found + equal("event", read, "updated", read.value("status.audit.spec_audit.event"))


def _shown(evidence: Evidence) -> list[Exchange]:
    """Every answer that shows an environment."""
    return [row for row in evidence.exchanges if row.ok and row.value("metadata.id")]


def _secret_hidden(evidence: Evidence) -> list[Problem]:
    sent = [value_at(row.request, f"{DATA_OF_ENVIRONMENT}.{samples.SECRET_NAME}.value") for row in evidence.exchanges]
    rows = _shown(evidence)
    found = [wrong for row in rows for wrong in leaks(row, sent) or unlike(row, DATA_OF_ENVIRONMENT)]
    return found or answered(evidence["create"], "OK")


def _shown_as_stars(evidence: Evidence) -> list[Problem]:
    return [wrong for row in _shown(evidence) for wrong in not_stars(row, DATA_OF_ENVIRONMENT)]


def _duplicates(session: Session) -> None:
    first = session.need("first", "environment.create", _request(session))
    again = _request(session, name=first.metadata.name, resource_id=session.new_id("environment"))
    session.call("slug", "environment.create", again)
    trace = _request(session, resource_id=again.metadata.id)
    sweep(session, "sweep", "environment", trace)
    session.call("id", "environment.create", _request(session, resource_id=first.metadata.id))
    session.read("get", "environment", first.metadata.id)
    session.call("twin", "environment.create", _request(session))


def _refused(session: Session) -> None:
    made = session.need("create", "environment.create", _request(session))
    for role in ("anonymous", "other_org_member", "nobody"):
        request = _request(session, resource_id=session.new_id("environment"))
        session.call(f"create.{role}", "environment.create", request, role=role)
        sweep(session, f"sweep.{role}", "environment", request, role=role)
    changed = _request(session, name=made.metadata.name, resource_id=made.metadata.id)
    session.read("read.outsider", "environment", made.metadata.id, role="other_org_member")
    session.call("update.outsider", "environment.update", changed, role="other_org_member")
    session.delete("delete.outsider", "environment", made.metadata.id, role="other_org_member")
    session.delete("delete.anonymous", "environment", made.metadata.id, role="anonymous")
    session.delete("delete.unknown", "environment", session.new_id("environment"), role="nobody")
    session.read("after", "environment", made.metadata.id)
    session.call("twin", "environment.create", _request(session), role="org_member")


CHECKS: tuple[Check, ...] = (
    check(
        "ENV-CREATE",
        _life,
        both(_round_trip, same_answer("create", "read"), same_answer("create", "find")),
        also={
            "ENV-SECRET": both(_secret_hidden, choice(_shown_as_stars, "OK")),
            "ENV-UPDATE": both(_updated, same_answer("update", "updated")),
            "ENV-APPLY": both(
                field_is("apply", "metadata.id", answer_of("create", "metadata.id")),
                field_is("apply", "spec.data.ADDED.value", "2"),
                accepted("new"),
            ),
            "ENV-DELETE": both(
                field_is("delete", "metadata.id", answer_of("create", "metadata.id")),
                code("gone", "NOT_FOUND"),
                absent("gone.find"),
                code("again", "NOT_FOUND"),
                accepted(*(f"delete.{way}" for way in _DELETES)),
                *(code(f"{after}.{way}", "NOT_FOUND") for way in _DELETES for after in ("gone", "again")),
            ),
        },
        roles=("caller", "operator"),
    ),
    check(
        "ENV-DUPLICATE",
        _duplicates,
        both(
            code("slug", "ALREADY_EXISTS"), code("id", "ALREADY_EXISTS"), same_answer("first", "get"), accepted("twin")
        ),
        also={"ATOM-ENV-DUPLICATE": no_trace()},
    ),
    check(
        "ENV-AUTH",
        _refused,
        both(
            code("create.anonymous", "UNAUTHENTICATED"),
            code("create.other_org_member", "PERMISSION_DENIED"),
            code("create.nobody", "PERMISSION_DENIED"),
            code("read.outsider", "PERMISSION_DENIED"),
            code("update.outsider", "PERMISSION_DENIED"),
            code("delete.outsider", "PERMISSION_DENIED"),
            code("delete.anonymous", "UNAUTHENTICATED"),
            code("delete.unknown", "PERMISSION_DENIED"),
            accepted("twin"),
        ),
        also={
            "ATOM-ENV-AUTH": both(
                same_answer("create", "after"),
                *(no_trace(f"sweep.{role}") for role in ("anonymous", "other_org_member", "nobody")),
            )
        },
        roles=("caller", "org_member", "other_org_member", "nobody"),
    ),
)
