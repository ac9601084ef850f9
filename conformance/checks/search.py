"""Search beyond the listed cases: random requests against protovalidate, random lives against a pure model.

Hypothesis chooses and, when something is wrong, shrinks; what is judged is the record of what was sent. The seed of the
run decides everything that is random, so the same command finds the same again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import hypothesis
import protovalidate
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from conformance import fuzz, samples
from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange
from conformance.judging import answered, problem
from conformance.methods import METHODS
from conformance.model import Model
from conformance.session import Session
from conformance.sweeps import LIST_PAGE, page
from conformance.target_client import TargetLost
from conformance.verdict import Problem
from protos.ai.stigmer.agentic.agent.v1.spec_pb2 import AgentSpec

REQUESTS = 60
LIVES = 12
STEPS_MAX = 14
_ONE_AT_A_TIME = threading.Lock()
"""Hypothesis keeps the state of a search per process."""


class _Found(Exception):
    """The search found something wrong; Hypothesis makes it smaller."""


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        database=None,
        deadline=None,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        derandomize=False,
    )


def _search(session: Session, examples: int, strategy: st.SearchStrategy[Any], body: Callable[[Any], None]) -> None:
    """Run `body` on what the strategy gives until it raises _Found or the examples are over."""

    @hypothesis.seed(session.context.seed)
    @_settings(examples)
    @hypothesis.given(strategy)
    def search(drawn: Any) -> None:  # noqa: ANN401 - whatever the strategy gives
        body(drawn)

    with _ONE_AT_A_TIME:
        try:
            search()
        except _Found:
            session.note("found", value=True)
        except BaseExceptionGroup as group:
            lost = group.subgroup(TargetLost)
            if lost is not None:
                raise TargetLost(str(lost.exceptions[0])) from None
            session.note("found", value=True)


def _spec_or_broken() -> st.SearchStrategy[tuple[Any, bool]]:
    return st.tuples(fuzz.valid_specs(AgentSpec), st.booleans()).flatmap(_maybe_break)


def _maybe_break(drawn: tuple[Any, bool]) -> st.SearchStrategy[tuple[Any, bool]]:
    spec, breaking = drawn
    request = samples.agent("n", "o")
    request.spec.CopyFrom(spec)
    if not breaking:
        return st.just((request, True))
    return fuzz.broken(request, "agent.create").map(lambda made: (made, False))


def _requests(session: Session) -> None:
    """Create agents with random specs: the server must accept what protovalidate accepts, and nothing else."""
    count = [0]

    def send(drawn: tuple[Any, bool]) -> None:
        template, valid = drawn
        request = type(template)()
        request.CopyFrom(template)
        if request.HasField("metadata") and valid:
            request.metadata.name, request.metadata.org = session.name(), session.org
        elif request.HasField("metadata"):
            request.metadata.name = session.name()
            request.metadata.org = request.metadata.org and session.org
        count[0] += 1
        answer = session.call(f"fuzz.{count[0]}", "agent.create", request, valid=valid)
        if _disagreement(answer.exchange, valid=valid):
            raise _Found

    _search(session, session.size(REQUESTS), _spec_or_broken(), send)


def _disagreement(exchange: Exchange, *, valid: bool) -> list[Problem]:
    return answered(exchange, "OK" if valid else "INVALID_ARGUMENT")


def _agrees_with_oracle(evidence: Evidence) -> list[Problem]:
    """The last request that disagrees is the smallest that the search could make of it."""
    wrong: list[Problem] = []
    for exchange in evidence.under("fuzz."):
        request = METHODS["agent.create"].request()
        _parse(exchange.request, request)
        valid = not protovalidate.collect_violations(request)
        wrong = _disagreement(exchange, valid=valid) or wrong
    if evidence.facts.get("found") and not wrong:
        return [problem("the search found a disagreement that doesn't come again")]
    return wrong


def _parse(document: Any, message: Any) -> None:  # noqa: ANN401 - JSON, and a message of any class
    from google.protobuf.json_format import ParseDict  # noqa: PLC0415 - wanted by judges of searches only

    ParseDict(document, message)


_OPERATIONS = ("create", "create", "update", "update_slug", "apply", "delete", "get", "find", "list")
_LIFE = st.lists(
    st.tuples(st.sampled_from(_OPERATIONS), st.integers(0, 2), st.booleans(), st.text("ab", max_size=2)),
    min_size=1,
    max_size=STEPS_MAX,
)


def _lives(session: Session) -> None:
    """Lead agents through random lives in organizations of their own, until one disagrees with the model."""
    count = [0]

    def live(steps: list[tuple[str, int, bool, str]]) -> None:
        count[0] += 1
        life = _Life(session, count[0])
        for number, step in enumerate(steps):
            if life.wrong(number, *step):
                raise _Found

    _search(session, session.size(LIVES), _LIFE, live)


class _Life:
    """One life: three names, two organizations, and what the model knows."""

    def __init__(self, session: Session, number: int) -> None:
        self._session = session
        self._label = f"life.{number}"
        stem = session.name()
        self._names = [f"{stem}-{letter}" for letter in "xyz"]
        self._orgs = (f"{session.org}-{stem}", f"{session.org}-{stem}0")
        self._role = "operator" if session.cloud else None
        self._model = Model(oss=not session.cloud)
        self._ids: dict[tuple[int, bool], str] = {}

    def wrong(self, number: int, operation: str, which: int, other: bool, text: str) -> bool:
        """Do one step; return whether the answer disagrees with the model."""
        org = self._orgs[other]
        label, name = f"{self._label}.{number}", self._names[which]
        resource_id = self._ids.get((which, other), "agt-unknown")
        if operation == "list" and not self._session.offers("list"):
            return False
        request = self._request(operation, name, org, resource_id, text)
        method = {"update_slug": "agent.update", "find": "agent.by_reference", "list": "list.agents"}.get(
            operation, f"agent.{operation}"
        )
        answer = self._session.call(label, method, request, role=self._role)
        if answer.ok and operation in {"create", "apply"}:
            self._ids[which, other] = answer.message.metadata.id
        return bool(self._model.observe(answer.exchange))

    def _request(self, operation: str, name: str, org: str, resource_id: str, text: str) -> Any:  # noqa: ANN401
        if operation in {"delete", "get"}:
            return METHODS[f"agent.{operation}"].request(value=resource_id)
        if operation == "find":
            return samples.reference(name, org)
        if operation == "list":
            return page(org, LIST_PAGE)
        request = samples.agent(name, org, resource_id=resource_id if operation == "update" else "")
        request.spec.description = text
        return request


def _lives_agree(evidence: Evidence) -> list[Problem]:
    """Replay every life through the model; the last one that is wrong is the smallest."""
    lives: dict[str, list[Exchange]] = {}
    for exchange in evidence.under("life."):
        lives.setdefault(exchange.label.split(".")[1], []).append(exchange)
    wrong: list[Problem] = []
    for steps in lives.values():
        model = Model(oss=evidence.fact("profile") == "oss")
        found = [one for exchange in steps for one in model.observe(exchange)]
        if found:
            told = " -> ".join(f"{row.step}: {row.code}" for row in steps)
            wrong = [*found, problem(f"the life: {told}", steps[0])]
    if evidence.facts.get("found") and not wrong:
        return [problem("the search found a disagreement that doesn't come again")]
    return wrong


CHECKS: tuple[Check, ...] = (
    check("FUZZ-VALIDATE", _requests, _agrees_with_oracle),
    check("FUZZ-MODEL", _lives, _lives_agree, roles=("caller", "operator")),
)
