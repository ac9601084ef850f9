"""Generated mutants: each operator spoils one step in every operation that has it, so that none is left out by taste.

A new operator is one row of `OPERATORS`; a new operation is in all of them by itself.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from reference_server.pipelines import OPERATIONS
from tests.mutants import effects as do
from tests.mutants import operator_effects as op
from tests.mutants import read_effects as rd
from tests.mutants.mutant import AUTHORIZE, DEFAULTS, PERSIST, PUBLISH, TRANSFORM, VALIDATE, Mutant
from tests.mutants.wrapping import Change, first, omit, repeat, then, wrap

BUILD, LOAD, REFERENCE, LIST, BY_AGENT = (
    "BuildUpdateState",
    "LoadTarget",
    "LoadByReference",
    "ListResources",
    "LoadByAgent",
)
SIZES = (1, 19, 20, 21, 99, 100, 101)
_AUDIT_FIELDS = tuple(
    f"status.audit.{half}.{name}"
    for half in ("spec_audit", "status_audit")
    for name in ("created_by", "created_at", "updated_by", "updated_at", "event")
)
_LOADED = ("agent-*", "environment-*", "iam-policy-create", "iam-policy-delete", "iam-policy-get")
"""Operations that a load is made of; the others are asked for a few times in a server's life."""
_EMPTY_ID = "the one rule is that the id isn't empty, and Authorize refuses an empty one in the same way"
_INSTANCE_HAS_NONE = "instances have no field that can hold a secret"


