"""Contexts: servers by name, in a file of one's own; and what the shell completes."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.main import run
from reference_server.client.contexts import Context, read_contexts
from reference_server.client.failures import BadInput
from reference_server.client.tests.conftest import Shell


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config" / "contexts.yaml"
    monkeypatch.setenv("PARITY_CONFIG", str(path))
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    got = run(list(arguments))
    printed = capsys.readouterr()
    assert got == code, printed.out + printed.err
    return printed.out if code == 0 else printed.err


def test_a_context_fills_in_what_is_not_given(
    file: Path, reference_cloud: str, reference_oss: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("max-token\n")
    settings = ("--address", reference_cloud, "--token-file", str(tmp_path / "token"), "--org", "acme")
    assert said(capsys, "context", "set", "cloud", *settings, "--account", "max") == "cloud made, and in use\n"
    assert said(capsys, "context", "show") == "cloud\n"
    said(capsys, "agent", "create", "by-context")
    assert said(capsys, "auth", "can-i", "delete", "agent/by-context") == "yes\n"
    said(capsys, "context", "set", "local", "--address", reference_oss)
    assert said(capsys, "agent", "get", "by-context", "-o", "name") == "agent/by-context\n"
    said(capsys, "context", "use", "local")
    said(capsys, "agent", "get", "by-context", code=1)
    assert said(capsys, "agent", "get", "by-context", "--context", "cloud", "-o", "name") == "agent/by-context\n"
    said(capsys, "agent", "get", "by-context", "--context", "cloud", "--address", reference_oss, code=1)
    said(capsys, "agent", "delete", "by-context", "--context", "cloud")


def test_the_list_shows_no_token(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "context", "set", "one", "--address", "127.0.0.1:1", "--token", "very-secret")
    said(capsys, "context", "set", "two", "--address", "127.0.0.1:2")
    out = said(capsys, "context", "list")
    assert "very-secret" not in out
    assert [line.split() for line in out.splitlines()] == [
        ["USED", "NAME", "ADDRESS", "ORG", "ACCOUNT", "TOKEN"],
        ["*", "one", "127.0.0.1:1", "-", "-", "kept"],
        ["-", "two", "127.0.0.1:2", "-", "-", "-"],
    ]
    assert file.stat().st_mode & 0o077 == 0


def test_what_is_set_is_changed_and_cleared(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "context", "set", "a", "--address", "h:1", "--org", "acme", "--token", "t")
    assert said(capsys, "context", "set", "a", "--org", "", "--token-file", "tokens") == "a changed\n"
    assert read_contexts().rows == {"a": Context(address="h:1", token_file=str(Path("tokens").absolute()))}
    said(capsys, "context", "delete", "a")
    assert "no context is in use" in said(capsys, "context", "show", code=1)
    assert "there is no context 'a'" in said(capsys, "context", "use", "a", code=2)
    said(capsys, "context", "set", "a", "--token", "x", "--token-file", "y", code=2)


def test_looking_makes_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "context", "list")
    said(capsys, "context", "show", code=1)
    assert not file.parent.exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("contexts: [", "neither YAML nor JSON"),
        ("contexts: {a: {addres: x}}", "contexts.a.addres"),
        ("contexts: {a: {address: 5}}", "contexts.a.address"),
        ("current: gone", "there is no context 'gone'"),
    ],
)
def test_a_broken_file_is_told(text: str, sentence: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.parent.mkdir()
    file.write_text(text)
    told = said(capsys, "agent", "get", "--timeout", "0.1", code=2)
    assert sentence in told
    assert str(file) in told


def test_a_token_file_that_is_gone_is_told() -> None:
    with pytest.raises(BadInput, match=r"/no/such/token: .*No such file"):
        Context(token_file="/no/such/token").secret()


def completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str) -> set[str]:
    monkeypatch.setenv("_PARITY_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    capsys.readouterr()
    run([])
    return set(capsys.readouterr().out.split())


def test_the_shell_completes_slugs_and_contexts(
    file: Path,
    reference_oss: str,
    oss_shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    oss_shell("agent", "create", "completed-one")
    oss_shell("environment", "create", "completed-two")
    said(capsys, "context", "set", "here", "--address", reference_oss)
    for line, word, other in (
        ("parity agent get comp", "completed-one", "completed-two"),
        ("parity environment describe comp", "completed-two", "completed-one"),
        (f"parity agent edit --address {reference_oss} comp", "completed-one", "completed-two"),
        ("parity instance create x --agent comp", "completed-one", "completed-two"),
        ("parity context use he", "here", "completed-one"),
    ):
        offered = " ".join(completed(monkeypatch, capsys, line))
        assert word in offered, line
        assert other not in offered, line
    said_nothing = completed(monkeypatch, capsys, "parity agent get --address 127.0.0.1:1 comp")
    assert "completed-one" not in " ".join(said_nothing)
