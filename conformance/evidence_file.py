"""The evidence file: one JSON object a line, a header first, a footer last.

Everything that a judge reads is in this file, so an old run can be judged again without its server. Lines:

- `header`: run id, target, profile, seed, versions, contract revision, catalogue hash, features, selection.
- `exchange`: one call: what was sent, by whom, what came back. Credentials are never written, only the role's name.
- `fact`: something that the exercise knew and a judge needs (an expected id, how many callers ran at once).
- `outcome`: how the exercise of one check ended.
- `footer`: counts of the lines above, whether the run came to its end, and what was known to fail; a file without it
  is refused.

Messages of more than 64 KiB stand, compressed, in `evidence.large.zip` beside the file; in their place is the name that
they have there, and their size. Judges see them whole.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Any, Self
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import orjson
from pydantic import TypeAdapter

from conformance.evidence import Evidence, Exchange, Json, Outcome, StoredRun
from conformance.verdict import RunInfo

FORMAT = 1
LARGE_ABOVE_BYTES = 64 * 1024
LARGE = "$large"
"""The key under which a message's place says where the message is; no field of a message begins so."""


class EvidenceUnreadable(Exception):
    """An evidence file is truncated, damaged, or was written in another format."""


class EvidenceInUse(Exception):
    """Another run is writing the same file; the message says which folder."""


class EvidenceWriter:
    """Appends to an evidence file; safe to call from many threads. Each check's lines stand together."""

    def __init__(self, path: Path, run: RunInfo) -> None:
        """Begin the file anew. Raises EvidenceInUse."""
        self._lock = Lock()
        self._counts = {"exchanges": 0, "facts": 0, "outcomes": 0}
        self._file = _opened_alone(path)
        self._large_path = large_path(path)
        self._large_path.unlink(missing_ok=True)
        self._line({"type": "header", "format": FORMAT, **asdict(run)})

    def add(self, evidence: Evidence, outcome: Outcome) -> None:
        """Write all that one check left behind, then make sure it is out of this process."""
        with self._lock:
            for exchange in evidence.exchanges:
                # An exchange holds plain values only; `asdict` would copy every answer to its last leaf.
                self._line({"type": "exchange", **self._slimmed(exchange)})
            for name, value in evidence.facts.items():
                self._line({"type": "fact", "check": evidence.check, "name": name, "value": value})
            self._line({"type": "outcome", **asdict(outcome)})
            self._counts["exchanges"] += len(evidence.exchanges)
            self._counts["facts"] += len(evidence.facts)
            self._counts["outcomes"] += 1
            self._file.flush()

    def finish(
        self,
        run: RunInfo,
        leaks: tuple[str, ...],
        known_failing: tuple[Mapping[str, Any], ...] = (),
        judged_on: str = "",
    ) -> None:
        """Write the footer and close. A run that ended early has a footer too, and says so in it."""
        with self._lock:
            self._line(
                {
                    "type": "footer",
                    **self._counts,
                    "finished_at": run.finished_at,
                    "complete": run.complete,
                    "reason": run.reason,
                    "features": dict(run.features),
                    "leaks": leaks,
                    "known_failing": known_failing,
                    "judged_on": judged_on,
                }
            )
            self._file.close()

    def close(self) -> None:
        """Close without a footer: the file stays recognizable as cut short."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self, document: dict[str, Any]) -> None:
        self._file.write(orjson.dumps(document) + b"\n")

    def _slimmed(self, exchange: Exchange) -> dict[str, Any]:
        """Return an exchange's fields with large messages put aside."""
        fields = vars(exchange)
        request = self._aside(exchange.request, f"{exchange.seq}-request.json")
        responses = [self._aside(one, f"{exchange.seq}-response-{n}.json") for n, one in enumerate(exchange.responses)]
        return {**fields, "request": request, "responses": responses}

    def _aside(self, message: Json, name: str) -> Json:
        data = orjson.dumps(message)
        if len(data) <= LARGE_ABOVE_BYTES:
            return message
        with ZipFile(self._large_path, "a", ZIP_DEFLATED) as large:
            large.writestr(name, data)
        return {LARGE: name, "bytes": len(data)}


