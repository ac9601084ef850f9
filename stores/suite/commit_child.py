"""The process that commits for the durability checks: batches of given sizes, marked, or several threads at once.

`python -m stores.suite.commit_child URL SEED SIZE,SIZE,… END` commits one batch of each size and says `begin N` and
`done N` on standard output; `END` is `close`, or `kill`: SIGKILL by its own hand right after the last acknowledgement.
`python -m stores.suite.commit_child URL together` commits alone, in a group, and in overlapping threads.
`python -m stores.suite.commit_child URL removed` ends by SIGKILL when what had the last numbers is removed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Sequence

from stores.contract import Batch, BatchOperation, Delete, Put, Store, StoreError
from stores.registry import open_store
from stores.suite.samples import agent, event, instance, policy
from stores.suite.syncs import ACKNOWLEDGED_FD, BEGIN_FD, mark

ALONE, GROUP, THREADS, COMMITS_PER_THREAD = 12, 5, 4, 10
ACKNOWLEDGED = ALONE + 2 + THREADS * COMMITS_PER_THREAD
"""Marked acknowledgements of `together`: commits alone, two groups, and those of the threads."""


def batch_of_size(seed: int, number: int, size: int) -> Batch:
    """Return the batch of this number, of `size` operations on four kinds: the same in every process, never refused.

    Batches share ids, so that a later one changes and removes what an earlier one made.
    """
    draw = random.Random(f"{seed}/{number}/{size}")  # noqa: S311 - repeatable, not secret
    batch: list[BatchOperation] = []
    for place in range(size):
        id_ = f"id{place}"
        org, text = draw.choice(("o", "o1")), draw.choice("äxyz") * draw.randint(1, 200)
        match draw.randrange(8):
            case 0:
                batch.append(Delete("agent", id_))
            case 1:
                batch.append(Put("agent_instance", id_, instance(id_, f"agt-{draw.randrange(3)}", org)))
            case 2:
                batch.append(Put("iam_policy", id_, policy(id_, f"r{place}", draw.choice("pq"))))
            case 3:
                batch.append(Put("event", id_, event(id_, text)))
            case _:
                batch.append(Put("agent", id_, agent(id_, f"{id_}-{draw.randrange(2)}", org, text)))
    return batch


def commit_batches(url: str, seed: int, sizes: Sequence[int], end: str) -> None:
    """Commit one batch of each size, mark and tell each, and end as asked."""
    batches = [batch_of_size(seed, number, size) for number, size in enumerate(sizes, 1)]
    with open_store(url, create=True) as store:
        for number, batch in enumerate(batches, 1):
            _say(f"begin {number}")
            _marked(store, batch)
            _say(f"done {number}")
        if end == "kill":
            os.kill(os.getpid(), signal.SIGKILL)


def commit_together(url: str) -> None:
    """Commit one by one, two groups, and from several threads that begin each commit together."""
    with open_store(url, create=True) as store:
        for number in range(ALONE):
            _marked(store, [_alone(number)])
        for make in (_create, _delete):
            mark(BEGIN_FD)
            outcomes = store.commit_many([[make(f"group{number}")] for number in range(GROUP)])
            if any(isinstance(outcome, StoreError) for outcome in outcomes):
                sys.exit(f"a group was refused: {outcomes}")
            mark(ACKNOWLEDGED_FD)
        start = threading.Barrier(THREADS)
        threads = [threading.Thread(target=_commit_some, args=(store, name, start)) for name in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _commit_some(store: Store, name: int, start: threading.Barrier) -> None:
    for number in range(COMMITS_PER_THREAD):
        start.wait()
        _marked(store, [_create(f"thread{name}-{number}")])


def commit_removed(url: str) -> None:
    """Create two resources, remove the last, tell its last position and revision, and end by SIGKILL."""
    with open_store(url, create=True) as store:
        for id_ in ("stays", "goes", "goes"):
            store.commit([Put("agent", id_, agent(id_))])
        record = store.get_record("agent", "goes")
        store.commit([Delete("agent", "goes")])
        _say(f"{store.last_position()} {record.revision if record else 0}")
        os.kill(os.getpid(), signal.SIGKILL)


def _marked(store: Store, batch: Batch) -> None:
    mark(BEGIN_FD)
    store.commit(batch)
    mark(ACKNOWLEDGED_FD)


def _alone(number: int) -> Put | Delete:
    """Return by turns a creation, an update that leaves the keys, one that changes them, and a removal."""
    id_ = f"alone{number // 4}"
    match number % 4:
        case 0:
            return _create(id_)
        case 1:
            return Put("agent", id_, agent(id_, text="another"), "present")
        case 2:
            return Put("agent", id_, agent(id_, slug="another"), "present")
        case _:
            return _delete(id_)


def _delete(id_: str) -> Delete:
    return Delete("agent", id_, "present")


def _create(id_: str) -> Put:
    return Put("agent", id_, agent(id_), "absent")


def _say(line: str) -> None:
    os.writev(sys.stdout.fileno(), [line.encode(), b"\n"])  # not by `write`, which the kills are counted by


if __name__ == "__main__":
    if sys.argv[2] == "together":
        commit_together(sys.argv[1])
    elif sys.argv[2] == "removed":
        commit_removed(sys.argv[1])
    else:
        commit_batches(sys.argv[1], int(sys.argv[2]), [int(size) for size in sys.argv[3].split(",")], sys.argv[4])