@dataclass(frozen=True)
class Operator:
    """One way to spoil a step, and the requirements that it may break.

    `make` takes the operation's and the step's name, and a detail of `details`. `equivalent` holds, by a pattern of
    `OPERATION/DETAIL`, why nothing outside can see the change.
    """

    name: str
    steps: tuple[str, ...]
    make: Callable[[str, str, str], Change]
    asked: tuple[str, ...]
    details: tuple[str, ...] = ("",)
    operations: tuple[str, ...] = ("*",)
    """Patterns of the operations that it makes sense in."""
    full: bool = False
    """Whether what it does is rare, or shows on long pages only."""
    equivalent: Mapping[str, str] = field(default_factory=dict)

    def mutants(self) -> Iterator[Mutant]:
        """Yield one for each operation that has the step, and each detail."""
        for name, operation in OPERATIONS.items():
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.operations):
                for step in set(self.steps) & {each.name for each in operation.steps}:
                    yield from (self._one(name, step, detail) for detail in self.details)

    def _one(self, operation: str, step: str, detail: str) -> Mutant:
        name = "/".join(part for part in (self.name, operation, detail) if part)
        where = f"{operation}/{detail}" if detail else operation
        reasons = [reason for pattern, reason in self.equivalent.items() if fnmatch.fnmatchcase(where, pattern)]
        sin = f"{self.name.replace('-', ' ')} in {operation}" + (f" ({detail})" if detail else "")
        change = self.make(operation, step, detail)
        return Mutant(name, sin, change, asked=self.asked, full=self.full, equivalent=reasons[0] if reasons else "")


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "authorization-skipped",
        (AUTHORIZE,),
        lambda o, s, _: omit(o, s),
        ("CRED-*", "PERM-*", "SEEN-*", "AUTH-PLATFORM"),
    ),
    Operator(
        "authorization-by-request",
        (AUTHORIZE,),
        lambda o, s, _: wrap(o, s, op.by_named_org),
        ("PERM-*",),
        # The others say no organization beside what they name: a create is about nothing that is stored.
        operations=("*-update", "agent-instance-create"),
    ),
    Operator(
        "validation-skipped",
        (VALIDATE,),
        lambda o, s, _: omit(o, s),
        ("RULES-*", "*-INVALID", "*-INVALID-*"),
        equivalent={
            "*-apply": "the create or update that an apply turns into asks for the same again",
            "[ae]*-delete": _EMPTY_ID,
            "[ae]*-get": _EMPTY_ID,
        },
    ),
    Operator(
        "redaction-skipped",
        (TRANSFORM,),
        lambda o, s, _: omit(o, s),
        ("RED-*", "ENV-SECRET", "EVT-*", "SEND-*"),
        equivalent={"agent-instance-*": _INSTANCE_HAS_NONE},
    ),
    Operator("event-missing", (PUBLISH,), lambda o, s, _: omit(o, s), ("EVT-*", "PUB-*")),
    Operator("event-doubled", (PUBLISH,), lambda o, s, _: repeat(o, s), ("EVT-*", "PUB-*")),
    Operator("event-stale", (PUBLISH,), lambda o, s, _: then(o, s, op.stale_event), ("EVT-*", "PUB-*")),
    Operator(
        "event-unredacted",
        (PUBLISH,),
        lambda o, s, _: then(o, s, op.revealing_event),
        ("EVT-*", "PUB-*"),
        equivalent={"agent-instance-*": _INSTANCE_HAS_NONE},
    ),
    Operator(
        "rarely-lost",
        (PERSIST,),
        lambda o, s, _: wrap(o, s, op.rarely_lost()),
        ("LOAD-*",),
        operations=_LOADED,
        full=True,
    ),
    Operator(
        "rarely-kept",
        ("DeleteResource",),
        lambda o, s, _: wrap(o, s, op.rarely_lost()),
        ("LOAD-*",),
        operations=_LOADED,
        full=True,
    ),
    Operator("rarely-silent", (PUBLISH,), lambda o, s, _: wrap(o, s, op.rarely_silent()), ("LOAD-*",), full=True),
    Operator(
        "rarely-another",
        (DEFAULTS, BUILD, "DeleteResource", LOAD),
        lambda o, s, _: wrap(o, "SendResponse", op.rarely_another()),
        ("LOAD-*",),
        operations=_LOADED,
        full=True,
    ),
    Operator(
        "audit-cleared",
        (DEFAULTS, BUILD),
        lambda o, s, path: then(o, s, do.changed_resource(do.drop_field(path))),
        ("AUD-*", "UPD-*", "APL-*"),
        details=_AUDIT_FIELDS,
    ),
    Operator(
        "audit-local-time",
        (DEFAULTS, BUILD),
        lambda o, s, path: then(o, s, do.changed_resource(op.an_hour_off(path))),
        ("AUD-*",),
        details=("status.audit.spec_audit.updated_at", "status.audit.status_audit.created_at"),
    ),
    Operator(
        "stale-read",
        (LOAD,),
        lambda o, s, _: wrap(o, s, op.stale_reads()),
        ("UPD-*", "AUD-*", "LOAD-*"),
        equivalent={"iam-policy-get": "a policy never changes"},
    ),
    Operator("id-any-case", (LOAD,), lambda o, s, _: first(o, s, op.spelled("value", str.lower)), ("EXACT-*",)),
    Operator("id-trimmed", (LOAD,), lambda o, s, _: first(o, s, op.spelled("value", str.strip)), ("EXACT-*",)),
    Operator("id-any-form", (LOAD,), lambda o, s, _: first(o, s, op.spelled("value", op.compatible)), ("EXACT-*",)),
    Operator("slug-any-case", (REFERENCE,), lambda o, s, _: first(o, s, op.spelled("slug", str.lower)), ("EXACT-*",)),
    Operator("slug-trimmed", (REFERENCE,), lambda o, s, _: first(o, s, op.spelled("slug", str.strip)), ("EXACT-*",)),
    Operator(
        "slug-any-form", (REFERENCE,), lambda o, s, _: first(o, s, op.spelled("slug", op.compatible)), ("EXACT-*",)
    ),
    Operator("filter-ignored", (REFERENCE,), lambda o, s, _: wrap(o, s, rd.without("org")), ("FILTER-*", "REF-*")),
    Operator("filter-ignored", (LIST,), lambda o, s, _: first(o, s, rd.all_orgs), ("FILTER-*", "LST-*")),
    Operator(
        "visibility-ignored",
        (LIST, BY_AGENT),
        lambda o, s, _: wrap(o, s, rd.for_everybody),
        ("SEEN-*", "LST-*", "BYA-*"),
    ),
    Operator(
        "boundary-skipped", (LIST,), lambda o, s, _: then(o, s, do.listing(rd.drop_first_of_later_pages)), ("PAGE-*",)
    ),
    Operator(
        "last-dropped",
        (LIST, BY_AGENT),
        lambda o, s, size: then(o, s, do.listing(op.without_last(int(size)))),
        ("PAGE-*", "BYA-*", "SEEN-*"),
        details=tuple(str(size) for size in SIZES),
        full=True,
        equivalent={"agent-instance-get-by-agent/101": "no page of getByAgent has more than 100"},
    ),
)


def generated() -> dict[str, Mutant]:
    """Return all generated mutants by name (`OPERATOR/OPERATION` and a detail where an operator has several)."""
    return {mutant.name: mutant for operator in OPERATORS for mutant in operator.mutants()}
