"""How far a command is: lines without a terminal, a bar with one; the time left as soon as it means something."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from terminal import progress
from terminal.progress import Lines, TimeLeftColumn, progress_of, progress_of_stages, seconds_left, span


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "Lines", lambda what, **words: Lines(what, made, **words))
    return made


def test_lines_without_a_terminal(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of("conformance") as advance:
        for second in range(20):
            clock.now = float(second)
            advance("DUP-SLUG", second, 19)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "conformance: 2 of 19 after 2 s, about 17 s left",
        "conformance: 12 of 19 after 12 s, about 7 s left",
    ]


def test_the_first_steps_say_nothing_of_those_to_come(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of("measurements") as advance:
        for now, done in ((2.0, 1), (30.0, 400), (60.0, 451)):
            clock.now = now
            advance("count the syncs", done, 9019)
    assert capsys.readouterr().err.splitlines() == [
        "measurements: 1 of 9019 after 2 s",
        "measurements: 400 of 9019 after 30 s",
        "measurements: 451 of 9019 after 60 s, about 19 min left",
    ]


def test_where_nobody_knows_how_many_there_are(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of("bytes received") as advance:
        clock.now = 5.0
        advance("receiving", 4096, 0)
    assert capsys.readouterr().err == "bytes received: 4096 after 5 s\n"


def test_stages_take_the_shares_that_are_planned(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of_stages("copy", {"copying": 3, "comparing": 1}) as within:
        for now, stage, done in ((30.0, "copying", 50), (60.0, "copying", 100), (70.0, "comparing", 50)):
            clock.now = now
            within(stage)("", done, 100)
    assert capsys.readouterr().err.splitlines() == [
        "copy: 38 % after 30 s, about 50 s left",
        "copy: 75 % after 60 s, about 20 s left",
        "copy: 88 % after 70 s, about 10 s left",
    ]


@pytest.mark.parametrize(("done", "told"), [(1, ""), (60, "about 8 min left")])
def test_a_bar_says_it_as_lines_do(done: int, told: str) -> None:
    column = TimeLeftColumn()
    bar = Progress(column, console=Console(file=io.StringIO()), get_time=lambda: 90.0)
    bar.add_task("x", total=400)
    (task,) = bar.tasks
    task.start_time = 0.0
    task.completed = done
    assert column.render(task).plain == told


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with progress_of_stages("copy", {"copying": 3, "comparing": 1}) as within:
        within("copying")("", 1, 2)
    assert "copying" in terminal.getvalue()
    assert "38 %" in terminal.getvalue()


def test_nothing_is_said_of_what_is_done_or_hasnt_begun() -> None:
    assert seconds_left(10.0, 0, 100) is None
    assert seconds_left(10.0, 100, 100) is None
    assert seconds_left(1.9, 50, 100) is None
    assert seconds_left(10.0, 50, 100) == 10.0
    assert [span(seconds) for seconds in (0.4, 119, 120, 3599, 4800)] == [
        "0 s",
        "119 s",
        "2 min",
        "1 h 0 min",
        "1 h 20 min",
    ]


@pytest.mark.parametrize("width", [40, 56, 80])
def test_a_bar_is_one_line_that_ends_with_the_time_left(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "seconds_left", lambda *_: 720.0)
    console = Console(file=io.StringIO(), width=width, force_terminal=True)
    shown = Progress(*progress._columns(MofNCompleteColumn(), width), console=console)
    shown.add_task("count the syncs of go+badger+protobuf/durable", completed=1500, total=2148)
    with console.capture() as told:
        console.print(shown.get_renderable())
    (line,) = told.get().splitlines()
    assert "1500/2148" in line
    assert "about 12 min left" in line
    assert "…" in line
