"""`parity bench server TARGET`: which targets there are, what is refused, and a run from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.targets.config import TargetsConfig, TargetSizes
from parity import bench_cli
from parity.main import run
from parity.measured_targets import parse_targets

SECOND = f"cmd:{sys.executable} -m tests.second_server.server --port {{port}}"
TINY = TargetSizes(1, 1, 800, 5, 8, 100, 100, 1, 20)


def test_targets_have_names(tmp_path: Path) -> None:
    credentials = tmp_path / "roles.toml"
    credentials.write_text('organization = "ours"\n[roles.operator]\ntoken = "secret"\nid = "o"\n')
    texts = ["mine=store:memory:", "store:leveldb:", "cmd:./bin/serve --port {port}", "grpc://127.0.0.1:9", "[::1]:9"]
    found = parse_targets(texts, "oss", credentials, "")
    assert [one.name for one in found] == ["mine", "leveldb", "serve", "127.0.0.1:9", "[::1]:9"]
    assert found[0].text == "store:memory:, oss profile"


@pytest.mark.parametrize("profile", ["oss", "cloud"])
def test_a_store_is_opened_behind_the_reference_server(profile: str) -> None:
    (target,) = parse_targets(["store:sqlite:?codec=protobuf"], profile, None, "")
    with target.open() as address:
        assert address.process is not None
        assert bool(address.metadata) == (profile == "cloud")
        assert address.organization == "bench"


def test_a_command_gets_a_folder_and_the_strongest_role(tmp_path: Path) -> None:
    credentials = tmp_path / "roles.toml"
    credentials.write_text(
        'organization = "ours"\n[roles.nobody]\ntoken = "n"\nid = "n"\n[roles.org_admin]\ntoken = "a"\nid = "a"\n'
    )
    (target,) = parse_targets([f"{SECOND} --journal {{dir}}/journal"], "oss", credentials, "")
    with target.open() as address:
        assert address.metadata == {"authorization": "Bearer a"}
        assert address.organization == "ours"


def test_a_token_calls_in_place_of_roles() -> None:
    (target,) = parse_targets([SECOND], "oss", None, "", "t0ken")
    with target.open() as address:
        assert address.metadata == {"authorization": "Bearer t0ken"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--slo", "p99=5ms"], "--slo needs a TARGET"),
        (["store:memory:", "--slo", "fast"], "no objective"),
        (["store:memory:", "--rate", "many"], "write numbers, as in"),
        (["store:memory:", "--against", "store:memory:"], "one name"),
        (["store:memory:", "--mix", "ycsb-z"], "no such mix"),
        (["store:memory:", "--profile", "clowd"], "cloud, oss"),
        (["store:nosuch:"], "nosuch"),
        (["store:memory:", "--token", "t", "--credentials", "roles.toml"], "two ways to say who calls"),
        (["http://127.0.0.1:80"], "write grpc://127.0.0.1:80"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(
    words: list[str], says: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["bench", "server", *words, "--out", str(tmp_path / "out")]) == 2
    told = capfd.readouterr()
    assert says in " ".join((told.out + told.err).split())
    assert "Traceback" not in told.out + told.err


def test_a_strangers_server_is_measured(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("benchmarks.server.runner.HEADROOM_MIN", 0.0)  # the machine may be busy
    monkeypatch.setattr(TargetsConfig, "counts", property(lambda _: TINY))
    monkeypatch.setattr(TargetsConfig, "growth_sizes", property(lambda _: ()))
    words = [f"second={SECOND}", "--mix", "get", "--quick", "--out", str(tmp_path)]
    assert run(["bench", "server", *words]) == 0
    told = capfd.readouterr().out
    assert "second" in told
    assert "no number" not in told
    assert (tmp_path / "results.json").is_file()


def test_a_target_that_is_not_there_is_said(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["bench", "server", "grpc://127.0.0.1:1", "--out", str(tmp_path)]) != 0
    told = capfd.readouterr()
    assert "127.0.0.1:1" in told.out + told.err
    assert "Traceback" not in told.out + told.err


def test_the_help_names_every_mix(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "server", "--help"]) == 0
    told = capfd.readouterr().out
    assert "ycsb-a" in told
    assert bench_cli.app is not None
