"""The coverage grid: every method and every aspect of it, and what asks for it, or why nothing can.

A rule speaks of one aspect of some methods; the first that fits makes the cell. A new method is in the grid by itself,
and a test fails until each of its cells is filled. `python -m conformance.coverage` prints the page.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass

from conformance.access import method_id
from conformance.catalogue import catalogue
from conformance.methods import METHODS

ASPECTS: dict[str, str] = {
    "credentials": "asks who calls, and takes no token that is nearly right",
    "permission": "lets through who may, refuses the others",
    "stored": "judges permission by what is stored, not by what the request says",
    "constraints": "evaluates the field constraints of its request",
    "redaction": "shows no secret",
    "event": "is announced once, in order",
    "content": "is announced with what a get shows at that moment",
    "visibility": "shows to each caller what he may view, and counts no more",
    "filter": "shows what was asked for and nothing else",
    "paging": "pages at 1, 19, 20, 21, 99, 100, 101, to the end and over it",
    "audit": "each field, in UTC, within the call, the same in answer and get",
    "names": "compares ids and slugs as they are",
    "load": "a fault in one of fifty is found",
    "race": "what is done at once is done in some order",
    "restart": "what was acknowledged survives SIGKILL",
    "replicas": "says the same at every replica, whichever has changed it",
}
"""The columns, each with what it asks."""


@dataclass(frozen=True)
class Rule:
    """Of an aspect of the methods that match a pattern: the requirements that ask for it, or the reason that none does.

    `{METHOD}` in a requirement's pattern stands for the method, `{KIND}` and `{OPERATION}` for its parts, as ids of
    requirements spell them.
    """

    aspect: str
    methods: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Cell:
    """One aspect of one method: the ids of the requirements that ask for it, or why none does."""

    method: str
    aspect: str
    requirements: tuple[str, ...]
    reason: str


def _asked(aspect: str, methods: str, requirements: str) -> Rule:
    return Rule(aspect, tuple(methods.split()), tuple(requirements.split()))


def _why(aspect: str, methods: str, reason: str) -> Rule:
    return Rule(aspect, tuple(methods.split()), reason=reason)


_CHANGES = "*.create *.update *.apply *.delete"
_READ = "a read changes nothing"
_NO_EVENT = "the contract announces agents, instances and environments, no policies"
_ONE = "answers one resource, or says yes or no"

RULES: tuple[Rule, ...] = (
    _asked("credentials", "*", "CRED-{METHOD}"),
    _asked("permission", "policy.check", "IAM-ASK IAM-SET"),
    _why(
        "permission", "list.* instance.by_agent event.watch", "any known caller may ask; what he is shown is visibility"
    ),
    _asked("permission", "instance.get environment.get", "PERM-{METHOD} WAYS-{KIND} DEL-GRANTS"),
    _asked("permission", "policy.delete", "PERM-{METHOD} IAM-LEAVE"),
    _asked("permission", "agent.* instance.* environment.*", "PERM-{METHOD} WAYS-{KIND}"),
    _asked("permission", "*", "PERM-{METHOD}"),
    _asked("stored", "agent.update agent.apply", "PERM-STORED-AGENT"),
    _asked("stored", "instance.update instance.apply instance.create", "PERM-STORED-INSTANCE PERM-MOVE"),
    _asked("stored", "environment.update environment.apply", "PERM-STORED-ENVIRONMENT"),
    _why(
        "stored",
        "agent.create environment.create",
        "what it makes is not stored yet; its scope is what the request says",
    ),
    _why("stored", "*", "the request names what it is about, and says nothing else of it"),
    _why("constraints", "event.watch", "its request has no field constraints"),
    _asked("constraints", "agent.create", "VAL-AGENT-* VAL-AGENTSPEC-* RULES-{METHOD}"),
    _asked("constraints", "*", "RULES-{METHOD}"),
    _why("redaction", "instance.* list.instances", "instances have no field that can hold a secret"),
    _why("redaction", "policy.*", "policies have no field that can hold a secret"),
    _asked("redaction", "agent.create", "RED-{OPERATION} RED-READERS RED-REFUSED"),
    _asked("redaction", "environment.create", "ENV-SECRET ENV-READERS ENV-REFUSED"),
    _asked("redaction", "agent.by_reference", "RED-REFERENCE RED-READERS"),
    _asked("redaction", "list.agents", "RED-LIST RED-READERS"),
    _asked("redaction", "agent.update agent.apply", "RED-{OPERATION} RED-UNMASK RED-READERS"),
    _asked("redaction", "agent.*", "RED-{OPERATION} RED-READERS"),
    _asked("redaction", "list.environments", "FILTER-LIST-ENVIRONMENTS ENV-READERS"),
    _asked("redaction", "environment.update environment.apply", "ENV-SECRET ENV-UNMASK ENV-READERS"),
    _asked("redaction", "environment.*", "ENV-SECRET ENV-READERS"),
    _asked("redaction", "event.watch", "EVT-AGENT-REDACTED EVT-ENVIRONMENT-REDACTED PUB-REDACTED RED-READERS"),
    _asked("event", "event.watch", "EVT-AGENT EVT-INSTANCE EVT-ENVIRONMENT EVT-NO-ORG EVT-RESUME PUB-SILENT"),
    _why("event", "policy.*", _NO_EVENT),
    _asked("event", "agent.create agent.apply agent.delete", "EVT-AGENT EVT-DEFAULT-INSTANCE"),
    _asked("event", _CHANGES, "EVT-{KIND}"),
    _why("event", "*", _READ),
    _asked("content", "event.watch", "EVT-*-CONTENT EVT-*-LATER EVT-LARGE"),
    _why("content", "policy.*", _NO_EVENT),
    _asked("content", _CHANGES, "EVT-{KIND}-CONTENT EVT-{KIND}-LATER"),
    _why("content", "*", _READ),
    _asked("visibility", "list.environments", "SEEN-{METHOD} OWN-LIST LST-HIDDEN"),
    _asked("visibility", "environment.by_reference", "SEEN-{METHOD} OWN-READ"),
    _asked("visibility", "environment.get", "PERM-{METHOD} OWN-READ"),
    _asked("visibility", "list.* instance.by_agent", "SEEN-{METHOD} LST-HIDDEN"),
    _asked("visibility", "*.by_reference", "SEEN-{METHOD}"),
    _asked("visibility", "event.watch", "EVT-VISIBLE EVT-REVOKED EVT-GRANTED OWN-EVENTS"),
    _asked("visibility", "*.get", "PERM-{METHOD}"),
    _asked("visibility", "policy.list*", "IAM-IDS PERM-{METHOD}"),
    _why("visibility", "*", "shows what the caller may change, or what the question was: that is permission"),
    _asked("filter", "list.* *.by_reference instance.by_agent", "FILTER-{METHOD}"),
    _asked("filter", "event.watch", "EVT-SUBJECT"),
    _asked("filter", "policy.list*", "IAM-IDS"),
    _asked("filter", "policy.check", "IAM-CHECK IAM-CONTEXT"),
    _why("filter", "*", "asks for one thing by its id"),
    _asked("paging", "list.* instance.by_agent", "PAGE-{METHOD}"),
    _asked("paging", "event.watch", "EVT-RESUME"),
    _why("paging", "policy.list*", "the contract gives the lists of ids no pages"),
    _why("paging", "*", _ONE),
    _asked("audit", "agent.create agent.apply", "AUD-{METHOD} AUD-DEFAULT-INSTANCE"),
    _asked("audit", "agent.update instance.create instance.update instance.apply", "AUD-{METHOD}"),
    _asked("audit", "environment.create environment.update environment.apply", "AUD-{METHOD}"),
    _asked("audit", "policy.create policy.bootstrapPolicy policy.createPlatformLink", "AUD-POLICY"),
    _why("audit", "*.delete policy.cleanup*", "what is deleted has no audit any more; it is answered as it was"),
    _why("audit", "*", _READ),
    _asked("names", "agent.get agent.update agent.delete", "EXACT-ID-AGENT"),
    _asked("names", "instance.get instance.update instance.delete", "EXACT-ID-INSTANCE"),
    _asked("names", "environment.get environment.update environment.delete", "EXACT-ID-ENVIRONMENT"),
    _asked("names", "agent.by_reference agent.create", "EXACT-SLUG-AGENT"),
    _asked("names", "instance.by_reference instance.create", "EXACT-SLUG-INSTANCE"),
    _asked("names", "environment.by_reference environment.create", "EXACT-SLUG-ENVIRONMENT"),
    _asked("names", "policy.get", "EXACT-ID-POLICY"),
    _asked("names", "policy.create policy.delete policy.check", "IAM-CHECK"),
    _asked("names", "policy.list*", "IAM-IDS"),
    _asked("names", "list.* instance.by_agent", "FILTER-{METHOD}"),
    _asked("names", "event.watch", "EVT-SUBJECT"),
    _asked("names", "agent.apply", "APL-ID-TAKEN"),
    _why(
        "names", "*.apply", "a name that nobody has is that of something new, so an apply finds nothing by a wrong one"
    ),
    _why("names", "policy.*", "what it writes under another name is another policy: IAM-CHECK tells them apart"),
    _asked("load", "event.watch", "LOAD-AGENT LOAD-INSTANCE LOAD-ENVIRONMENT LOAD-BACKLOG"),
    _asked("load", "policy.create policy.get policy.check policy.delete", "LOAD-POLICY"),
    _asked("load", "agent.create agent.update agent.get agent.delete", "LOAD-AGENT"),
    _asked("load", "instance.create instance.update instance.get instance.delete", "LOAD-INSTANCE"),
    _asked("load", "environment.create environment.update environment.get environment.delete", "LOAD-ENVIRONMENT"),
    _asked("load", "agent.apply", "APL-RACE"),
    _why("load", "policy.*", "asked for a few times in a server's life"),
    _why("load", "*", "a load of each method takes more than the 15 s of a run: it is made of what resources live by"),
    _asked("race", "agent.create", "ORD-RACE RACE-ID-AGENT"),
    _asked("race", "environment.create", "RACE-SLUG-ENVIRONMENT RACE-ID-ENVIRONMENT"),
    _asked("race", "instance.update environment.update", "RACE-DELETE-{KIND}"),
    _asked("race", "instance.delete environment.delete", "RACE-DELETE-{KIND} RACE-DELETES-{KIND}"),
    _asked("race", "agent.apply", "APL-RACE"),
    _asked("race", "agent.update", "UPD-RACE RACE-CHILDREN"),
    _asked("race", "agent.delete", "UPD-RACE-DELETE RACE-DELETES-AGENT RACE-PARENT"),
    _asked("race", "instance.create", "RACE-SLUG-INSTANCE RACE-PARENT RACE-CHILDREN"),
    _asked("race", "policy.delete", "RACE-REVOKE RACE-DELETES-POLICY"),
    _asked("race", "policy.create", "RACE-REVOKE"),
    _asked("race", "list.agents", "LST-WRITES RACE-READERS"),
    _asked("race", "policy.get", "LOAD-POLICY"),
    _asked("race", "*.get", "LOAD-{KIND} RACE-READERS"),
    _asked("race", "*.by_reference instance.by_agent list.*", "RACE-READERS"),
    _asked("race", "event.watch", "LOAD-AGENT EVT-RESUME"),
    _why("race", _CHANGES, "an apply creates or updates, which is raced; which of the two it does is raced as agents"),
    _why("race", "policy.*", "sets or asks for one row, which LOAD-POLICY does to many at once"),
    _asked("restart", "agent.create agent.update agent.delete", "DUR-KILL DUR-AFTER-AGENT"),
    _asked("restart", "agent.get", "DUR-KILL DUR-WHOLE"),
    _asked("restart", "instance.by_agent", "DUR-WHOLE DUR-ORDER DUR-AFTER-INSTANCE"),
    _asked("restart", "list.*", "DUR-ORDER"),
    _asked("restart", "instance.get environment.get", "DUR-KINDS"),
    _asked(
        "restart",
        "instance.create environment.create environment.update environment.delete",
        "DUR-KINDS DUR-AFTER-{KIND}",
    ),
    _asked("restart", "agent.* instance.* environment.*", "DUR-AFTER-{KIND}"),
    _asked("restart", "policy.create policy.delete policy.check", "DUR-POLICIES DUR-AFTER-POLICIES"),
    _asked("restart", "policy.cleanup*", "DUR-POLICIES"),
    _asked("restart", "policy.listAuthorized*", "DUR-AFTER-POLICIES"),
    _asked("restart", "event.watch", "DUR-EVENTS DUR-AFTER-AGENT DUR-AFTER-INSTANCE DUR-AFTER-ENVIRONMENT"),
    _why("restart", "policy.create* policy.bootstrap*", "writes what a create writes"),
    _why("restart", "*", "reads what a get reads: that survives or doesn't"),
    _asked("replicas", "agent.create", "REP-READ REP-RACE REP-IDS"),
    _asked("replicas", "agent.update", "REP-READ REP-UPDATE"),
    _asked("replicas", "list.* instance.by_agent", "REP-LIST"),
    _asked("replicas", "event.watch", "REP-WATCH REP-RESUME"),
    _asked("replicas", "policy.create policy.delete policy.check", "REP-REVOKE"),
    _why("replicas", "policy.*", "reads or writes the rows that a grant writes"),
    _why("replicas", "*.apply", "writes what a create or an update writes"),
    _asked("replicas", "*", "REP-READ"),
)
"""The grid, as rules; the first that fits a cell makes it."""


def cells() -> Iterator[Cell]:
    """Yield every cell of the grid; one that no rule fills has neither requirements nor a reason."""
    for method in METHODS:
        for aspect in ASPECTS:
            rule = rule_of(method, aspect)
            asked = tuple(one for pattern in rule.requirements for one in _named(pattern, method)) if rule else ()
            yield Cell(method, aspect, asked, rule.reason if rule else "")


def rule_of(method: str, aspect: str) -> Rule | None:
    """Return the first rule that fits a cell; None where there is none."""
    for rule in RULES:
        if rule.aspect == aspect and any(fnmatch.fnmatchcase(method, pattern) for pattern in rule.methods):
            return rule
    return None


def _named(pattern: str, method: str) -> list[str]:
    """Return the requirements that a pattern means for a method."""
    kind, operation = METHODS[method].kind, METHODS[method].operation
    filled = pattern.format(METHOD=method_id(method), KIND=method_id(kind), OPERATION=method_id(operation))
    known = [row.id for row in catalogue().values() if not row.excluded]
    return fnmatch.filter(known, filled)


def page() -> str:
    """Return the grid as a page (Markdown): one table for each aspect, methods alike in one row."""
    filled = list(cells())
    asked = sum(bool(cell.requirements) for cell in filled)
    lines = [
        "# The coverage grid",
        "",
        "Every method, and what is asked of it: the requirements whose checks ask for it, or why there is none. The",
        "grid is data (`conformance/coverage.py`), and a cell with neither fails a test. This page is what",
        "`python -m conformance.coverage` prints.",
        "",
        f"{len(METHODS)} methods, {len(ASPECTS)} aspects, {len(filled)} cells: {asked} with requirements,",
        f"{len(filled) - asked} with a reason.",
    ]
    for aspect, asks in ASPECTS.items():
        rows: dict[tuple[tuple[str, ...], str], list[str]] = {}
        for cell in filled:
            if cell.aspect == aspect:
                rows.setdefault((cell.requirements, cell.reason), []).append(cell.method)
        lines += ["", f"## {aspect.capitalize()}: {asks}", "", "| methods | requirements, or the reason |", "|---|---|"]
        lines += [f"| {_code(methods)} | {reason or _code(names)} |" for (names, reason), methods in rows.items()]
    return "\n".join([*lines, ""])


_SHOWN = 8


def _code(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - asked for on the command line
