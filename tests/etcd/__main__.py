"""`python -m tests.etcd`: what a create and a delete are in etcd, its limits, times, and a leader that is killed."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median

from tests.etcd.nodes import PROGRAM, EtcdRefused, Node, call, is_absent, leader, nodes, put
from tests.etcd.shapes import Shape, shapes

INSTANCES = (1, 10, 260)
SINGLE, CALLERS, EACH = 200, 16, 50
MIB = 1024 * 1024
QUOTA = 8 * 1024 * MIB
"""Source: etcd's documentation, system limits: a suggested maximum."""
GIVEN_UP_SECONDS = 60.0


def main() -> int:
    """Print the figures. Returns 3 where there is no etcd."""
    if PROGRAM is None:
        sys.stderr.write("etcd isn't on this machine: apt-get install etcd-server\n")
        return 3
    with tempfile.TemporaryDirectory(prefix="etcd-") as name:
        found = shapes(Path(name), INSTANCES)
        for what, shape in found.items():
            _say(f"{what}: {shape.operations} operations, {shape.comparisons} comparisons, {shape.shared} keys of all")
        with nodes(Path(name)) as made:
            _limits(made[0])
            _times(made, found["create"])
            _failover(made)
    return 0


def _limits(node: Node) -> None:
    for size in (MIB, 1_500_000, 2 * MIB, 10 * MIB):
        _say(f"a value of {size / MIB:.1f} MiB: {_outcome(node, [put(b'large', b'x' * size)])}")
    for count in (128, 129):
        _say(f"{count} operations: {_outcome(node, [put(b'op%d' % number, b'') for number in range(count)])}")


def _outcome(node: Node, operations: Sequence[object]) -> str:
    try:
        node.call("kv/txn", {"success": list(operations)})
    except EtcdRefused as error:
        return f"refused ({error})"
    return "taken"


def _times(made: Sequence[Node], shape: Shape) -> None:
    """A create's transaction: one caller, then many on keys of their own, then many that share one count."""
    first = leader(made)
    assert first is not None
    alone = sorted(_creates(first, shape, "alone", SINGLE))
    middle, slow = median(alone) * 1e3, alone[int(len(alone) * 0.99)] * 1e3
    _say(f"a create's transaction, one caller: median {middle:.1f} ms, p99 {slow:.1f} ms")
    rate, _ = _at_once(lambda number: len(_creates(first, shape, f"many{number}", EACH)))
    _say(f"{CALLERS} callers, keys of their own: {rate:.0f} a second")
    size = int(first.call("maintenance/status", {})["dbSize"]) / (SINGLE + CALLERS * EACH)
    _say(f"{size:.0f} bytes a create on each node: {QUOTA / size:,.0f} agents in 8 GiB, as etcd advises")
    first.call("kv/put", {"key": put(b"count", b"")["requestPut"]["key"], "value": ""})
    rate, late = _at_once(lambda number: _counted(first, shape, f"count{number}", EACH))
    wasted = late / CALLERS / EACH
    _say(f"{CALLERS} callers that raise one count: {rate:.0f} a second, {wasted:.1f} attempts too many each")


def _at_once(work: Callable[[int], int]) -> tuple[float, int]:
    """Let callers work at once; return creates a second, and the sum of what the work returned."""
    begun = time.monotonic()
    with ThreadPoolExecutor(CALLERS) as pool:
        total = sum(pool.map(work, range(CALLERS)))
    return CALLERS * EACH / (time.monotonic() - begun), total


def _transaction(shape: Shape, prefix: str) -> dict[str, list[object]]:
    keys = [f"{prefix}/{number}".encode() for number in range(shape.operations)]
    return {
        "compare": [is_absent(key) for key in keys[: shape.comparisons]],
        "success": [put(key, b"x" * (shape.stored_bytes // shape.operations)) for key in keys],
    }


def _creates(node: Node, shape: Shape, prefix: str, count: int) -> list[float]:
    """Return the seconds that each of so many transactions took."""
    took = list[float]()
    with node.connection() as connection:
        for number in range(count):
            body = _transaction(shape, f"{prefix}/{number}")
            begun = time.monotonic()
            answer = call(connection, "kv/txn", body)
            took.append(time.monotonic() - begun)
            assert answer.get("succeeded"), answer
    return took


def _counted(node: Node, shape: Shape, prefix: str, count: int) -> int:
    """The same, each raising one count that all share, by comparing it; return how many attempts came too late."""
    shared, late = put(b"count", b"1"), 0
    with node.connection() as connection:
        for number in range(count):
            body = _transaction(shape, f"{prefix}/{number}")
            body["success"].append(shared)
            while not _raised(connection, body, shared["requestPut"]["key"]):
                late += 1
    return late


def _raised(connection: HTTPConnection, body: dict[str, list[object]], key: str) -> bool:
    """Write, if the count is still what it was when it was read."""
    row = call(connection, "kv/range", {"key": key})["kvs"][0]
    same = {"key": key, "target": "MOD", "result": "EQUAL", "modRevision": row["mod_revision"]}
    return bool(call(connection, "kv/txn", {**body, "compare": [*body["compare"], same]}).get("succeeded"))


def _failover(made: Sequence[Node]) -> None:
    """Kill the leader; say how long no write was taken."""
    first = leader(made)
    assert first is not None
    left = [node for node in made if node is not first]
    first.process.kill()
    begun = time.monotonic()
    while time.monotonic() - begun < GIVEN_UP_SECONDS:
        for node in left:
            try:
                node.call("kv/txn", {"success": [put(b"after", b"")]})
            except (EtcdRefused, OSError, HTTPException):
                continue
            _say(f"the leader was killed: no write was taken for {time.monotonic() - begun:.1f} s")
            return
    _say(f"the leader was killed: no write was taken within {GIVEN_UP_SECONDS:.0f} s")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line prints


if __name__ == "__main__":
    _say(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    sys.exit(main())
