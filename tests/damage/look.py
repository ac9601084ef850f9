"""The process that opens damaged databases one after another: what it says, and how it dies, is the outcome.

Each line on standard input is a URL, and whether it is opened to create or to read; each line on standard output is
the digest of what could be read, or the error.
"""

from __future__ import annotations

import json
import os
import resource
import sys

from stores.contract import StoreError
from stores.registry import open_store
from tests.damage.base import digest_of


def look(url: str, *, create: bool, descriptors: int | None) -> dict[str, str]:
    """Open a store and read all of it, with so many file descriptors to spare, or as many as there are."""
    stage = "open"
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        if descriptors is not None:
            with open_store(url, read_only=True) as store:
                digest_of(store)  # imports all that it takes
            opened = max(map(int, os.listdir("/proc/self/fd"))) + 1  # noqa: PTH208 - names only
            resource.setrlimit(resource.RLIMIT_NOFILE, (opened + descriptors, usual[1]))
        with open_store(url, create=create, read_only=not create) as store:
            stage = "read"
            return {"digest": digest_of(store)}
    except StoreError as error:
        return {"error": type(error).__name__, "message": str(error), "hint": error.hint, "stage": stage}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(look(**json.loads(line))) + "\n")
        sys.stdout.flush()
