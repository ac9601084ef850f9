"""The reference with a sin that a restart brings out, as a command.

`python -m tests.mutants.restarted SIN --port 0 --folder FOLDER`
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from reference_server.pipelines import OPERATIONS
from stores.contract import Store
from tests.mutants.hosting import reference
from tests.mutants.restart_sins import RESTART_SINS, Old


def main() -> None:
    """Serve until killed; what was stored before the start is what the sin is about."""
    parser = argparse.ArgumentParser(description="A wrong server that only a restart gives away.")
    parser.add_argument("sin", choices=sorted(RESTART_SINS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where its store is")
    given = parser.parse_args()
    sin, old = RESTART_SINS[given.sin], Old(given.folder)

    def around(store: Store) -> Store:
        old.look_at(store)
        return sin.store(store, old)

    settings = {"listen": f"127.0.0.1:{given.port}"}
    store, operations = f"leveldb:{given.folder / 'store'}", sin.change(old)(OPERATIONS)
    with reference("cloud", operations=operations, store=store, fast_paths=False, settings=settings, around=around):
        threading.Event().wait()


if __name__ == "__main__":
    main()
