"""A file system that is really read-only: databases on it, closed and not closed, are read whole, or refused.

`on_read_only` runs this module in a mount namespace of its own, as `stores/suite/full_disk.py` does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from stores.contract import StoreError
from stores.registry import open_store
from stores.suite.full_disk import NAMESPACE, TIMEOUT_SECONDS, mount
from stores.suite.samples import put
from tests.damage.base import CLOSE

AGENTS = 20
_SIZE = "size=400m"
WHOLE = "whole"


def on_read_only(engine: str, folder: Path) -> dict[str, str]:
    """Return what came of reading and of serving a database, by way and state. Raises RuntimeError if it died."""
    command = [*NAMESPACE, sys.executable, "-m", "tests.damage.read_only", engine, str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(engine: str, folder: Path) -> dict[str, str]:
    """Mount, make a database that is closed and one that isn't, make all read-only, look."""
    mount(folder, _SIZE)
    urls = {state: f"{engine}:{folder / state}" for state in ("closed", "not closed")}
    commands = [("-m", "tests.damage.base", url, "a", "0", str(AGENTS)) for url in urls.values()]
    for command in (*commands, ("-c", CLOSE, urls["closed"])):
        subprocess.run([sys.executable, *command], check=True, timeout=TIMEOUT_SECONDS)
    mount(folder, f"remount,ro,{_SIZE}")
    found = {f"read, {state}": _look(url, create=False) for state, url in urls.items()}
    return found | {f"served, {state}": _look(url, create=True) for state, url in urls.items()}


def _look(url: str, *, create: bool) -> str:
    try:
        with open_store(url, create=create, read_only=not create) as store:
            ids = [record.id for record in store.scan("agent")]
            if ids != [f"a{number:02d}" for number in range(AGENTS)]:
                return f"less than all: {ids}"
            if create:
                store.commit([put("new")])
                return "it took a write"
            return WHOLE
    except StoreError as error:
        return f"{type(error).__name__}: {error} ({error.hint})"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]))) + "\n")
