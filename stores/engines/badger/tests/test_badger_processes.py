"""The engine and processes: forks, second openers, deaths, and what they leave behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stores.contract import StoreUnavailable
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.engines.badger.tests.looking import rows, run

pytestmark = pytest.mark.usefixtures("library")
RELAXED = Settings(sync_writes=False)


class TestProcesses:
    def test_a_forked_child_is_refused_and_does_no_harm(self, tmp_path: Path) -> None:
        script = """
import os, sys, warnings
from pathlib import Path
from stores.contract import StoreUnavailable
from dataclasses import replace
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.engines.badger.tests.looking import rows, run
warnings.simplefilter("ignore")
path = Path(sys.argv[1])
engine = BadgerEngine(path, Settings(sync_writes=False))
engine.write([(b"k", b"v")], sync=False)
snapshot = engine.snapshot()
child = os.fork()
if child == 0:
    refused = 0
    for call in (lambda: engine.get(b"k"), lambda: engine.write([(b"k", b"w")], sync=False), engine.snapshot,
                 lambda: next(snapshot.range(b"", b"")), engine.compact,
                 lambda: BadgerEngine(path.with_name("other"), Settings(sync_writes=False))):
        try:
            call()
        except StoreUnavailable as error:
            refused += "forked" in str(error)
    snapshot.close()
    engine.close()
    os._exit(refused)
_, status = os.waitpid(child, 0)
assert engine.get(b"k") == b"v"
engine.close()
print(os.waitstatus_to_exitcode(status))
"""
        assert run(script, str(tmp_path / "db")).strip() == "6"

    def test_opening_after_a_fork_works(self, tmp_path: Path) -> None:
        script = """
import os, sys
from pathlib import Path
from dataclasses import replace
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.engines.badger.tests.looking import rows, run
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
engine = BadgerEngine(Path(sys.argv[1]), Settings(sync_writes=False))
engine.write([(b"k", b"v")], sync=False)
assert engine.get(b"k") == b"v"
engine.close()
"""
        run(script, str(tmp_path / "db"))

    def test_ctrl_c_and_signal_handlers_work_as_ever(self, tmp_path: Path) -> None:
        script = """
import os, signal, sys, threading, time
from pathlib import Path
from dataclasses import replace
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.engines.badger.tests.looking import rows, run
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
engine = BadgerEngine(Path(sys.argv[1]), Settings(sync_writes=True))
main = threading.main_thread().ident
threading.Thread(target=lambda: (time.sleep(0.2), os.kill(os.getpid(), signal.SIGUSR1), time.sleep(0.2),
                                 os.kill(os.getpid(), signal.SIGINT))).start()
try:
    for number in range(10_000_000):
        engine.write([(b"%d" % number, b"v")], sync=True)
except KeyboardInterrupt:
    engine.close()
    print("interrupted", len(seen))
"""
        assert run(script, str(tmp_path / "db")).strip() == "interrupted 1"

    def test_a_smaller_memory_table_after_a_kill_still_replays_the_log(self, tmp_path: Path) -> None:
        script = """
import os, sys
from pathlib import Path
from dataclasses import replace
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.engines.badger.tests.looking import rows, run
engine = BadgerEngine(Path(sys.argv[1]), Settings(sync_writes=False, memtable_mb=64))
engine.write([(b"%05d" % number, bytes(1_000)) for number in range(3_000)], sync=False)
for turn in range(1, 11):
    engine.write([(b"%05d" % (turn * 3_000 + number), os.urandom(1_000)) for number in range(3_000)], sync=False)
os.kill(os.getpid(), 9)
"""
        run(script, str(tmp_path / "db"), exit_code=-9)
        engine = BadgerEngine(tmp_path / "db", replace(RELAXED, memtable_mb=8))
        assert len(rows(engine)) == 33_000
        engine.close()

    def test_reading_only_changes_no_file(self, tmp_path: Path) -> None:
        engine = BadgerEngine(tmp_path / "db", RELAXED)
        engine.write([(b"k", b"v")], sync=False)
        engine.close()
        before = {file.name: file.read_bytes() for file in (tmp_path / "db").iterdir()}
        reader = BadgerEngine(tmp_path / "db", replace(RELAXED, read_only=True))
        assert reader.get(b"k") == b"v"
        with pytest.raises(StoreUnavailable, match="reading only"):
            reader.write([(b"k", b"w")], sync=False)
        reader.close()
        assert {file.name: file.read_bytes() for file in (tmp_path / "db").iterdir()} == before
