"""Connections to PostgreSQL that break before, within and after each message, either way: what is told is true."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from stores.contract import OutcomeUnknown, Put, StoreError, StoreUnavailable
from stores.registry import open_store, unavailable
from stores.registry import scheme_of as scheme
from stores.suite.samples import agent, ids_of, put
from stores.suite.subject import UrlSubject
from tests.database_faults.message_line import AFTER, DOWN, PLACES, START, UP, Cut, MessageLine, message_line
from tests.postgresql import Cluster

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)

from stores.postgresql import writer
from stores.postgresql.store import PostgresqlStore

CREATED, CHANGED = "new", "old"
CHANCE = Random(7)
SHARES = [0.2, pytest.param(1.0, marks=pytest.mark.full)]


@pytest.fixture(scope="module")
def line(cluster: Cluster) -> Iterator[MessageLine]:
    with message_line(cluster.port) as made:
        yield made


class Scene:
    """A store through the line, and the same one beside it."""

    def __init__(self, line: MessageLine, cluster: Cluster, folder: Path) -> None:
        self.line = line
        through = cluster.url.replace(f":{cluster.port}/", f":{line.port}/")
        self.subjects = [UrlSubject.of(f"{url}?sslmode=disable", folder) for url in (through, cluster.url)]
        self.line.tell(None)
        stores = [subject.open("db") for subject in self.subjects]
        assert isinstance(stores[0], PostgresqlStore)
        self.store, self.beside = stores[0], stores[1]

    def write(self, text: str, name: str) -> int | StoreError:
        """Create an agent and change another in one commit; return what the store says of it."""
        batch = [
            Put("agent", name, agent(name, text=text), "absent"),
            Put("agent", CHANGED, agent(CHANGED, text=text), "present"),
        ]
        (outcome,) = self.store.commit_many([batch])
        return outcome

    def close(self) -> None:
        self.line.tell(None)
        self.store.close()
        self.beside.close()
        self.subjects[1].remove()


@pytest.fixture
def scene(line: MessageLine, cluster: Cluster, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(line, cluster, tmp_path)
    made.beside.commit([put(CHANGED)])
    yield made
    made.close()


def is_done(scene: Scene, text: str, name: str) -> bool:
    """Say whether a write is there: whole, or not at all."""
    made, changed = scene.beside.get("agent", name), scene.beside.get("agent", CHANGED)
    parts = {made is not None, changed == agent(CHANGED, text=text)}
    assert len(parts) == 1, "half of it is there"
    return parts.pop()


def cuts_of(scene: Scene, share: float) -> list[Cut]:
    """Return a cut before, within and after each message of a write that connects first; a share of them."""
    scene.write("before", "before")  # now and then a write is followed by the clearing of old tokens
    scene.store._connections.close()
    scene.line.tell(None)
    scene.write("measured", "measured")
    counts = {way: sum(1 for each, _ in scene.line.messages if each == way) for way in (UP, DOWN)}
    kinds = {kind for _, kind in scene.line.messages}
    assert {START, "P", "B", "E", "S", "R", "1", "2", "D", "C", "Z"} <= kinds, scene.line.messages
    cuts = [Cut(way, number, place) for way in (UP, DOWN) for number in range(counts[way]) for place in PLACES]
    assert len(cuts) > 60, cuts
    return [cut for cut in cuts if CHANCE.random() < share]


@pytest.mark.parametrize("share", SHARES)
def test_a_write_is_done_once_wherever_its_connection_breaks(scene: Scene, share: float) -> None:
    """The next connection is whole: so the store finds out what became of the write, and nothing stays unknown."""
    cuts, refused = cuts_of(scene, share), 0
    for number, cut in enumerate(cuts):
        scene.store._connections.close()
        scene.line.tell(cut)
        name, text = f"{CREATED}-{number}", f"text {number}"
        before = scene.beside.count("agent")
        try:
            position = scene.write(text, name)
        except OutcomeUnknown:
            pytest.fail(f"{cut}: it could be found out")
        except StoreUnavailable:
            assert not is_done(scene, text, name), cut
            refused += 1
            continue
        assert scene.line.has_cut, cut
        record = scene.beside.get_record("agent", name)
        assert record is not None
        assert record.position == position, cut
        assert is_done(scene, text, name), cut
        assert scene.beside.count("agent") == before + 1, cut
    assert refused < len(cuts) / 2, "most are done"


@pytest.mark.parametrize("share", SHARES)
def test_what_cant_be_found_out_is_called_unknown_and_nothing_else(scene: Scene, share: float) -> None:
    """Nobody is there after the break: who is told that nothing was done can rely on it."""
    told = {"done": 0, "not done": 0, "unknown": 0}
    with patch.object(writer, "RESOLVE_SECONDS", 0.02):
        for number, cut in enumerate(cuts_of(scene, share)):
            scene.store._connections.close()
            scene.line.tell(cut, refuses=True)
            name, text = f"{CREATED}-{number}", f"text {number}"
            try:
                scene.write(text, name)
            except OutcomeUnknown:
                told["unknown"] += 1
                is_done(scene, text, name)
            except StoreUnavailable:
                told["not done"] += 1
                assert not is_done(scene, text, name), cut
            else:
                told["done"] += 1
                assert is_done(scene, text, name), cut
    assert told["not done"], told
    assert told["unknown"], told


def test_a_read_is_asked_again_wherever_its_connection_breaks(scene: Scene) -> None:
    scene.line.tell(None)
    scene.store._connections.close()
    assert ids_of(scene.store.scan("agent")) == [CHANGED]
    count = len(scene.line.messages)
    for way in (UP, DOWN):
        for number in range(count):
            scene.store._connections.close()
            scene.store.last_position()  # so the connection that breaks isn't the one that is made
            scene.line.tell(Cut(way, number, AFTER))
            assert ids_of(scene.store.scan("agent")) == [CHANGED]


def test_opening_ends_wherever_its_connection_breaks(scene: Scene) -> None:
    url = scene.subjects[0].url_of("db")
    scene.line.tell(None)
    open_store(url).close()
    for way in (UP, DOWN):
        for number in range(sum(1 for each, _ in scene.line.messages if each == way)):
            scene.line.tell(Cut(way, number, PLACES[number % len(PLACES)]))
            with suppress(StoreUnavailable):
                open_store(url).close()
            assert scene.line.has_cut
