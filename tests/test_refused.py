"""A command that is refused leaves nothing behind that wasn't there before."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from parity.main import run

NOBODY = "grpc://127.0.0.1:1"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("bench stores --corpus missing", "missing: can't read the corpus"),
        ("bench stores --engine nope", "unknown store 'nope'"),
        ("bench server nope", "write grpc://nope:PORT"),
        ("bench server cmd:false", "the command needs {port}"),
        (f"bench server {NOBODY}", "nothing listens there"),
        ("bench server --engine nope", "unknown store 'nope'"),
        ("bench server --codec nope", "unknown codec 'nope'"),
        ("conform nope --out kept", "write grpc://nope:PORT"),
        ("conform cmd:false --out kept", "the command needs {port}"),
        ("conform inproc:nope --out kept", "write inproc:package.module:factory"),
        ("conform store:memory: --only NOPE --out kept", "no requirement matches 'NOPE'"),
        (f"conform {NOBODY} --otlp-listen nope --out kept", "--otlp-listen nope"),
        (f"conform {NOBODY} --nemesis close --out kept", "nothing listens there"),
        ("verify --corpus missing --out kept", "--corpus missing: no such file"),
        ("verify --stores nope --out kept", "--stores nope: unknown"),
    ],
)
def test_a_refused_command_leaves_nothing(
    line: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(shlex.split(line)) in {2, 3}
    said = capsys.readouterr()
    assert sentence in said.out + said.err
    assert [str(path) for path in tmp_path.rglob("*")] == []


def test_a_refused_command_leaves_an_earlier_run_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["conform", "store:memory:", "--only", "INS-CREATE", "--quick", "--out", "kept"]) == 0
    before = {path: path.read_bytes() for path in Path("kept").iterdir()}
    assert run(["conform", "nope", "--out", "kept"]) == 2
    assert {path: path.read_bytes() for path in Path("kept").iterdir()} == before


@pytest.mark.parametrize(
    ("run_named", "sentence"),
    [
        ("missing", "missing: no such file or folder; name the folder that --out of conform made"),
        ("empty", "empty: holds no run: no evidence.jsonl is in it; name the folder that --out of conform made"),
        ("whole", "name the folder that --out of conform made, such as whole/conformance/a"),
        ("nothing.jsonl", "nothing.jsonl: is empty; name the folder"),
        ("other.json", "other.json: is no evidence of a run; name the folder"),
        ("cut.jsonl", "cut.jsonl: the last line has no end"),
    ],
)
@pytest.mark.parametrize("command", ["recheck", "diagnose"])
def test_where_no_run_is_it_is_said_what_was_looked_for(
    command: str,
    run_named: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "whole/conformance/a"):
        Path(folder).mkdir(parents=True)
    Path("whole/conformance/a/evidence.jsonl").touch()
    Path("nothing.jsonl").touch()
    Path("other.json").write_text('{"a": 1}', encoding="utf-8")
    Path("cut.jsonl").write_text('{"type":"header","form', encoding="utf-8")
    assert run([command, run_named]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "report serve", "compare other.json"])
def test_a_file_in_place_of_a_folder_is_not_said_to_be_missing(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.json").write_text("{}", encoding="utf-8")
    assert run([*command.split(), "other.json"]) == 2
    assert "other.json: is no directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("serve --config none.toml", 2),
        ("stores import none.jsonl memory:", 2),
        ("bench history --db closed/x.db", 2),
        ("bench stores --out closed/run", 2),
    ],
)
def test_a_path_that_cannot_be_used_is_told_once_and_without_a_number(
    line: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = next(word for word in line.split() if "." in word or "/" in word)
    if path.startswith("closed/"):
        monkeypatch.setattr(Path, "exists", raises(PermissionError(errno.EACCES, "Permission denied", path)))
        monkeypatch.setattr(Path, "mkdir", raises(PermissionError(errno.EACCES, "Permission denied", path)))
    assert run(line.split()) == code
    said = capsys.readouterr().err
    assert said.count(path) == 1
    assert "Errno" not in said


def raises(error: OSError) -> Callable[..., None]:
    def raising(*_: object, **__: object) -> None:
        raise error

    return raising
