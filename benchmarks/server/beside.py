"""Our load generator beside h2load and ghz on one bare echo, in turns: do they find the same rate and the same latency?

`python -m benchmarks.server.beside` prints a table. h2load is Debian's `nghttp2-client`; ghz is
`go install github.com/bojand/ghz/cmd/ghz@v0.93.0`. One that isn't on the PATH is left out, and said.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server.calls import agent_to_create
from benchmarks.server.launch import run_in_process
from benchmarks.server.load import LoadFailed, LoadPlan, Traffic
from benchmarks.server.operations import PATHS
from benchmarks.server.processes import ServerFailed, bare
from benchmarks.statistics import median

CONNECTIONS, CALLERS = 2, 32
DEADLINE_S = 60
_PROTO = """syntax = "proto3"; package parity.bench; message Body { bytes value = 1; }
service Bare { rpc echo(Body) returns (Body); }
"""


class Unreadable(Exception):
    """A generator didn't say what it was asked for. The message holds the end of what it said."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one generator found in one turn: calls a second, and the median time to an answer."""

    rate: float
    median_us: float


@dataclass(frozen=True, slots=True)
class Turn:
    """A load: where, the message, for how long, and the rate that is due (None: a closed loop)."""

    address: str
    message: bytes
    seconds: float
    folder: Path
    rate: float | None = None


def by_ours(turn: Turn) -> Found:
    """Load with the generator of this project. Raises LoadFailed."""
    traffic = Traffic("echo", (base64.b64encode(turn.message).decode(),))
    report = run_in_process(
        LoadPlan(turn.address, (traffic,), turn.seconds, CALLERS, CONNECTIONS, rate=turn.rate, warmup_s=0.5)
    )
    return Found(report.rate, median(report.service_us))


def by_h2load(turn: Turn) -> Found:
    """Load with h2load. Raises Unreadable."""
    body, log = turn.folder / "message", turn.folder / "h2load.log"
    body.write_bytes(b"\0" + len(turn.message).to_bytes(4, "big") + turn.message)
    log.unlink(missing_ok=True)
    paced = [] if turn.rate is None else ["--rps", str(round(turn.rate / CONNECTIONS))]
    command = ["h2load", "-c", str(CONNECTIONS), "-m", str(CALLERS // CONNECTIONS), "-D", str(round(turn.seconds))]
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers", "--warm-up-time", "1s", *paced]
    said = _said([*command, *headers, "-d", str(body), f"--log-file={log}", f"http://{turn.address}{PATHS['echo']}"])
    rate = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", said)
    times = [float(row.split("\t")[2]) for row in log.read_text().splitlines()] if log.exists() else []
    if rate is None or not times:
        raise Unreadable(f"h2load: {said[-300:]}")
    return Found(float(rate[1]), median(times))


def by_ghz(turn: Turn) -> Found:
    """Load with ghz. Raises Unreadable."""
    proto = turn.folder / "bare.proto"
    proto.write_text(_PROTO)
    paced = [] if turn.rate is None else ["--rps", str(round(turn.rate))]
    data = json.dumps({"value": base64.b64encode(turn.message).decode()})
    words = ["ghz", "--insecure", "--proto", str(proto), "--call", "parity.bench.Bare.echo", "-d", data, "-O", "json"]
    load = ["-c", str(CALLERS), "--connections", str(CONNECTIONS), "-z", f"{turn.seconds:.0f}s", *paced]
    said = _said([*words, *load, turn.address])
    try:
        report = json.loads(said)
        middle = next(each["latency"] for each in report["latencyDistribution"] if each["percentage"] == 50)  # noqa: PLR2004 - the median
        return Found(float(report["rps"]), middle / 1_000)
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise Unreadable(f"ghz: {said[-300:]}") from error


GENERATORS: dict[str, Callable[[Turn], Found]] = {"ours": by_ours, "h2load": by_h2load, "ghz": by_ghz}


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(f"{command[0]} did not end within {DEADLINE_S} s") from error
    return done.stdout or done.stderr


def compare(names: list[str], seconds: float, turns: int) -> dict[tuple[str, str], list[Found]]:
    """Let the generators take turns, closed loop and then at half of the least rate; return what each found."""
    found: dict[tuple[str, str], list[Found]] = {}
    with tempfile.TemporaryDirectory(prefix="beside-") as name:
        folder = Path(name)
        message = agent_to_create(1, "medium").SerializeToString()
        (folder / "fixed").write_bytes(message)
        with bare(folder / "fixed", folder / "bare.log") as echo:
            rate = None
            for load in ("as fast as it goes", "half of that"):
                turn = Turn(echo.address, message, seconds, folder, rate)
                for place in range(turns):
                    for each in names[:: -1 if place % 2 else 1]:  # there and back
                        found.setdefault((load, each), []).append(GENERATORS[each](turn))
                rate = min(median([one.rate for one in found[load, each]]) for each in names) / 2
    return found


def main() -> int:
    """Print the table; exit 2 where there is nothing to compare with."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server.beside", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of one turn")
    parser.add_argument("--turns", type=int, default=4)
    arguments = parser.parse_args()
    names = [name for name in GENERATORS if name == "ours" or shutil.which(name)]
    missing = sorted(set(GENERATORS) - set(names))
    sys.stderr.write("".join(f"{name} isn't on the PATH and is left out\n" for name in missing))
    if names == ["ours"]:
        return 2
    try:
        found = compare(names, arguments.seconds, arguments.turns)
    except (Unreadable, LoadFailed, ServerFailed, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    for (load, name), all_turns in found.items():
        rate, taken = (median([getattr(one, what) for one in all_turns]) for what in ("rate", "median_us"))
        ours, ours_us = (median([getattr(one, what) for one in found[load, "ours"]]) for what in ("rate", "median_us"))
        sys.stdout.write(
            f"{load}, {name}: {rate:,.0f}/s ({rate / ours:.2f} of ours), {taken:,.0f} us ({taken / ours_us:.2f})\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
