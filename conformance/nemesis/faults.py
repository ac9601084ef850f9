"""The faults: each strikes for a while, takes itself back, and says in counts what it did."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from conformance.evidence import Json
from conformance.nemesis.proxy import Proxy
from conformance.target import Running, StillAlive, TargetUnreachable

LOSE_ANSWERS, CLOSE, DELAY, KILL, PAUSE = "lose-answers", "close", "delay", "kill", "pause"
PARTITION, CLOSE_BEHIND = "partition", "close-behind"
STRIKE_SECONDS = (0.4, 1.2)
"""How long a fault lasts."""
BETWEEN_SECONDS = (0.03, 0.15)
"""The time between two connections that are broken."""
SILENCE_SECONDS = (0.05, 0.3)
"""How long a connection without answers stays open: long enough for the server to do what it was asked."""
DELAY_SECONDS = (0.02, 0.2)
DEAD_SECONDS = (0.0, 0.3)
"""The time between a kill and the next start."""
CALM_SECONDS = (0.3, 0.9)
"""The time between two strikes, in which clients get on."""
PARTITION_SECONDS = (1.0, 4.0)
"""How long a replica is cut off: some calls end before it does, others wait for its end."""


class NemesisInvalid(Exception):
    """This nemesis can't be asked of this target."""


@dataclass
class Field:
    """What the nemesis can lay its hands on."""

    proxies: Sequence[Proxy]
    """Between the clients and each target."""
    running: Sequence[Running]
    random: Random
    ended: threading.Event
    """Set where the run ends early."""
    behind: Sequence[Proxy] = ()
    """Between each target and what is behind all of them, such as a database."""
    dead: str = ""
    """Why the target doesn't come back, once it doesn't."""

    def between(self, seconds: tuple[float, float]) -> float:
        """Return a time between two, by chance."""
        return self.random.uniform(*seconds)

    def wait(self, seconds: float) -> None:
        """Wait, unless the run ends."""
        self.ended.wait(seconds)


Fault = Callable[[Field, float], Json]
"""Strikes for so many seconds, if it can choose, takes itself back, and returns in counts what it did."""


def _often(field: Field, among: Sequence[Proxy], seconds: float, do: Callable[[Proxy], None]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not field.ended.is_set():
        do(field.random.choice(among))
        field.wait(field.between(BETWEEN_SECONDS))


def lose_answers(field: Field, seconds: float) -> Json:
    """Let the server do what it is asked, keep its answers from the client, then break the connection."""

    def lose(proxy: Proxy) -> None:
        proxy.silence()
        field.wait(field.between(SILENCE_SECONDS))
        proxy.break_silenced()

    return _by_proxies(field, field.proxies, lambda: _often(field, field.proxies, seconds, lose))


def close(field: Field, seconds: float) -> Json:
    """Break connections, wherever a request or an answer is on its way."""
    return _by_proxies(field, field.proxies, lambda: _often(field, field.proxies, seconds, Proxy.cut))


def delay(field: Field, seconds: float) -> Json:
    """Let every piece that is said wait, both ways."""

    def slow() -> None:
        for proxy in field.proxies:
            proxy.delay_seconds = DELAY_SECONDS
        field.wait(seconds)

    return _by_proxies(field, field.proxies, slow)


def close_behind(field: Field, seconds: float) -> Json:
    """Break connections of the targets with what is behind them, wherever a request or an answer is on its way."""
    return _by_proxies(field, field.behind, lambda: _often(field, field.behind, seconds, Proxy.cut))


def partition(field: Field, seconds: float) -> Json:
    """Cut one target off from what is behind it: whatever either says is lost, and no connection ends."""
    del seconds  # it takes longer than a call may
    proxy = field.random.choice(field.behind)

    def part() -> None:
        proxy.part()
        field.wait(field.between(PARTITION_SECONDS))

    return {"partitions": 1, **_by_proxies(field, [proxy], part)}


def _by_proxies(field: Field, struck: Sequence[Proxy], strike: Callable[[], None]) -> Json:
    before = _counted(struck)
    try:
        strike()
    finally:
        for proxy in struck:
            proxy.heal()
    field.wait(SILENCE_SECONDS[0])  # the proxies' own thread does it
    return dict(_counted(struck) - before)


def _counted(proxies: Sequence[Proxy]) -> Counter[str]:
    return sum((proxy.counts for proxy in proxies), Counter[str]())


def kill(field: Field, seconds: float) -> Json:
    """SIGKILL the target with all that it started, and start it again."""
    del seconds  # it takes as long as the target takes
    running = field.random.choice(field.running)
    began = time.monotonic()
    try:
        running.kill()
        field.wait(field.between(DEAD_SECONDS))
        running.restart()
    except StillAlive as error:
        return {"kills": 0, "why": str(error)}
    except TargetUnreachable as error:
        field.dead = str(error)
        field.ended.set()
        return {"kills": 1, "restarts": 0, "why": str(error)}
    return {"kills": 1, "restarts": 1, "down_ms": round((time.monotonic() - began) * 1000)}


def pause(field: Field, seconds: float) -> Json:
    """SIGSTOP the target with all that it started, and let it go on later."""
    tree = field.random.choice(field.running).tree
    if tree is None:
        return {"pauses": 0}
    try:
        tree.signal(signal.SIGSTOP)
        field.wait(seconds)
    finally:
        tree.signal(signal.SIGCONT)
    return {"pauses": 1}


FAULTS: Mapping[str, Fault] = {
    LOSE_ANSWERS: lose_answers,
    CLOSE: close,
    DELAY: delay,
    KILL: kill,
    PAUSE: pause,
    PARTITION: partition,
    CLOSE_BEHIND: close_behind,
}
BY_PROCESS = frozenset({KILL, PAUSE})
"""Faults of a process, which the suite must have started."""
BEHIND = frozenset({PARTITION, CLOSE_BEHIND})
"""Faults between the targets and what is behind them, which the suite must stand before."""


def faults_named(text: str) -> tuple[str, ...]:
    """Understand `kill,pause`. Raises NemesisInvalid."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in FAULTS:
            raise NemesisInvalid(f"--nemesis: there is no fault {name!r}; there are: {', '.join(FAULTS)}")
    if not names:
        raise NemesisInvalid(f"--nemesis: name one fault or several of: {', '.join(FAULTS)}")
    return names


def haunt(field: Field, faults: Mapping[str, Fault], seconds: float, told: Callable[[str, Json], None]) -> None:
    """Strike with one fault after the other, in an order that chance chooses and in which each has its turn.

    It goes on for so many seconds, and until each fault has struck once: a slow machine makes no run worthless.
    `told` is called with a fault and what to write down of it: when it begins, and with its counts when it is over.
    """
    until = time.monotonic() + seconds
    waiting, struck = list[str](), set[str]()
    while True:
        field.wait(field.between(CALM_SECONDS))
        if field.ended.is_set() or (time.monotonic() > until and struck == faults.keys()):
            return
        if not waiting:
            waiting = field.random.sample(list(faults), len(faults))
        name = waiting.pop()
        told(name, {"phase": "start"})
        counts = faults[name](field, field.between(STRIKE_SECONDS))
        told(name, {"phase": "stop", **counts})
        struck.add(name)
