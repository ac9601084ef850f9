"""A disk that is really full: a small file system of the process's own, written to until nothing goes in any more.

`fill` runs this module in a mount namespace, where it mounts a tmpfs; nobody else sees it, and it is gone with the
process. When the store has refused a batch the file system is made larger, the store opened again, and looked through.
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
from stores.contract import Put, Store, StoreError, StoreUnavailable
from stores.registry import open_store
from stores.suite.samples import agent

SMALL_MIB = 40
"""Some engines take 20 MiB before anything is in them."""
GROWS_TO_TIMES = 8
TEXT_BYTES = 20_000
BATCHES_MAX = 20_000
TIMEOUT_SECONDS = 120
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of it. `lost` are acknowledged batches that weren't there as written; `count` is after reopening."""

    acknowledged: int
    refused_with: str
    refused_again_with: str
    lost: list[str]
    count: int
    goes_on: bool


def namespaces_work(folder: Path) -> bool:
    """Say whether this user may mount a file system of his own (containers can forbid it)."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    mount = ("mount", "-t", "tmpfs", "none", str(folder))
    probe = subprocess.run([*_NAMESPACE, *mount], check=False, capture_output=True, timeout=TIMEOUT_SECONDS)
    return probe.returncode == 0


def fill(engine: str, folder: Path, small_mib: int = SMALL_MIB) -> Filled:
    """Fill a disk with an engine's database. Raises RuntimeError with what the process said if it died."""
    command = [*_NAMESPACE, sys.executable, "-m", "stores.suite.full_disk", engine, str(folder), str(small_mib)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-2000:]}")
    return Filled(**json.loads(done.stdout.splitlines()[-1]))


def main(engine: str, folder: Path, small_mib: int) -> Filled:
    """Mount, fill, make room, look. To be run in a mount namespace only."""
    _mount(folder, f"size={small_mib}m")
    url = f"{engine}:{folder / 'db'}"
    acknowledged, first, again = _write_until_refused(url)
    _mount(folder, f"remount,size={small_mib * GROWS_TO_TIMES}m")
    with open_store(url) as store:
        lost = [id_ for id_ in map(_id, range(acknowledged)) if store.get("agent", id_) != _agent(id_)]
        count = store.count("agent")
        listed = sum(1 for _ in store.scan("agent"))
        if listed != count:
            lost.append(f"{listed} are listed, {count} counted")
        goes_on = isinstance(_refused(store, "after"), int)
    return Filled(acknowledged, first, again, lost, count, goes_on)


def _write_until_refused(url: str) -> tuple[int, str, str]:
    store = open_store(url, create=True)
    try:
        for number in range(BATCHES_MAX):
            outcome = _refused(store, _id(number))
            if not isinstance(outcome, int):
                again = _refused(store, "again")
                return number, _named(outcome), "" if isinstance(again, int) else _named(again)
    finally:
        try:
            store.close()
        except StoreUnavailable as error:
            sys.stderr.write(f"closing: {error}\n")
    raise RuntimeError(f"{BATCHES_MAX} batches went in")


def _refused(store: Store, id_: str) -> int | StoreError:
    try:
        return store.commit([Put("agent", id_, _agent(id_), "absent")])
    except StoreError as error:
        return error


def _named(error: object) -> str:
    return f"{type(error).__name__}: {error}"


def _id(number: int) -> str:
    return f"a{number:05d}"


def _agent(id_: str) -> Agent:
    """Return an agent with a text that no engine can make much smaller."""
    return agent(id_, text=Random(id_).randbytes(TEXT_BYTES // 2).hex())  # noqa: S311 - repeatable, not secret


def _mount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True, timeout=TIMEOUT_SECONDS)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))) + "\n")
