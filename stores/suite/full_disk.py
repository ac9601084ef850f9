"""A disk that is really full: a small file system of the process's own, written to until nothing goes in any more.

`fill` runs this module in a mount namespace, where it mounts a tmpfs; nobody else sees it, and it is gone with the
process. When the store has refused a batch the file system is made larger; the store has to recover by itself, and is
looked through, then opened again and looked through once more.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Put, Recovers, Store, StoreError
from stores.registry import open_store
from stores.suite.samples import agent

SMALL_MIB = 40
"""Some engines take 20 MiB before anything is in them."""
GROWS_TO_TIMES = 8
TEXT_BYTES = 20_000
BATCHES_MAX = 20_000
TIMEOUT_SECONDS = 120
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of it.

    `lost` are acknowledged batches that weren't there as written: after the store had recovered, or was opened again;
    `count` is after opening it again.
    """

    acknowledged: int
    refused_with: str
    refused_again_with: str
    not_recovered_with: str
    """While the disk was still full."""
    recovered_with: str
    """Once there was room; empty: the store took a write again."""
    lost: list[str]
    count: int
    goes_on: bool


def namespaces_work(folder: Path) -> bool:
    """Say whether this user may mount a file system of his own (containers can forbid it)."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    mount = ("mount", "-t", "tmpfs", "none", str(folder))
    probe = subprocess.run([*NAMESPACE, *mount], check=False, capture_output=True, timeout=TIMEOUT_SECONDS)
    return probe.returncode == 0


def fill(engine: str, folder: Path, small_mib: int = SMALL_MIB) -> Filled:
    """Fill a disk with an engine's database. Raises RuntimeError with what the process said if it died."""
    command = [*NAMESPACE, sys.executable, "-m", "stores.suite.full_disk", engine, str(folder), str(small_mib)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-2000:]}")
    return Filled(**json.loads(done.stdout.splitlines()[-1]))


def main(engine: str, folder: Path, small_mib: int) -> Filled:
    """Mount, fill, make room, recover, look; open again, look. To be run in a mount namespace only."""
    mount(folder, f"size={small_mib}m")
    url = f"{engine}:{folder / 'db'}"
    store = open_store(url, create=True)
    number, first = _write_until_refused(store)
    again = named(refusal_of(store, "again"))
    full = recovery_of(store)
    listing = store.scan("agent")
    mount(folder, f"remount,size={small_mib * GROWS_TO_TIMES}m")
    recovered = recovery_of(store) or named(refusal_of(store, "recovered"))
    lost = lost_of(store, number)
    listing.close()  # type: ignore[attr-defined] # a listing that is left in the middle can be closed
    store.close()
    with open_store(url) as reopened:
        lost += lost_of(reopened, number)
        if reopened.get("agent", "recovered") is None:
            lost.append("recovered")
        goes_on = not named(refusal_of(reopened, "after"))
        return Filled(number, first, again, full, recovered, lost, reopened.count("agent"), goes_on)


def _write_until_refused(store: Store) -> tuple[int, str]:
    for number in range(BATCHES_MAX):
        refusal = named(refusal_of(store, id_of(number)))
        if refusal:
            return number, refusal
    raise RuntimeError(f"{BATCHES_MAX} batches went in")


def recovery_of(store: Store) -> str:
    """Let a store recover; return what it says if it doesn't."""
    if not isinstance(store, Recovers):
        return "it can't recover"
    try:
        store.recover()
    except StoreError as error:
        return named(error)
    return ""


def lost_of(store: Store, acknowledged: int) -> list[str]:
    """Return the acknowledged batches that aren't there as written, and whether lists and counts disagree."""
    lost = [id_ for id_ in map(id_of, range(acknowledged)) if store.get("agent", id_) != _agent(id_)]
    listed, count = sum(1 for _ in store.scan("agent")), store.count("agent")
    return lost if listed == count else [*lost, f"{listed} are listed, {count} counted"]


def refusal_of(store: Store, id_: str) -> int | StoreError:
    """Commit a batch; return its position, or the error that came instead."""
    try:
        return store.commit([Put("agent", id_, _agent(id_), "absent")])
    except StoreError as error:
        return error


def named(outcome: int | StoreError) -> str:
    """Return an error's name and words; of a batch that went in, nothing."""
    return "" if isinstance(outcome, int) else f"{type(outcome).__name__}: {outcome}"


def id_of(number: int) -> str:
    """Return the id of a batch's agent."""
    return f"a{number:05d}"


def _agent(id_: str) -> Agent:
    """Return an agent with a text that no engine can make much smaller."""
    return agent(id_, text=Random(id_).randbytes(TEXT_BYTES // 2).hex())  # noqa: S311 - repeatable, not secret


def mount(folder: Path, options: str) -> None:
    """Mount a tmpfs, or mount it again with other options; in a mount namespace only."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True, timeout=TIMEOUT_SECONDS)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))) + "\n")
