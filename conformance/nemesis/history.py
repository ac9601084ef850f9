"""The history of a nemesis run: what each client asked and was answered, and what the nemesis did, a line of JSON each.

Operations are written as tools of the Jepsen family read them: one line when a process invokes, one when it knows, or
gives up knowing, how that ended (`ok`, `fail`, `info`). `docs/guides/under-faults.md` has the format.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from conformance.evidence import Json

FORMAT = 1
HISTORY_FILE = "history.jsonl"
NEMESIS = "nemesis"
"""The process of lines that tell what was done to the target."""
LIVE, REPLAY = "live", "replay"
"""The watch that went on under the faults, and the one that read all events again afterwards."""
NEVER = 2**63 - 1
"""When a call returned of which nobody knows how it ended: it may take effect at any later time."""


class HistoryUnreadable(Exception):
    """A history is missing, is no history, or was written in another format."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of one process. Times are nanoseconds since the run began.

    `outcome` is `ok`, `fail` (it had no effect) or `info` (nobody knows). `answer` is what came back of an `ok`,
    `error` the status of the others.
    """

    process: int
    f: str
    key: str
    sent: Json
    outcome: str
    answer: Json
    error: str
    invoked: int
    returned: int

    @property
    def ok(self) -> bool:
        """Whether it was acknowledged."""
        return self.outcome == "ok"

    @property
    def unknown(self) -> bool:
        """Whether it may have happened, and may yet."""
        return self.outcome == "info"

    @property
    def effect_until(self) -> int:
        """The last moment at which it can take effect."""
        return NEVER if self.unknown else self.returned


@dataclass(frozen=True, slots=True)
class Window:
    """One strike of a fault: when, and what it did, as counts."""

    fault: str
    began: int
    ended: int
    counts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One event, as one watch was told it. `value` is the resource's, empty where the event carries no resource."""

    watch: str
    time: int
    position: int
    id: str
    change: str
    subject: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class History:
    """A history as it was read."""

    run: Mapping[str, Any]
    calls: tuple[Call, ...]
    windows: tuple[Window, ...]
    seen: tuple[Seen, ...]
    ending: Mapping[str, Any]
    """How the run ended; empty where its file was cut."""


@dataclass
class HistoryWriter:
    """Writes lines in the order of their times. Safe to use from many threads."""

    file: IO[bytes]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began: int = field(default_factory=time.monotonic_ns)
    _index: int = 0

    def write(self, kind: str, process: int | str, f: str, key: str = "", value: Json = None, error: str = "") -> None:
        """Write one line of a type (`invoke`, `ok`, `fail`, `info`), with the time that it is now."""
        with self._lock:
            row: dict[str, Json] = {"index": self._index, "type": kind, "process": process}
            row |= {"time": time.monotonic_ns() - self._began, "f": f, "key": key, "value": value}
            self.file.write(orjson.dumps(row | ({"error": error} if error else {})) + b"\n")
            self._index += 1

    def note(self, f: str, value: Json) -> None:
        """Write down something that was done to the target, or about the run."""
        self.write("info", NEMESIS, f, value=value)


def read_history(path: Path) -> History:
    """Read a history file, or the one in a run's folder. Raises HistoryUnreadable."""
    path = path / HISTORY_FILE if path.is_dir() else path
    try:
        with path.open("rb") as file:
            return history_of(_rows(file, path))
    except OSError as error:
        raise HistoryUnreadable(f"{path}: {error.strerror}") from error


def _rows(lines: Iterable[bytes], path: Path) -> Iterator[Json]:
    for number, line in enumerate(lines, start=1):
        try:
            row = orjson.loads(line)
        except ValueError as error:
            if not line.endswith(b"\n"):  # the last line of a run that was killed while it wrote
                return
            raise HistoryUnreadable(f"{path}:{number}: no JSON: {error}") from error
        if not isinstance(row, dict) or not {"type", "process", "f", "time"} <= row.keys():
            raise HistoryUnreadable(f"{path}:{number}: no operation: type, process, f and time are needed")
        if number == 1 and (row["f"] != "run" or row["value"].get("format") != FORMAT):
            raise HistoryUnreadable(f"{path}: its first line isn't that of a nemesis run of format {FORMAT}")
        yield row


def history_of(rows: Iterable[Json]) -> History:
    """Pair the lines of a history."""
    run: Json = {}
    ending: Json = {}
    calls, windows, seen = list[Call](), list[Window](), list[Seen]()
    invoked: dict[Json, Json] = {}
    struck: Json = None
    for row in rows:
        if row["process"] == NEMESIS:
            value = row.get("value") or {}
            if row["f"] in {"run", "end"}:
                run, ending = (value, ending) if row["f"] == "run" else (run, value)
            elif value.get("phase") == "start":
                struck = row
            elif struck is not None:
                windows.append(Window(row["f"], struck["time"], row["time"], value))
        elif row["f"] == "event":
            seen.append(Seen(row["process"], row["time"], key=row.get("key", ""), **row["value"]))
        elif row["type"] == "invoke":
            invoked[row["process"]] = row
        elif row["process"] in invoked:
            calls.append(_call(invoked.pop(row["process"]), row))
    calls += [_call(row, {"type": "info", "time": NEVER}) for row in invoked.values()]
    return History(run, tuple(sorted(calls, key=lambda call: call.invoked)), tuple(windows), tuple(seen), ending)


def _call(invoked: Json, ended: Json) -> Call:
    return Call(
        process=invoked["process"],
        f=invoked["f"],
        key=invoked.get("key", ""),
        sent=invoked.get("value") or {},
        outcome=ended["type"],
        answer=ended.get("value"),
        error=ended.get("error", ""),
        invoked=invoked["time"],
        returned=ended["time"],
    )
