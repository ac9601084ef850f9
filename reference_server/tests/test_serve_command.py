"""`parity serve` that can't: what it says, and the exit code."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from parity.main import run
from reference_server.config import ServerConfig
from reference_server.listening import malformed, refusal
from reference_server.start_check import check_start
from reference_server.tests.certificates import Authority


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--store", "bogus:x"), "unknown store 'bogus'"),
        (("--store", "sqlite:x?codec=yaml"), "codec can't be 'yaml'"),
        (("--profile", "both"), "not cloud or oss"),
        (("--profile", "cloud", "--tokens", "/no/such/tokens.toml"), "/no/such/tokens.toml"),
        (("--listen", "here"), "is no host:port"),
        (("--listen", "127.0.0.1:99999"), "99999 is more than 65535"),
        (("--tls-cert", "/no/such.pem", "--tls-key", "/no/such.pem"), "/no/such.pem"),
    ],
)
def test_a_wrong_value_is_a_usage_error(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", "--listen", "127.0.0.1:0", "--log-level", "error", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_a_broken_token_file_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text("[[callers]]\nid = 7\n", encoding="utf-8")
    assert run(["serve", "--listen", "127.0.0.1:0", "--profile", "cloud", "--tokens", str(tokens)]) == 2
    assert str(tokens) in capsys.readouterr().err


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "parity.main", "serve", "--store", "memory:", "--listen", address]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == (
        f"parity serve: can't listen on {address}: it is in use by another process; choose another with --listen\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--listen", "{taken}"), "it is in use by another process; choose another with --listen"),
        (("--metrics", "{taken}"), "it is in use by another process; choose another with --metrics"),
        (("--profile", "cloud", "--tokens", "{none}"), "{none}: can't be read"),
        (("--profile", "cloud", "--tokens", "{junk}"), "{junk}: "),
        (("--profile", "cloud", "--jwt-jwks", "{junk}"), "{junk}: no JWKS"),
        (("--tls-cert", "{none}", "--tls-key", "{none}"), "TLS file {none} can't be read"),
        (("--tls-cert", "{junk}", "--tls-key", "{junk}"), "{junk} are no certificate and its key"),
        (("--tls-cert", "{cert}", "--tls-key", "{key}", "--tls-client-ca", "{junk}"), "{junk} is no certificate"),
        (("--tls-cert", "{cert}", "--tls-key", "{other}"), "{other} are no certificate and its key"),
        (("--config", "{junk}"), "{junk}: "),
    ],
)
def test_who_is_refused_finds_no_new_database(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "junk").write_text("junk\n", encoding="utf-8")
    authority = Authority(tmp_path)
    pair, other = authority.issue("one"), authority.issue("other")
    files = {"none": tmp_path / "none", "junk": tmp_path / "junk", "cert": pair.cert, "key": pair.key}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        names = {"taken": f"127.0.0.1:{taken.getsockname()[1]}", "other": other.key} | files
        words = [each.format(**names) for each in ("--listen", "127.0.0.1:0", *arguments)]
        assert run(["serve", "--store", f"leveldb:{tmp_path / 'new'}", *words]) in {2, 3}
    assert sentence.format(**names) in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_server_says_that_its_key_goes_unencrypted(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret", encoding="utf-8")
    place = f"openfga:http://openfga.internal?token_file={key}&store=01ARZ3NDEKTSV4RRFFQ69G5FAV"
    settings = ServerConfig(listen="127.0.0.1:0", authorizer=place, sink=f"nats://nats.internal/S?token_file={key}")
    structlog.reset_defaults()
    with capture_logs() as logs:
        check_start(settings)
    assert ["unencrypted" in each["event"] for each in logs] == [True, True]


def said_until_it_listens_and_ends(folder: Path, *words: str) -> list[str]:
    command = [sys.executable, "-m", "parity.main", "serve", "--listen", "127.0.0.1:0", *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        first = server.stdout.readline()
        server.terminate()
        rest = server.stdout.read()
        server.wait(timeout=60)
    return [first.rstrip(), *rest.splitlines()]


def test_who_names_no_store_is_told_that_nothing_is_kept(tmp_path: Path) -> None:
    listening, memory = said_until_it_listens_and_ends(tmp_path)
    assert listening.startswith("listening on 127.0.0.1:")
    assert memory.startswith("in memory: nothing of it is kept when the server ends; --store ")
    (kept,) = said_until_it_listens_and_ends(tmp_path, "--store", f"sqlite:{tmp_path / 'agents.db'}")
    assert kept.startswith("listening on 127.0.0.1:")


def test_why_an_address_cannot_be_bound(tmp_path: Path) -> None:
    assert refusal("192.0.2.1:0") == "this machine has no such address"
    assert refusal(f"unix:{tmp_path}/none/x.sock") == "its folder isn't there"
    assert refusal("127.0.0.1:0") == refusal(":0") == ""
    (tmp_path / "taken.sock").touch()
    assert refusal(f"unix:{tmp_path}/taken.sock") == "it is in use by another process"
    assert refusal(f"unix:{tmp_path}/free.sock") == ""
    assert not (tmp_path / "free.sock").exists()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "old.sock"))
    assert refusal(f"unix:{tmp_path}/old.sock") == ""
    assert {path.name for path in tmp_path.iterdir()} == {"taken.sock", "old.sock"}


def test_a_host_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert refusal("nowhere:0") == "no such host is known"


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:50051", "localhost:1", "unix:x.sock", "unix:/tmp/x"])
def test_forms_of_addresses(listen: str) -> None:
    assert malformed(listen) == ""
    assert malformed(listen.partition(":")[0]) != ""
