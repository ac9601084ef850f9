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


class NemesisInvalid(Exception):
    """This nemesis can't be asked of this target."""


@dataclass
class Field:
    """What the nemesis can lay its hands on."""

    proxies: Sequence[Proxy]
    running: Sequence[Running]
    random: Random
    ended: threading.Event
    """Set where the run ends early."""
    dead: str = ""
    """Why the target doesn't come back, once it doesn't."""

    def between(self, seconds: tuple[float, float]) -> float:
        """Return a time between two, by chance."""
        return self.random.uniform(*seconds)

    def wait(self, seconds: float) -> None:
        """Wait, unless the run ends."""
        self.ended.wait(seconds)

    def counted(self) -> Counter[str]:
        """What the proxies have done since they began."""
        return sum((proxy.counts for proxy in self.proxies), Counter[str]())


def _often(field: Field, seconds: float, do: Callable[[Proxy], None]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not field.ended.is_set():
        do(field.random.choice(field.proxies))
        field.wait(field.between(BETWEEN_SECONDS))


def lose_answers(field: Field, seconds: float) -> Json:
    """Let the server do what it is asked, keep its answers from the client, then break the connection."""

    def lose(proxy: Proxy) -> None:
        proxy.silence()
        field.wait(field.between(SILENCE_SECONDS))
        proxy.break_silenced()

    return _by_proxies(field, lambda: _often(field, seconds, lose))


def close(field: Field, seconds: float) -> Json:
    """Break connections, wherever a request or an answer is on its way."""
    return _by_proxies(field, lambda: _often(field, seconds, Proxy.cut))


def delay(field: Field, seconds: float) -> Json:
    """Let every piece that is said wait, both ways."""

    def slow() -> None:
        for proxy in field.proxies:
            proxy.delay_seconds = DELAY_SECONDS
        field.wait(seconds)

    return _by_proxies(field, slow)


def _by_proxies(field: Field, strike: Callable[[], None]) -> Json:
    before = field.counted()
    try:
        strike()
    finally:
        for proxy in field.proxies:
            proxy.heal()
    field.wait(SILENCE_SECONDS[0])  # the proxies' own thread does it
    return dict(field.counted() - before)


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


FAULTS: Mapping[str, Callable[[Field, float], Json]] = {
    LOSE_ANSWERS: lose_answers,
    CLOSE: close,
    DELAY: delay,
    KILL: kill,
    PAUSE: pause,
}
BY_PROCESS = frozenset({KILL, PAUSE})
"""Faults of a process, which the suite must have started."""


def faults_named(text: str) -> tuple[str, ...]:
    """Understand `kill,pause`. Raises NemesisInvalid."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in FAULTS:
            raise NemesisInvalid(f"--nemesis: there is no fault {name!r}; there are: {', '.join(FAULTS)}")
    if not names:
        raise NemesisInvalid(f"--nemesis: name one fault or several of: {', '.join(FAULTS)}")
    return names


def haunt(field: Field, names: Sequence[str], seconds: float, told: Callable[[str, Json], None]) -> None:
    """Strike with one fault after the other, in an order that chance chooses and in which each has its turn.

    `told` is called with a fault and what to write down of it: when it begins, and with its counts when it is over.
    """
    until = time.monotonic() + seconds
    waiting = list[str]()
    while True:
        field.wait(field.between(CALM_SECONDS))
        if field.ended.is_set() or time.monotonic() > until:
            return
        if not waiting:
            waiting = field.random.sample(names, len(names))
        name = waiting.pop()
        told(name, {"phase": "start"})
        counts = FAULTS[name](field, field.between(STRIKE_SECONDS))
        told(name, {"phase": "stop", **counts})
