"""A wrong server as a command: `python -m tests.wrong_replicas SIN --port 0 --store URL --tokens FILE`."""

from __future__ import annotations

import argparse
import asyncio

from reference_server.config import ServerConfig
from reference_server.server import serve_store
from stores.registry import open_store
from tests.wrong_replicas.sins import SINS


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="A wrong server, for the nemesis to catch.")
    parser.add_argument("sin", choices=[*SINS, "none"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--tokens", required=True)
    given = parser.parse_args()
    config = ServerConfig(
        listen=f"127.0.0.1:{given.port}", profile="cloud", tokens=given.tokens, fast_paths=False, grace_seconds=0.0
    )
    with open_store(given.store, create=True) as right:
        store = right if given.sin == "none" else SINS[given.sin].store(right)
        asyncio.run(serve_store(config, store, lambda _: None))


if __name__ == "__main__":
    main()
