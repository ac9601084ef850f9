"""A failure as a card: what was asked, what was sent, what came back, and how to see it again.

Cards are made of the report and the stored evidence alone, so an old run's cards can be printed too.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import orjson

from conformance.address import TargetInvalid, parse_address
from conformance.evidence import Exchange, Json
from conformance.evidence_file import LARGE, large_path, read_evidence
from conformance.failure_text import printable
from conformance.protoset import PROTOSET_FILE
from conformance.verdict import EVIDENCE_FILE, FAILED, Problem, Report, Result, Verdict

_LIKELY: tuple[tuple[str, str], ...] = (
    ("UNAVAILABLE", "the server dropped the connection or crashed while it answered"),
    ("DEADLINE_EXCEEDED", "the server did not answer in time"),
    ("UNIMPLEMENTED", "the method isn't served"),
    ("UNKNOWN", "the handler raised something that it didn't turn into a status"),
    ("INTERNAL", "the handler failed, or the answer could not be serialized"),
    ("UNAUTHENTICATED", "the credentials of this role are not what the server knows"),
)
ELSEWHERE = "-plaintext HOST:PORT"
"""Where a target is that has no address of its own."""
TOKEN = "$PARITY_TOKEN"  # noqa: S105 - the name of a variable: tokens are never written


def failure_cards(report: Report, out: Path | None) -> Iterator[str]:
    """Yield a card for each failure; without stored evidence there is no transcript in it."""
    exchanges: dict[int, Exchange] = {}
    protoset = "" if out is None or report.run.features.get("reflection") else str(out / PROTOSET_FILE)
    if out is not None:
        stored = read_evidence(out / EVIDENCE_FILE, whole=False)
        exchanges = {row.seq: row for evidence in stored.evidence.values() for row in evidence.exchanges}
    for result in report.results:
        if result.verdict in FAILED:
            yield card(result, exchanges, report.run.target, protoset)


def card(result: Result, exchanges: dict[int, Exchange], target: str, protoset: str = "") -> str:
    """Return the card of one failed requirement. What the server said is told without what would move a cursor."""
    lines = [
        f"--- {result.id} ({result.level}, {result.step or result.operation})",
        f"    {result.sentence}",
        f"    source: {result.source}",
    ]
    for problem in result.problems:
        lines += _problem_lines(problem)
    shown = dict.fromkeys(problem.exchange for problem in result.problems if problem.exchange in exchanges)
    for seq in shown:
        if seq is not None:
            lines += exchange_lines(exchanges[seq], target, protoset)
    if result.verdict is Verdict.FLAKY:
        lines.append(f"    flaky: {result.reason}; the same in a round that passed:")
    for seq in result.beside:
        if seq in exchanges:
            lines += exchange_lines(exchanges[seq], target, protoset)
    if len(result.evidence) > 1:
        lines.append(f"    exchanges of this check: {', '.join(map(str, result.evidence))}")
    lines.append(f"    again: {result.reproduce}")
    return "\n".join(map(printable, lines))


def _problem_lines(problem: Problem) -> list[str]:
    lines = [f"    problem: {problem.text}"]
    if problem.expected:
        lines.append(f"        expected: {problem.expected}")
    if problem.actual:
        lines.append(f"        actual:   {problem.actual}")
    return lines


def exchange_lines(exchange: Exchange, target: str, protoset: str = "") -> list[str]:
    """Return request, answer, likely cause and a grpcurl line of one exchange."""
    lines = [
        f"    [{exchange.seq}] {exchange.method} as {exchange.role or 'caller'} ({exchange.elapsed_ms:.1f} ms)",
        f"        request:  {_text(exchange.request)}",
        f"        answered: {exchange.code}{f' ({exchange.message})' * bool(exchange.message)}",
    ]
    lines += [f"        detail:   {_text(detail)}" for detail in exchange.details]
    lines += [f"        response: {_text(response)}" for response in exchange.responses[:3]]
    if exchange.fault:
        lines.append(f"        fault:    {exchange.fault}")
    likely = next((text for code, text in _LIKELY if code == exchange.code), "")
    if likely:
        lines.append(f"        likely:   {likely}")
    return [*lines, f"        {grpcurl(exchange, target, protoset)}"]


def grpcurl(exchange: Exchange, target: str, protoset: str = "") -> str:
    """Return a command line that makes this call again; the token comes from the environment."""
    try:
        where = parse_address(target).grpcurl
    except TargetInvalid:
        where = ELSEWHERE
    is_large = isinstance(exchange.request, dict) and LARGE in exchange.request
    line = grpcurl_command(exchange.method, None if is_large else exchange.request, where, exchange.role, protoset)
    return f"unzip -p {large_path(Path(EVIDENCE_FILE))} {exchange.request[LARGE]} | {line}" if is_large else line


def grpcurl_command(path: str, request: Json, where: str, role: str, protoset: str = "") -> str:
    """Return a command line that makes a call.

    Args:
        path: the full gRPC path.
        request: None for one that is too long for a command line: grpcurl reads it from its input.
        where: address and TLS flags.
        role: whose token it needs; none for the oss profile's caller.
        protoset: the contract's descriptors, for a server without reflection.
    """
    words = ["grpcurl", *(["-protoset", shlex.quote(protoset)] if protoset else [])]
    if role not in {"", "anonymous"}:
        words.append(f'-H "authorization: Bearer {TOKEN}"')
    words.append("-d @" if request is None else f"-d {shlex.quote(_text(request))}")
    return " ".join([*words, where, path.removeprefix("/")])


def _text(value: Json) -> str:
    """Return JSON in which what can't be printed stands as JSON's own escape: it still says the same."""
    text = orjson.dumps(value).decode()
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)
