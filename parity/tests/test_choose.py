"""`parity choose` from the command line: what is refused, what is asked for, and an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import choice
from benchmarks.config import ConfigError, StoresConfig
from benchmarks.results import Results
from benchmarks.workloads.workload import Sizes
from parity import choose_cli
from parity.main import run


def test_an_answer_comes_from_real_stores(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    whole = choice.measurement

    def small(use: choice.Use, directory: Path, seed: int) -> StoresConfig:
        return replace(
            whole(use, directory, seed), pairs=("leveldb+protobuf", "sqlite+protobuf"), sizes=Sizes(2, 6, 3, 3, 3, 1, 1)
        )

    monkeypatch.setattr(choose_cli, "measurement", small)
    assert run(["choose", "--records", "1KB", "--reads", "0.5", "--relaxed", "--agents", "6", "--machines", "1"]) == 0
    told = capfd.readouterr().out
    assert "Take " in told
    assert "durability=relaxed" in told


@pytest.mark.parametrize(("words", "questions"), [((), 5), (("--records", "7KB"), 0)])
def test_a_person_is_asked_where_nothing_is_given(
    words: tuple[str, ...], questions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()

    def answer(question: str, default: object, **_: object) -> object:
        asked.append(question)
        return 2 if "machines" in question else default

    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.prompt", answer)
    monkeypatch.setattr("typer.confirm", answer)
    monkeypatch.setattr(choose_cli, "run_stores", lambda *_: (_ for _ in ()).throw(ConfigError("measured")))
    assert run(["choose", *words]) == (0 if questions else 2)
    assert len(asked) == questions


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--records", "big"], "no size"),
        (["--reads", "90"], "a share from 0"),
        (["--machines", "0"], "above zero"),
        (["--agents", "0"], "above zero"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], says: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["choose", *words]) == 2
    told = capfd.readouterr()
    assert says in told.out + told.err


def test_several_machines_need_a_database_server(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["choose", "--machines", "3", "--relaxed"]) == 0
    told = capfd.readouterr().out
    assert told.startswith("Take postgresql: postgresql://HOST/DB?durability=relaxed\n")
    assert "Nothing was measured" in told


def test_nothing_measured_is_no_answer(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def empty(config: StoresConfig, _report: object) -> Results:
        from benchmarks.tests.test_goals import planted

        raw = planted({})
        return Results(replace(raw, configuration=replace(raw.configuration, subjects=config.subjects), samples=()))

    monkeypatch.setattr(choose_cli, "run_stores", empty)
    assert run(["choose", "--machines", "1"]) == 2
    said = capfd.readouterr().err.splitlines()
    assert said[0] == "measuring the stores of this machine, for about a minute"
    assert "nothing could be measured" in said[-1]
