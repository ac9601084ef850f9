"""The trial catches the three classic mistakes, shrinks them to what matters, and finds none in a right store."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stores.cli import app
from stores.contract import StoreUnavailable
from stores.power_loss.crash_states import CrashState, NameOrder, acknowledged, drawn, keeps_order, lay_out, pending
from stores.power_loss.file_operations import Do, FileOperation
from stores.power_loss.judge import REFUSED, WHOLE, WRONG
from stores.power_loss.trace import TraceReader, Unrecordable
from stores.power_loss.trial import Report, record, shrunk, try_power_loss
from stores.registry import parse_url
from stores.suite.crash import strace_works

FILE = parse_url("leveldb:")
"""The path is ignored, and the mutant brings an engine of its own."""
traced = pytest.mark.skipif(not strace_works(), reason="strace isn't there, or may not trace")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process with four commits: what takes long is to start one under strace."""
    monkeypatch.setattr("stores.power_loss.trial.RUNS", ((1, 4),))


def _trial(mutant: str, states: int = 400) -> Report:
    return try_power_loss(FILE, 7, states=states, seconds=60, mutant=mutant)


@traced
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("mutant", "lost"),
    [
        ("syncs_after_acknowledging", "rows"),
        ("forgets_folder", "rename db/rows.new to db/rows: lost"),
        ("renames_before_sync", "write db/rows.new"),
    ],
)
def test_mistakes_are_caught_and_shrunk(mutant: str, lost: str) -> None:
    report = _trial(mutant)
    assert report.outcomes[WRONG] == 1
    assert "acknowledged" in report.problem
    steps = report.steps()
    assert len(steps) == 2, steps
    assert lost in steps[0]
    assert steps[1].endswith("the power fails")


@traced
@pytest.mark.usefixtures("short")
def test_a_right_store_has_none() -> None:
    report = _trial("right_file", 25)
    assert (report.outcomes[WRONG], report.outcomes[WHOLE]) == (0, 25)


@traced
@pytest.mark.full
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("scheme", "names"),
    [("leveldb", NameOrder.KEPT), ("rocksdb", NameOrder.ANY), ("lmdb", NameOrder.ANY), ("sqlite", NameOrder.ANY)],
)
def test_no_engine_loses_what_it_acknowledged(scheme: str, names: NameOrder) -> None:
    report = try_power_loss(parse_url(f"{scheme}:"), 3, seconds=120, names=names)
    assert report.failure is None, (report.problem, report.steps())
    assert report.outcomes[WHOLE] > report.outcomes[REFUSED]


@traced
@pytest.mark.full
def test_relaxed_stores_may_lose_and_are_seen_to(tmp_path: Path) -> None:
    """The trial sees what durability is worth: the same engine without it loses commits."""
    report = try_power_loss(parse_url("leveldb:?durability=relaxed"), 5, states=100)
    assert report.failure is not None
    assert "without a word" in report.problem


# ---- the model


def _written(at: int, data: bytes, file: int = 0) -> FileOperation:
    return FileOperation(Do.WRITE, "a", file, at, data)


SEQUENCE = [
    FileOperation(Do.CREATE, "a.new", 0),
    _written(0, b"x" * 1500),
    FileOperation(Do.SYNC, "a.new", 0, covers=2),
    FileOperation(Do.RENAME, "a.new", 0, to="a"),
    _written(1500, b"y" * 10),
    FileOperation(Do.SYNC_FOLDER, ".", covers=5),
    FileOperation(Do.DONE, "", at=1),
]


@pytest.mark.parametrize(("length", "waiting"), [(1, [0]), (2, [0, 1]), (3, []), (5, [3, 4]), (6, [4]), (7, [4])])
def test_what_no_sync_covers(length: int, waiting: list[int]) -> None:
    assert pending(SEQUENCE, length) == waiting


def test_a_sync_covers_only_what_was_complete_when_it_began() -> None:
    sequence = [FileOperation(Do.CREATE, "a", 0), _written(0, b"x"), FileOperation(Do.SYNC, "a", 0, covers=1)]
    assert pending(sequence, 3) == [1]