def _opened_alone(path: Path) -> IO[bytes]:
    """Open a file that nobody else writes, and empty it."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise EvidenceInUse(f"{path.parent}: another run is writing there; name another folder with --out") from None
    file.truncate(0)
    return file


def large_path(path: Path) -> Path:
    """Return where the large messages of an evidence file are."""
    return path.with_suffix(".large.zip")


def hold_against(path: Path, known_failing: tuple[Mapping[str, Any], ...], judged_on: str) -> None:
    """Put other known failures into the footer of a whole file. Raises EvidenceUnreadable."""
    read_evidence(path)
    head, _, last = path.read_bytes().removesuffix(b"\n").rpartition(b"\n")
    footer = {**orjson.loads(last), "known_failing": known_failing, "judged_on": judged_on}
    partial = path.with_suffix(".partial")
    partial.write_bytes(head + b"\n" + orjson.dumps(footer) + b"\n")
    partial.replace(path)


def read_evidence(path: Path, *, whole: bool = True) -> StoredRun:
    """Read an evidence file. Raises EvidenceUnreadable for anything but a whole, well-formed file.

    Without `whole`, large messages stay where they are: for those who show an exchange and don't judge it.
    """
    lines = _whole_lines(path)
    if lines[0].get("format") != FORMAT:
        raise EvidenceUnreadable(
            f"{path}: line 1 is no header of format {FORMAT}; read it with the suite that wrote it"
        )
    if len(lines) == 1 or lines[-1].get("type") != "footer":
        raise EvidenceUnreadable(f"{path}: no footer: {_CUT}")
    try:
        if whole:
            _fetch_large(path, lines)
        return _stored_run(path, lines)
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceUnreadable(f"{path}: damaged ({type(error).__name__}: {error})") from error


def _fetch_large(path: Path, lines: list[dict[str, Any]]) -> None:
    """Put large messages in their places."""
    exchanges = [line for line in lines if line["type"] == "exchange"]
    if not any(_is_aside(message) for line in exchanges for message in (line["request"], *line["responses"])):
        return
    try:
        with ZipFile(large_path(path)) as large:
            for line in exchanges:
                line["request"] = _fetched(line["request"], large)
                line["responses"] = [_fetched(one, large) for one in line["responses"]]
    except (OSError, BadZipFile, KeyError, orjson.JSONDecodeError) as error:
        raise EvidenceUnreadable(
            f"{path}: its large messages can't be read from {large_path(path)}: {error}; keep the two files together"
        ) from error


def _is_aside(message: Json) -> bool:
    return isinstance(message, dict) and LARGE in message


def _fetched(message: Json, large: ZipFile) -> Json:
    return orjson.loads(large.read(message[LARGE])) if _is_aside(message) else message


_BEGINNING = b'{"type":"header",'
_CUT = "the file is truncated: the run goes on, or was killed; run it again, or see `parity report serve`"


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    content = _content(path)
    if not content.startswith(_BEGINNING):
        what = "is no evidence of a run" if content else "is empty"
        raise EvidenceUnreadable(f"{path}: {what}; name the folder that --out of conform made")
    if not content.endswith(b"\n"):
        raise EvidenceUnreadable(f"{path}: the last line has no end: {_CUT}")
    return list(_parsed(path, content))


def lines_so_far(path: Path) -> list[dict[str, Any]]:
    """Return the lines that have been written to their end, of a run that may go on. Raises EvidenceUnreadable."""
    return list(_parsed(path, _content(path).rpartition(b"\n")[0]))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EvidenceUnreadable(f"{path}: {error.strerror}") from error


def _parsed(path: Path, content: bytes) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise EvidenceUnreadable(f"{path}: line {number} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise EvidenceUnreadable(f"{path}: line {number} is not an object")
        yield document


def _stored_run(path: Path, lines: list[dict[str, Any]]) -> StoredRun:
    footer = lines[-1]
    exchanges = [_exchange(line) for line in lines if line["type"] == "exchange"]
    facts = [line for line in lines if line["type"] == "fact"]
    outcomes = [_outcome(line) for line in lines if line["type"] == "outcome"]
    found = {"exchanges": len(exchanges), "facts": len(facts), "outcomes": len(outcomes)}
    for name, count in found.items():
        if footer[name] != count:
            raise EvidenceUnreadable(f"{path}: the footer counts {footer[name]} {name}, the file holds {count}")
    by_check: dict[str, tuple[list[Exchange], dict[str, Any]]] = {outcome.check: ([], {}) for outcome in outcomes}
    for exchange in exchanges:
        by_check[exchange.check][0].append(exchange)
    for fact in facts:
        by_check[fact["check"]][1][fact["name"]] = fact["value"]
    return StoredRun(
        run=_run_info(lines[0], footer),
        evidence={check: Evidence(check, tuple(made), noted) for check, (made, noted) in by_check.items()},
        outcomes={outcome.check: outcome for outcome in outcomes},
        leaks=tuple(footer["leaks"]),
        known_failing=tuple(footer.get("known_failing", ())),
        judged_on=footer.get("judged_on", ""),
    )


def _fields(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in {"type", "format"}}


_EXCHANGE, _OUTCOME, _RUN = TypeAdapter(Exchange), TypeAdapter(Outcome), TypeAdapter(RunInfo)


def _exchange(line: dict[str, Any]) -> Exchange:
    return _EXCHANGE.validate_python(_fields(line))


def _outcome(line: dict[str, Any]) -> Outcome:
    return _OUTCOME.validate_python(_fields(line))


def _run_info(header: dict[str, Any], footer: dict[str, Any]) -> RunInfo:
    ending = {name: footer[name] for name in ("finished_at", "complete", "reason", "features")}
    return _RUN.validate_python({**_fields(header), **ending})
