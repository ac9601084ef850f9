"""What made Badger wait for ever, or ask for gigabytes: it is refused by name, in bounded time."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from stores.engines.badger.engine import BadgerEngine, Settings
from stores.engines.badger.tests.looking import rows, run
from stores.keyvalue.engine import EngineCorrupt

pytestmark = pytest.mark.usefixtures("library")
RELAXED = Settings(sync_writes=False)

UNCLOSED = """
import os, sys
from pathlib import Path
from stores.engines.badger.engine import BadgerEngine, Settings
engine = BadgerEngine(Path(sys.argv[1]), Settings(sync_writes=False))
engine.write([(b"table", b"1")], sync=True)
engine.compact()
engine.write([(b"log", b"2"), (b"large", bytes(2_000_000))], sync=True)
os._exit(0)
"""
OPENED_WITH_FEW = """
import os, resource, sys, time
from pathlib import Path
from stores.contract import StoreUnavailable
from stores.engines.badger import engine as badger
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.files import check_descriptors
folder, spare, checked = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "checked"
settings = Settings(sync_writes=False)
BadgerEngine(folder.with_name("other"), settings).close()  # Go opens what it needs for itself
if not checked:
    badger.check_descriptors = lambda needed: None
usual = resource.getrlimit(resource.RLIMIT_NOFILE)
highest = max(map(int, os.listdir("/proc/self/fd")))
resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + spare, usual[1]))
try:
    BadgerEngine(folder, settings).close()
    print("opened")
except StoreUnavailable as error:
    print(str(error), error.hint)
resource.setrlimit(resource.RLIMIT_NOFILE, usual)
for attempt in range(100):
    try:
        engine = BadgerEngine(folder, settings)
        break
    except StoreUnavailable as error:  # what was given up holds the lock until it is done
        time.sleep(0.1)
print(engine.get(b"table"), engine.get(b"log"), len(engine.get(b"large")))
engine.close()
"""


@pytest.fixture
def unclosed(tmp_path: Path) -> Path:
    run(UNCLOSED, str(tmp_path / "db"))
    return tmp_path / "db"


@pytest.mark.parametrize("spare", [0, 4, 6, 8])
def test_few_descriptors_are_refused_before_badger_sees_the_database(unclosed: Path, spare: int) -> None:
    refused, found = run(OPENED_WITH_FEW, str(unclosed), str(spare), "checked").splitlines()
    assert "files have to be opened" in refused
    assert "ulimit -n" in refused
    assert found == "b'1' b'2' 2000000"


@pytest.mark.parametrize("spare", [5, 6])  # with 7 it may just do
def test_an_open_that_waits_for_a_memory_table_is_given_up(unclosed: Path, spare: int) -> None:
    """Where descriptors run out between the check and Badger's own opens, it would wait for ever."""
    refused, found = run(OPENED_WITH_FEW, str(unclosed), str(spare), "unchecked").splitlines()
    assert "oo many open files" in refused
    assert "ulimit -n" in refused
    assert found == "b'1' b'2' 2000000"


@pytest.mark.parametrize("noise", [b"\xff", b"\xff\xff\xff\xff12345", Random(3).randbytes(3 * 1024 * 1024)])
def test_noise_behind_the_key_registry(unclosed: Path, noise: bytes) -> None:
    """Its first four bytes were taken for a length, and a checksum made of so many bytes."""
    with (unclosed / "KEYREGISTRY").open("ab") as file:
        file.write(noise)
    for settings in (RELAXED, Settings(sync_writes=False, verify_on_open=False)):
        with pytest.raises(EngineCorrupt, match="KEYREGISTRY holds something that is no key at byte 28"):
            BadgerEngine(unclosed, settings)


def test_a_page_of_zeros_behind_the_key_registry_is_no_key(unclosed: Path) -> None:
    with (unclosed / "KEYREGISTRY").open("ab") as file:
        file.write(bytes(4096))
    engine = BadgerEngine(unclosed, RELAXED)
    assert [key for key, _ in rows(engine)] == [b"large", b"log", b"table"]
    engine.close()


def test_an_entry_that_is_longer_than_its_log(unclosed: Path) -> None:
    """Twelve gigabytes were asked for, to read what the file doesn't have."""
    (log,) = unclosed.glob("*.mem")
    with log.open("r+b") as file:
        file.seek(20)
        file.write(b"\0\0" + b"\x0c" + b"\xff\xff\xff\xff\x0f" + b"\0")
    with pytest.raises(EngineCorrupt, match="its entry at byte 20 is said to have 4294967307 bytes"):
        BadgerEngine(unclosed, RELAXED)
