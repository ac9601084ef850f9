"""A wrong server as a command: `python -m tests.wrong_replicas SIN --port 0 --store URL --tokens FILE`."""

from __future__ import annotations

import argparse
import asyncio
import time
from unittest.mock import patch

from stores.registry import open_store
from tests.wrong_replicas.sins import SINS


def set_clock_back(seconds: float) -> None:
    """Let this process believe in an earlier time, as one does whose machine's clock is wrong."""
    now, now_ns = time.time, time.time_ns
    patch.object(time, "time", lambda: now() - seconds).start()
    patch.object(time, "time_ns", lambda: now_ns() - int(seconds * 1e9)).start()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="A wrong server, for the nemesis to catch.")
    parser.add_argument("sin", choices=[*SINS, "none"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--tokens", required=True)
    parser.add_argument("--seconds-back", type=float, default=0.0, help="set its clock back, which is no sin")
    given = parser.parse_args()
    if given.seconds_back:
        set_clock_back(given.seconds_back)
    from reference_server.config import ServerConfig  # takes the clock as it is when it is imported
    from reference_server.server import serve_store

    config = ServerConfig(
        listen=f"127.0.0.1:{given.port}", profile="cloud", tokens=given.tokens, fast_paths=False, grace_seconds=0.0
    )
    with open_store(given.store, create=True) as right:
        store = right if given.sin == "none" else SINS[given.sin].store(right)
        asyncio.run(serve_store(config, store, lambda _: None))


if __name__ == "__main__":
    main()
