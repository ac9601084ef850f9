"""The words that judges are made of. All are pure: evidence in, problems out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from google.protobuf.timestamp_pb2 import Timestamp

from conformance.evidence import Evidence, Exchange, Json, NotAsked, value_at
from conformance.verdict import Problem

Judge = Callable[[Evidence], list[Problem]]

NO_LIST = "the target offers no list"
"""Why what is asked of lists isn't applicable to a server without any."""


@dataclass(frozen=True)
class PartJudge:
    """A judge who sees those exchanges only whose labels begin with one of some prefixes.

    Where one exercise asks for many things, an answer that can't be read fails those only who asked for it.
    """

    prefixes: tuple[str, ...]
    judge: Judge

    def seen(self, evidence: Evidence) -> Evidence:
        """Return the evidence with nothing else in it."""
        rows = tuple(row for row in evidence.exchanges if row.label.startswith(self.prefixes))
        return replace(evidence, exchanges=rows)

    def __call__(self, evidence: Evidence) -> list[Problem]:
        """Judge what it sees."""
        return self.judge(self.seen(evidence))


def shown(value: Json) -> str:
    """Return a value as short text for a problem."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 300 else f"{text[:300]}… ({len(text)} characters)"  # noqa: PLR2004


def problem(text: str, exchange: Exchange | None = None, *, expected: Json = "", actual: Json = "") -> Problem:
    """Make a problem that points at an exchange."""
    return Problem(text, shown(expected), shown(actual), exchange.seq if exchange else None)


def answered(exchange: Exchange, *codes: str) -> list[Problem]:
    """The exchange ended with one of these codes, and a success could be read."""
    if exchange.fault:
        return [problem(f"{exchange.label}: {exchange.fault}", exchange)]
    if exchange.code in codes:
        return []
    actual = f"{exchange.code}: {exchange.message}" if exchange.message else exchange.code
    return [problem(f"{exchange.label}: wrong status", exchange, expected=" or ".join(codes), actual=actual)]


def choice(judge: Judge, *codes: str) -> Judge:
    """Judge: as another; what it finds in exchanges that ended with one of these codes is another choice, no fault.

    For requirements that the contract marks as a choice (`choice` in the catalogue). Name the codes that a server that
    chose otherwise may answer: to crash is no choice.
    """

    def judged(evidence: Evidence) -> list[Problem]:
        chosen = {row.seq for row in evidence.exchanges if row.code in codes and not row.fault}
        return [replace(found, choice=True) if found.exchange in chosen else found for found in judge(evidence)]

    return judged


def asked_if(condition: Callable[[Evidence], bool], reason: str, judge: Judge) -> Judge:
    """Judge: as another where a condition holds; where it doesn't, the requirement isn't applicable for a reason."""

    def judged(evidence: Evidence) -> list[Problem]:
        if not condition(evidence):
            raise NotAsked(reason)
        return judge(evidence)

    return judged


def was_refused(label: str) -> Callable[[Evidence], bool]:
    """For `asked_if`: the exchange with this label didn't succeed."""
    return lambda evidence: not evidence[label].ok


def code(label: str, *codes: str) -> Judge:
    """Judge: the exchange with this label ended with one of these codes."""
    return lambda evidence: answered(evidence[label], *codes)


def accepted(*labels: str) -> Judge:
    """Judge: the exchanges with these labels succeeded."""
    return lambda evidence: [found for label in labels for found in answered(evidence[label], "OK")]


def both(*judges: Judge) -> Judge:
    """Judge: all problems of all judges."""
    return lambda evidence: [found for judge in judges for found in judge(evidence)]


def equal(text: str, exchange: Exchange, expected: Json, actual: Json) -> list[Problem]:
    """Two values are the same."""
    return [] if expected == actual else [problem(text, exchange, expected=expected, actual=actual)]


def field_is(label: str, path: str, expected: Json) -> Judge:
    """Judge: an answer's field has a value. A callable `expected` makes it of the evidence."""

    def judge(evidence: Evidence) -> list[Problem]:
        exchange = evidence[label]
        wanted = expected(evidence) if callable(expected) else expected
        default: Json = type(wanted)() if wanted is not None else None
        return answered(exchange, "OK") or equal(
            f"{label}: {path} is wrong", exchange, wanted, exchange.value(path, default)
        )

    return judge


def fact(name: str) -> Callable[[Evidence], Json]:
    """For `field_is`: the value that the exercise noted under this name."""
    return lambda evidence: evidence.fact(name)


def sent(label: str, path: str, default: Json = "") -> Callable[[Evidence], Json]:
    """For `field_is`: the value that the request of an exchange had."""

    def value(evidence: Evidence) -> Json:
        return value_at(evidence[label].request, path, default)

    return value


def answer_of(label: str, path: str, default: Json = "") -> Callable[[Evidence], Json]:
    """For `field_is`: the value that another answer had."""
    return lambda evidence: evidence[label].value(path, default)


def same_answer(first: str, second: str, path: str = "") -> Judge:
    """Judge: two answers (or one part of them) are equal."""

    def judge(evidence: Evidence) -> list[Problem]:
        one, two = evidence[first], evidence[second]
        failed = answered(one, "OK") + answered(two, "OK")
        return failed or differences(value_at(one.response, path, {}), value_at(two.response, path, {}), two, path)

    return judge


def differences(expected: Json, actual: Json, exchange: Exchange, path: str = "") -> list[Problem]:
    """Name every leaf in which two JSON values differ."""
    return [
        problem(f"{exchange.label}: {where or 'the answer'} differs", exchange, expected=one, actual=two)
        for where, one, two in _leaves(expected, actual, path)
    ]


_ABSENT = "(not set)"


def _leaves(expected: Json, actual: Json, path: str) -> Iterable[tuple[str, Json, Json]]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key in sorted({*expected, *actual}):
            yield from _leaves(expected.get(key, _ABSENT), actual.get(key, _ABSENT), f"{path}.{key}".lstrip("."))
    elif expected != actual:
        yield path, expected, actual


def instances_shown(evidence: Evidence, label: str, agent_id: str) -> list[Json]:
    """Return the instances of an agent as `Session.instances` found them: as listed, else the one that it names."""
    listed = evidence[label].value("items", [])
    named = evidence[f"{label}.named"].response if f"{label}.named" in evidence else {}
    return listed or ([named] if named and value_at(named, "spec.agent_id") == agent_id else [])


def one_instance(evidence: Evidence, label: str, agent_id: str) -> list[Problem]:
    """The agent was found to have one instance."""
    return equal("instances that the agent has", evidence[label], 1, len(instances_shown(evidence, label, agent_id)))


def not_found(exchange: Exchange) -> bool:
    """Whether an answer says that there is nothing (a caller without the operator's eyes is told less)."""
    return exchange.code == "NOT_FOUND" or (exchange.code == "PERMISSION_DENIED" and exchange.role != "operator")


def absent(label: str) -> Judge:
    """Judge: a read found nothing."""

    def judge(evidence: Evidence) -> list[Problem]:
        exchange = evidence[label]
        if not_found(exchange):
            return []
        return [problem(f"{label}: found something", exchange, expected="NOT_FOUND", actual=exchange.code)]

    return judge


def nanoseconds(text: str) -> int:
    """Return a time of an answer as nanoseconds since 1970; 0 for one that isn't set."""
    stamp = Timestamp()
    if text:
        stamp.FromJsonString(text)
    return stamp.ToNanoseconds()
