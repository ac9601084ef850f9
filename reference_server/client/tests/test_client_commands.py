"""The client's commands, typed as a person types them, against a running server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import ApiResourceKind
from reference_server.client.tests.conftest import Shell
from reference_server.config import ServerConfig
from reference_server.tests.running import running
from tests.second_server.server import RunningServer, start
from tests.serving import serve

TOKENS = {"token-operator": "operator", "token-outsider": "outsider"}


@pytest.fixture(scope="module", params=["reference", "second"])
def oss(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server in the oss profile: the client knows only the contract, so two servers must do."""
    if request.param == "reference":
        process = serve("memory:", tmp_path_factory.mktemp("server") / "server.log", profile="oss")
        yield process.address
        process.stop()
    else:
        server = start("oss", TOKENS)
        yield server.address
        server.stop()


@pytest.fixture
def cloud() -> Iterator[RunningServer]:
    server = start("cloud", TOKENS, "operator")
    yield server
    server.stop()


@pytest.fixture
def shell(oss: str, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(oss, capsys)


def test_create_needs_nothing_but_a_slug_and_a_name(shell: Shell) -> None:
    out = shell("agent", "create", "test-agent", "--name", "Test Agent")
    heading, row = out.splitlines()
    assert heading.split("   ")[0] == "ID"
    assert "test-agent" in row
    assert "Test Agent" in row
    made = shell.json("agent", "get", "test-agent")
    assert made["metadata"]["name"] == "Test Agent"
    assert "Test Agent" in made["spec"]["instructions"]
    assert made["status"]["default_instance_id"].startswith("ain-")


def test_get_by_id_and_by_slug_find_the_same(shell: Shell) -> None:
    made = shell.json("agent", "create", "both-ways")
    assert shell.json("agent", "get", made["metadata"]["id"]) == shell.json("agent", "get", "both-ways")


def test_an_id_of_any_form_is_found(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "own-id.yaml"
    file.write_text("metadata: {name: Own, id: my-own, owner_scope: platform}\nspec: {instructions: Be of help.}\n")
    shell("agent", "create", "-f", str(file))
    assert shell.json("agent", "get", "my-own")["metadata"]["slug"] == "own"


def test_yaml_goes_round(shell: Shell, tmp_path: Path) -> None:
    text = "First line.\n\n  Indented: 'quoted', \"doubly\": 日本語 🎯\n# not a comment\n"
    shell("agent", "create", "round", "--instructions", text)
    document = shell("agent", "get", "round", "-o", "yaml")
    assert YAML(typ="safe", pure=True).load(document)["spec"]["instructions"] == text
    assert "日本語 🎯" in document
    file = tmp_path / "round.yaml"
    file.write_text(document, encoding="utf-8")
    before, after = shell.json("agent", "get", "round"), shell.json("agent", "apply", "-f", str(file))
    assert after["spec"] == before["spec"]
    assert after["metadata"] == before["metadata"]


def test_apply_creates_then_updates_every_document_of_a_file(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "agents.yaml"
    body = "metadata: {{name: Apply {n}, owner_scope: platform}}\nspec: {{instructions: {text}}}\n"
    file.write_text("---\n".join(body.format(n=n, text="What it is told first") for n in (1, 2)))
    first = shell.json("agent", "apply", "-f", str(file))
    file.write_text("---\n".join(body.format(n=n, text="What it is told next") for n in (1, 2)))
    second = shell.json("agent", "apply", "-f", str(file))
    assert [agent["metadata"]["id"] for agent in second] == [agent["metadata"]["id"] for agent in first]
    assert {agent["spec"]["instructions"] for agent in second} == {"What it is told next"}


def test_what_was_done_before_a_failure_is_shown(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "half.yaml"
    good = "metadata: {name: Half Good, owner_scope: platform}\nspec: {instructions: Be of help.}\n"
    file.write_text(f"{good}---\n{good.replace('Be of help.', 'short')}")
    out = shell("agent", "apply", "-f", str(file), code=1)
    assert "half-good" in out
    assert "spec.instructions" in shell.errors


def test_update_changes_what_the_options_name_and_nothing_else(shell: Shell) -> None:
    made = shell.json("agent", "create", "change-me", "--name", "Before", "--description", "kept")
    changed = shell.json("agent", "update", "change-me", "--name", "After", "--instructions", "Something else to do")
    assert changed["metadata"]["name"] == "After"
    assert changed["metadata"]["slug"] == "change-me"
    assert changed["spec"] == {**made["spec"], "instructions": "Something else to do"}


def test_delete_takes_slugs_and_ids_and_the_resources_are_gone(shell: Shell) -> None:
    made = shell.json("agent", "create", "delete-one")
    shell("agent", "create", "delete-two")
    shell("agent", "delete", made["metadata"]["id"], "delete-two")
    for reference in ("delete-one", "delete-two"):
        shell("agent", "get", reference, code=1)
        assert "NOT_FOUND" in shell.errors


def test_list_goes_through_all_pages_in_order(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_server.client.resources.PAGE_SIZE", 3)
    slugs = [f"listed-{number}" for number in range(8)]
    for slug in slugs:
        shell("agent", "create", slug)
    listed = [agent["metadata"]["slug"] for agent in shell.json("agent", "list")]
    assert [slug for slug in listed if slug.startswith("listed-")] == slugs
    assert len(shell.json("agent", "list", "--limit", "4")) == 4


def test_instances_of_an_agent(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_server.client.resources.PAGE_SIZE", 2)
    agent = shell.json("agent", "create", "parent")
    for number in range(4):
        shell("instance", "create", f"child-{number}", "--agent", "parent", "--description", "one of four")
    found = shell.json("instance", "list", "--agent", "parent")
    assert [row["metadata"]["slug"] for row in found][1:] == [f"child-{number}" for number in range(4)]
    assert {row["spec"]["agent_id"] for row in found} == {agent["metadata"]["id"]}
    assert len(shell.json("instance", "list", "--agent", "parent", "--limit", "3")) == 3
    shell("instance", "update", "child-0", "--name", "Renamed")
    assert shell.json("instance", "get", "child-0")["metadata"]["name"] == "Renamed"
    shell("instance", "delete", "child-0")
    assert len(shell.json("instance", "list", "--agent", "parent")) == 4


def test_environment_values_and_secrets(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "from-the-variable")
    shell("environment", "create", "staging", "--org", "acme", "--set", "REGION=eu=1", "--secret", "API_KEY")
    data = shell.json("environment", "get", "staging", "--org", "acme")["spec"]["data"]
    assert data["REGION"] == {"value": "eu=1"}
    assert data["API_KEY"]["is_secret"] is True
    shell("environment", "update", "staging", "--org", "acme", "--set", "ZONE=b", "--unset", "REGION")
    assert set(shell.json("environment", "get", "staging", "--org", "acme")["spec"]["data"]) == {"ZONE", "API_KEY"}
    shell("environment", "update", "staging", "--org", "acme", "--unset", "REGION", code=2)
    assert "--unset REGION" in shell.errors


def test_organization_owns_what_names_it(shell: Shell) -> None:
    made = shell.json("agent", "create", "of-acme", "--org", "acme")
    assert made["metadata"]["owner_scope"] == "organization"
    assert made["metadata"]["org"] == "acme"
    instance = shell.json("instance", "create", "also-acme", "--agent", "of-acme", "--org", "acme")
    assert instance["metadata"]["owner_scope"] == "organization"


def test_a_refusal_names_status_field_and_remedy(shell: Shell) -> None:
    shell("agent", "create", "brief", "--instructions", "short", code=1)
    assert shell.errors.startswith("error: INVALID_ARGUMENT")
    assert "spec.instructions: " in shell.errors
    shell("agent", "create", "taken")
    shell("agent", "create", "taken", code=1)
    assert "ALREADY_EXISTS" in shell.errors
    assert "another slug" in shell.errors
    assert "Traceback" not in shell.errors


def test_tokens_decide_in_the_cloud_profile(
    cloud: RunningServer, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.address = cloud.address
    shell("agent", "create", "guarded", code=1)
    assert "UNAUTHENTICATED" in shell.errors
    assert "--token" in shell.errors
    shell("agent", "create", "guarded", "--token", "token-outsider", code=1)
    assert "PERMISSION_DENIED" in shell.errors
    monkeypatch.setenv("PARITY_TOKEN", "token-operator")
    shell("agent", "create", "guarded")
    assert [row["metadata"]["slug"] for row in shell.json("agent", "list")] == ["guarded"]


def test_nobody_answers(shell: Shell) -> None:
    with socket.socket() as taken:  # bound and not listening: a port that surely refuses
        taken.bind(("127.0.0.1", 0))
        shell.address = f"127.0.0.1:{taken.getsockname()[1]}"
        shell("agent", "list", code=3)
    assert shell.address in shell.errors
    assert "parity serve" in shell.errors


def test_a_server_that_never_answers_costs_the_timeout(shell: Shell) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        shell.address = f"127.0.0.1:{silent.getsockname()[1]}"
        shell("agent", "list", "--timeout", "0.3", code=1)
    assert "DEADLINE_EXCEEDED" in shell.errors


@pytest.mark.parametrize("form", ["unix:{folder}/x.sock", "unix://{folder}/x.sock", "unix:x.sock"])
def test_a_socket_is_an_address(form: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with running(ServerConfig(listen=f"unix:{tmp_path}/x.sock")):
        shell.address = form.format(folder=tmp_path)
        shell("agent", "create", "by-socket")
        assert "by-socket" in shell("agent", "list")


@pytest.mark.parametrize(
    "address",
    ["unix:", "http://localhost:1", "host/path", "a b:1", "host:port", "::1:5", "host", "host:0", "host:65536"],
)
def test_what_is_no_address_is_told(address: str, shell: Shell) -> None:
    shell.address = address
    shell("agent", "list", code=2)
    assert "is not an address" in shell.errors
    assert "unix:PATH" in shell.errors


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no resource"),
        ("- a\n- b\n", "a resource is a mapping"),
        ("metadata: [unclosed", "neither YAML nor JSON"),
        ("kind: Environment\n", "use `parity environment`"),
        ("spec: {instrutcions: typo}\n", "spec.instrutcions: there is no such field"),
        ("metadata: {name: 7}\n", "metadata.name: "),
        ("metadata: {owner_scope: everybody}\n", "owner_scope"),
        ("spec: just text\n", "spec"),
        ("1: 2\n", "1"),
    ],
)
def test_a_bad_file_is_explained(shell: Shell, tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    shell("agent", "apply", "-f", str(file), code=2)
    assert str(file) in shell.errors
    assert sentence.lower() in shell.errors.lower()


def test_a_missing_or_binary_file_is_explained(shell: Shell, tmp_path: Path) -> None:
    shell("agent", "apply", "-f", str(tmp_path / "none.yaml"), code=2)
    assert "No such file" in shell.errors
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    shell("agent", "apply", "-f", str(tmp_path / "binary"), code=2)
    assert "not UTF-8" in shell.errors


@pytest.mark.parametrize(
    "arguments",
    [
        ("agent", "create"),
        ("agent", "create", "name", "-f", "also-a-file"),
        ("instance", "create", "no-agent"),
        ("environment", "create", "e", "--set", "=nokey"),
        ("environment", "create", "e", "--secret", "NO_SUCH_VARIABLE_HERE"),
        ("agent", "list", "--tls-ca", "/nonexistent/ca.pem"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_call(shell: Shell, arguments: tuple[str, ...]) -> None:
    assert shell(*arguments, code=2) == ""
    assert shell.errors.startswith("error: ")


def test_names_cannot_command_the_terminal(shell: Shell) -> None:
    shell("agent", "create", "sly", "--name", "\x1b[31mred\x1b[0m\u202ereversed [bold]x[/bold]")
    row = next(line for line in shell("agent", "list").splitlines() if "sly" in line)
    assert "\x1b" not in row
    assert "\u202e" not in row
    assert "[bold]x[/bold]" in row


def test_columns_stand_below_each_other_whatever_the_script(shell: Shell) -> None:
    shell("agent", "create", "wide", "--name", "日本語")
    shell("agent", "create", "plain", "--name", "abc")
    lines = [line for line in shell("agent", "list").splitlines() if line.split("   ")[1].strip() in {"wide", "plain"}]
    # Each wide character takes two cells, so the line with three of them is three characters shorter.
    positions = {line.index("ain-") + (3 if "日本語" in line else 0) for line in lines}
    assert len(lines) == 2
    assert len(positions) == 1


def test_kind_numbers_are_those_of_the_schema() -> None:
    from reference_server.client.kinds import KINDS

    assert {kind.word: kind.resource.number for kind in KINDS} == {
        "agent": ApiResourceKind.agent,
        "instance": ApiResourceKind.agent_instance,
        "environment": ApiResourceKind.environment,
    }
    assert [kind.resource.id_prefix for kind in KINDS] == ["agt", "ain", "env"]
