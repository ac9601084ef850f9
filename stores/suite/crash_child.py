"""The process that is killed: commits seeded batches, and says before each that it begins and after it that it is done.

`python -m stores.suite.crash_child URL SEED FIRST LAST [MUTANT]`; lines on standard output: `begin N`, `done N`, or
`failed N CLASS` when the medium fails, which ends it with exit code 3.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterable
from pathlib import Path

from stores.codecs import ProtobufCodec
from stores.contract import Batch, BatchOperation, Conflict, Delete, Durability, Put, Store, StoreUnavailable
from stores.keyvalue.store import KeyValueStore
from stores.registry import open_store, parse_url
from stores.suite.samples import agent, instance

IDS = 12
SLUGS = 9
TEXT_BYTES_MAX = 20_000
"""Batches from some bytes to some blocks of every engine's log."""
MEDIUM_FAILED = 3


def batch_of(seed: int, number: int) -> Batch:
    """Return the batch of this number: the same for the same seed, in every process."""
    draw = random.Random(f"{seed}/{number}")  # noqa: S311 - repeatable, not secret
    batch: list[BatchOperation] = []
    for _ in range(draw.randint(1, 4)):
        id_ = f"id{draw.randrange(IDS)}"
        text = draw.choice("äxyz") * draw.randint(10, TEXT_BYTES_MAX)
        if draw.random() < 0.2:  # noqa: PLR2004 - one in five removes
            batch.append(Delete("agent", id_))
        elif draw.random() < 0.3:  # noqa: PLR2004 - the second kind
            batch.append(Put("agent_instance", id_, instance(id_, f"agt-{draw.randrange(3)}")))
        else:
            slug = f"slug{draw.randrange(SLUGS)}"
            batch.append(Put("agent", id_, agent(id_, slug, draw.choice(("o", "o1")), text)))
    return batch


def apply(store: Store, seed: int, numbers: Iterable[int]) -> int:
    """Commit batches; one that conflicts has no effect, here as in the child. Returns how many had one."""
    written = 0
    for number in numbers:
        try:
            store.commit(batch_of(seed, number))
        except Conflict:
            continue
        written += 1
    return written


def main(url: str, seed: int, first: int, last: int, mutant: str = "") -> int:
    """Commit the batches first..last. Returns the exit code."""
    with open_subject(url, mutant) as store:
        for number in range(first, last + 1):
            _say(f"begin {number}")
            try:
                apply(store, seed, [number])
            except StoreUnavailable as error:
                _say(f"failed {number} {type(error).__name__}")
                return MEDIUM_FAILED
            _say(f"done {number}")
    return 0


def open_subject(url: str, mutant: str) -> Store:
    """Open the store of a URL and make it if it isn't there; or one over a wrong engine, by its name."""
    if not mutant:
        return open_store(url, create=True)
    from stores.suite.crash_mutants import CRASH_MUTANTS  # noqa: PLC0415 - needs a driver

    engine = CRASH_MUTANTS[mutant](Path(parse_url(url).path))
    return KeyValueStore(engine, ProtobufCodec(), Durability.DURABLE)


def _say(line: str) -> None:
    # Not by `write`: the ladder lets that call fail, which is about the store's files.
    os.writev(sys.stdout.fileno(), [line.encode(), b"\n"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:5]), *sys.argv[5:]))  # type: ignore[arg-type] # three numbers
