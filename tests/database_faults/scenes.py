"""The scenes by name: `python -m tests.database_faults NAME` plays one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.nemesis.faults import BEHIND, CLOSE, CLOSE_BEHIND, FAULTS, KILL, PARTITION, PAUSE
from tests.database_faults import cut_off, full
from tests.database_faults.namespaces import MOUNTS, NETWORK
from tests.database_faults.pair import asynchronous_pair, synchronous_pair
from tests.database_faults.scene import Scene
from tests.database_faults.strikes import fail_over, kill_database, lose_the_last
from tests.postgresql import Cluster, cluster

HOUR_SECONDS = 3600.0
_SLOW_COMMITS = {"fsync": "on", "commit_delay": "20000", "commit_siblings": "0"}
"""Each commit waits 20 ms between its record and the flush of the log, so that kills meet commits under way."""


SetScene = Callable[[int], AbstractContextManager[Scene]]
"""Sets a scene for a number of servers."""


@dataclass(frozen=True)
class Row:
    """How a scene is set, and the namespace that it needs."""

    set: SetScene
    namespace: str = ""


@contextmanager
def _killed(replicas: int) -> Iterator[Scene]:
    with cluster(_SLOW_COMMITS) as made:
        yield Scene([made.url] * replicas, ("kill-database",), {"kill-database": kill_database(made)})


@contextmanager
def _failing_over(replicas: int) -> Iterator[Scene]:
    with synchronous_pair() as pair:
        yield Scene([pair.url] * replicas, ("fail-over",), {"fail-over": fail_over(pair)})


@contextmanager
def _losing(replicas: int) -> Iterator[Scene]:
    with asynchronous_pair() as (pair, between):
        yield Scene([pair.url] * replicas, ("lose-the-last",), {"lose-the-last": lose_the_last(pair, between)})


def _behind(database: Cluster, replicas: int, faults: tuple[str, ...]) -> Scene:
    at = f"127.0.0.1:{database.port}"
    return Scene([database.url.replace(at, "{behind}")] * replicas, faults, behind=at)


def _between(*faults: str) -> SetScene:
    @contextmanager
    def set_scene(replicas: int) -> Iterator[Scene]:
        with cluster() as made:
            yield _behind(made, replicas, faults)

    return set_scene


@contextmanager
def _cut_off(replicas: int) -> Iterator[Scene]:
    cut_off.prepare()
    hosts = [f"127.0.0.{11 + number}" for number in range(replicas)]
    with cluster({"listen_addresses": ",".join(["127.0.0.1", *hosts])}) as made:
        urls = [made.url.replace("127.0.0.1", host) for host in hosts]
        yield Scene(urls, ("cut-off",), {"cut-off": cut_off.cut_off(hosts)})


def _full(small: Callable[[], AbstractContextManager[tuple[Cluster, Path]]]) -> SetScene:
    @contextmanager
    def set_scene(replicas: int) -> Iterator[Scene]:
        with small() as (made, disk):
            yield Scene([made.url] * replicas, ("full-disk",), {"full-disk": full.fill_disk(made, disk)})

    return set_scene


@contextmanager
def _set_back(replicas: int) -> Iterator[Scene]:
    with cluster() as made:
        backs = [HOUR_SECONDS, *[0.0] * (replicas - 1)]
        yield Scene([made.url] * replicas, (CLOSE, KILL, PAUSE), seconds_back=backs)


SCENES: dict[str, Row] = {
    "kill-database": Row(_killed),
    "fail-over": Row(_failing_over),
    "lose-the-last": Row(_losing),
    "partition": Row(_between(PARTITION)),
    "close-behind": Row(_between(CLOSE_BEHIND)),
    "servers": Row(_between(*(fault for fault in FAULTS if fault not in BEHIND))),
    "all": Row(_between(*FAULTS)),
    "cut-off": Row(_cut_off, NETWORK),
    "full-disk": Row(_full(full.small_data), MOUNTS),
    "full-log": Row(_full(full.small_log), MOUNTS),
    "clock-set-back": Row(_set_back),
}
CONTROL = "lose-the-last"
"""The scene in which something is lost for certain: it must be found."""
