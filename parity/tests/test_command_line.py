"""The frame of the command line: help without imports, exit codes, and errors as sentences."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from rich.markup import render

from parity import commands, errors, lazy, main
from parity.commands import COMMANDS, CommandRow
from parity.problems import Problem
from stores.contract import CorruptRecord

HEAVY = ("grpc", "google.protobuf", "protovalidate", "hypothesis", "plyvel", "sqlite_utils", "ruamel.yaml")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    out = capsys.readouterr().out
    assert [row.name for row in COMMANDS if f" {row.name} " not in out] == []


def test_help_imports_no_room() -> None:
    program = (
        "import sys\nfrom parity.main import run\nassert run(['--help']) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def loaded_by(module: str) -> set[str]:
    program = (
        "import sys; before = set(sys.modules); "
        f"import {module}; print(' '.join(name for name in sys.modules if name not in before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_next_to_nothing_is_loaded_before_ctrl_c_is_handled() -> None:
    assert loaded_by("parity.__main__") <= {"__future__", "_signal", "parity", "parity.__main__"}


def test_who_measures_stores_loads_neither_the_suite_nor_the_reports() -> None:
    assert not {name.partition(".")[0] for name in loaded_by("parity.bench_cli")} & {"conformance", "reports"}


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_every_row_leads_to_a_command_with_help(row: CommandRow, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([row.name, "--help"]) == 0
    assert f"parity {row.name}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("parity ")


def test_a_wrong_command_is_a_usage_error_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["verfy"]) == 2
    assert "verify" in capsys.readouterr().err


def _command_that(raises: Callable[[], Exception]) -> Callable[[], None]:
    def command() -> None:
        raise raises()

    return command


@pytest.mark.parametrize(
    ("error", "code", "sentences"),
    [
        (Problem("out is a file", hint="choose another"), 2, ["error: out is a file", "choose another"]),
        (CorruptRecord("agent", "agt-1", "bad bytes"), 3, ["agent 'agt-1' is corrupt", "restore it from a backup"]),
        (PermissionError(13, "Permission denied", "/somewhere"), 2, ["/somewhere: Permission denied"]),
        (ZeroDivisionError("by zero"), 4, ["ZeroDivisionError: by zero", "fault of Parity", "PARITY_TRACEBACK=1"]),
        (ModuleNotFoundError("No module named 'lmdb'"), 4, ["No module named 'lmdb'", "not installed"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_are_told(
    error: Exception,
    code: int,
    sentences: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(commands, "raiser", _command_that(lambda: error), raising=False)
    monkeypatch.setattr(lazy, "COMMANDS", (CommandRow("raise", "parity.commands", "raiser", "Raises."),))
    monkeypatch.delenv(errors.TRACEBACK_VARIABLE, raising=False)
    assert main.run(["raise"]) == code
    told = capsys.readouterr().err
    assert [sentence for sentence in sentences if sentence not in told] == []
    assert "Traceback" not in told


def test_a_traceback_comes_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "raiser", _command_that(lambda: ZeroDivisionError("by zero")), raising=False)
    monkeypatch.setattr(lazy, "COMMANDS", (CommandRow("raise", "parity.commands", "raiser", "Raises."),))
    monkeypatch.setenv(errors.TRACEBACK_VARIABLE, "1")
    with pytest.raises(ZeroDivisionError):
        main.run(["raise"])


def test_every_known_error_exists() -> None:
    from importlib import import_module

    for module, name, code in errors.KNOWN:
        assert issubclass(getattr(import_module(module), name), Exception)
        assert code in {1, 2, 3, 4}


@pytest.mark.parametrize("row", commands.COMMANDS, ids=lambda row: row.name)
def test_help_is_shown_as_it_is_written(row: CommandRow) -> None:
    """No word of a help text is markup or the name of a picture: it would vanish."""
    loaded = lazy.load(row)
    told = [one for each in (loaded, *getattr(loaded, "commands", {}).values()) for one in (each, *each.params)]
    texts = [text for one in told if (text := getattr(one, "help", ""))]
    assert texts
    assert [text for text in texts if render(text).plain != text.replace("\\[", "[")] == []


def test_the_tables_of_files_are_named_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["conform", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "[roles.NAME]" in printed
    assert "[features]" in printed