@pytest.mark.parametrize(
    ("state", "files"),
    [
        (CrashState(7), {"a": b"x" * 1500 + b"y" * 10}),
        (CrashState(7, {4: ()}), {"a": b"x" * 1500 + bytes(10)}),
        (CrashState(7, {4: None}), {"a": b"x" * 1500}),
        (CrashState(5, {3: None, 4: None}), {"a.new": b"x" * 1500}),
        (CrashState(2, {1: (0, 2)}), {"a.new": b"x" * 512 + bytes(512) + b"x" * 476}),
        (CrashState(2, {0: None}), {}),
        (CrashState(4, {0: None, 1: None}), {"a": b""}),
    ],
)
def test_states_are_laid_out(state: CrashState, files: dict[str, bytes], tmp_path: Path) -> None:
    lay_out(SEQUENCE, state, tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files


def test_only_what_may_be_lost_is_drawn() -> None:
    draw = random.Random(1)
    states = [drawn(SEQUENCE, draw) for _ in range(300)]
    assert all(set(state.lost) <= set(pending(SEQUENCE, state.length)) for state in states)
    assert {number for state in states for number in state.lost} == {0, 1, 3, 4}
    assert acknowledged(SEQUENCE, 6) == (0, 0)
    assert acknowledged(SEQUENCE, 7) == (1, 0)


def test_names_are_kept_in_order_where_that_is_assumed() -> None:
    sequence = [FileOperation(Do.CREATE, f"{number}", number) for number in range(6)] + [_written(0, b"x")]
    draw = random.Random(2)
    states = {order: [drawn(sequence, draw, order) for _ in range(200)] for order in NameOrder}
    assert all(keeps_order(sequence, state) for state in states[NameOrder.KEPT])
    assert not all(keeps_order(sequence, state) for state in states[NameOrder.ANY])
    assert {len(state.lost) for state in states[NameOrder.KEPT]} > {0, 1, 6}


def test_shrinking_finds_the_two_that_matter() -> None:
    sequence = [_written(number, b"z") for number in range(40)] + [FileOperation(Do.DONE, "", at=1)] * 2
    wrong = CrashState(42, dict.fromkeys(range(0, 40, 2), ()))
    least = shrunk(wrong, sequence, lambda each: {4, 30} <= set(each.lost) and each.length > 40)
    assert (least.length, set(least.lost)) == (41, {4, 30})


# ---- the recording

HEX = "".join(f"\\x{byte:02x}" for byte in b"/w/db/f")
DONE = '{iov_base="\\x64\\x6f\\x6e\\x65\\x20\\x33", iov_len=6}, {iov_base="\\x0a", iov_len=1}'
LINES = f"""\
7 openat(AT_FDCWD, "{HEX}", O_RDWR|O_CREAT|O_APPEND, 0644) = 3<{HEX}>
7 write(3<{HEX}>, "\\x61\\x62", 2) = 2
8 fdatasync(3<{HEX}> <unfinished ...>
7 pwrite64(3<{HEX}>, "\\x63", 1, 5) = 1
8 <... fdatasync resumed>) = 0
7 writev(1<pipe:[1]>, [{DONE}], 2) = 7
7 write(9<\\x2f\\x78>, "\\x61", 1) = 1
7 fsync(3<{HEX}>) = -1 EIO (Input/output error)
7 ftruncate(3<{HEX}>, 1) = 0
7 unlink("{HEX}") = 0
""".splitlines()


def test_a_trace_is_read() -> None:
    reader = TraceReader("/w")
    reader.read(LINES)
    assert reader.operations == [
        FileOperation(Do.CREATE, "db/f", 0),
        FileOperation(Do.WRITE, "db/f", 0, 0, b"ab"),
        FileOperation(Do.WRITE, "db/f", 0, 5, b"c"),
        FileOperation(Do.SYNC, "db/f", 0, covers=2),
        FileOperation(Do.DONE, "", at=3),
        FileOperation(Do.TRUNCATE, "db/f", 0, 1),
        FileOperation(Do.UNLINK, "db/f", 0),
    ]


def test_writing_through_memory_is_refused_by_name() -> None:
    line = f"7 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3<{HEX}>, 0) = 0x7f0000000000"
    with pytest.raises(Unrecordable, match="db/f is written through memory"):
        TraceReader("/w").read([line])


@traced
def test_a_recording_says_what_is_wrong_with_the_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="can't be recorded"):
        record(parse_url("sqlite:?codec=nope"), 1, tmp_path)


# ---- the command


@traced
@pytest.mark.usefixtures("short")
def test_command() -> None:
    run = CliRunner().invoke(app, ["check", "lmdb:x", "--power-loss", "--states", "5"], env={"COLUMNS": "200"})
    assert run.exit_code == 0, run.output
    assert "5 states" in run.output
