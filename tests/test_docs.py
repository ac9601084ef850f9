"""What the documents say is so: commands parse, targets and paths exist, names are where they are said to be, and
the client's walk through a server is run as it stands."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import typer
from ruamel.yaml import YAML
from typer.core import TyperCommand, TyperGroup

from benchmarks.claims import load_claims
from benchmarks.results import Results, write_results
from benchmarks.tests.test_regression import run_of
from conformance import verdict
from parity.commands import COMMANDS
from parity.lazy import load
from reference_server.authorization.callers import parse_callers
from tests.pictures import PAGE, TERMINAL, stale

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCUMENTS = (README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
SCRIPTS = ROOT / Path(sys.executable).parent

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
NAME_IN_PATH = re.compile(r"`(\w+)`\s+in\s+`([\w./]+)`")


def blocks(document: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(document.read_text(encoding="utf-8")) if kind == language]


def inline(document: Path) -> list[str]:
    return INLINE.findall(BLOCK.sub("", document.read_text(encoding="utf-8")))


def shell_commands(document: Path) -> Iterator[list[str]]:
    """The commands of a document: the lines of its shell blocks, and what stands in backticks in its text."""
    lines = [line for block in blocks(document, "sh") for line in block.splitlines()]
    for line in lines + [text for text in inline(document) if text.startswith(("parity ", "make "))]:
        for part in line.split("&&"):
            words = shlex.split(part.partition(" > ")[0], comments=True)
            if words:
                yield words


def test_the_documents_have_commands_at_all() -> None:
    found = [words[0] for document in DOCUMENTS for words in shell_commands(document)]
    assert found.count("parity") > 10
    assert found.count("make") > 5


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_parity_command_parses(document: Path) -> None:
    rows = {row.name: row for row in COMMANDS}
    for words in shell_commands(document):
        if words[0] != "parity" or words[1:2] == ["--install-completion"]:
            continue
        for name in words[1].split("|"):
            command, rest = load(rows[name]), words[2:]
            if isinstance(command, TyperGroup) and name == "report" and rest and rest[0] not in command.commands:
                command = subcommand(command, "make")
            if isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
                command, rest = subcommand(command, rest[0]), rest[1:]
            if (
                any(isinstance(command, TyperCommand) and word.isupper() for word in rest)
                or "--help" in rest
                or not rest
            ):
                continue
            command.make_context(name, list(rest))


def subcommand(group: TyperGroup, name: str) -> TyperCommand:
    command = group.commands[name]
    assert isinstance(command, TyperCommand)
    return command


def test_a_wrong_command_would_be_noticed() -> None:
    command = load(next(row for row in COMMANDS if row.name == "verify"))
    with pytest.raises(Exception, match="No such option") as refused:
        command.make_context("verify", ["--quik"])
    assert isinstance(refused.value, typer.BadParameter) or "NoSuchOption" in type(refused.value).__name__


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for words in shell_commands(document):
        if words[0] == "make":
            wanted = {word for word in words[1:] if "=" not in word}
            assert wanted <= targets, f"{document.name}: make {' '.join(sorted(wanted - targets))}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_exists(document: Path) -> None:
    made = {line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()}
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir()} - made
    said = [text for text in inline(document) if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", text)]
    said = [text for text in said if text.split("/")[0] in rooms]
    said += re.findall(r"\]\(([^):#]+)\)", document.read_text(encoding="utf-8"))
    missing = [text for text in said if not (ROOT / text).exists() and not (document.parent / text).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_name_is_where_it_is_said_to_be(document: Path) -> None:
    for name, path in NAME_IN_PATH.findall(document.read_text(encoding="utf-8")):
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text(encoding="utf-8")), f"{name} is not in {path}"


def test_contributing_names_the_real_tables() -> None:
    found = dict(NAME_IN_PATH.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert {
        "SCHEMES",
        "FULL_STORES",
        "AGENT_CREATE",
        "MODULES",
        "WORKLOADS",
        "COMMANDS",
        "KNOWN",
        "Engine",
        "Store",
    } <= set(found)


def test_the_exit_codes_are_those_of_the_suite() -> None:
    told = re.findall(r"^\| (\d) \| (.+?) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(code) for code, _ in told] == [
        verdict.EXIT_CONFORMANT,
        verdict.EXIT_NOT_CONFORMANT,
        verdict.EXIT_USAGE,
        verdict.EXIT_INCOMPLETE,
        verdict.EXIT_HARNESS,
    ]


def test_the_token_file_is_one_that_the_server_takes() -> None:
    (block,) = blocks(README, "toml")
    assert len(parse_callers(block, "README").callers) == 1
    assert tomllib.loads(block)["callers"][0]["operator"] is True


def test_every_adr_is_numbered_and_decides() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert re.match(rf"# {page.name[:4]}:? \S", text), page.name
        assert re.search(r"\bDeci(ded|sion)\b", text), f"{page.name} decides nothing"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_walk_through_a_server_works_as_it_stands(tmp_path: Path) -> None:
    """README's serve, create, get, apply, list and delete, on another port by way of the environment."""
    serve, create, others = (
        next(block for block in blocks(README, "sh") if block.startswith(start))
        for start in ("parity serve --store sqlite", "parity agent create", "parity agent get")
    )
    address = f"127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
        "PARITY_SERVER_LISTEN": address,
        "PARITY_ADDRESS": address,
    }
    server = subprocess.Popen(
        shlex.split(serve), cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline().strip() == f"listening on {address}"
        for script in (create, others):
            subprocess.run(["bash", "-euc", script], cwd=tmp_path, env=environment, check=True, timeout=60)
    finally:
        server.terminate()
        server.wait(20)
        if server.stdout is not None:
            server.stdout.close()
    assert YAML(typ="safe", pure=True).load((tmp_path / "agent.yaml").read_text())["metadata"]["slug"] == "test-agent"


def test_the_action_runs_what_a_person_can_run(tmp_path: Path) -> None:
    """The action's own step: its script, with its inputs as the runner hands them over."""
    action = YAML(typ="safe", pure=True).load((ROOT / "action.yml").read_text(encoding="utf-8"))
    step = next(step for step in action["runs"]["steps"] if "run" in step)
    summary = tmp_path / "summary.md"
    environment = {
        **os.environ,
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_STEP_SUMMARY": str(summary),
        "TARGET": "store:memory:",
        "OPTIONS": "--profile cloud --quick --only AUTH-*",
        "PROFILE": "",
        "CREDENTIALS": "",
        "KNOWN_FAILING": "",
        "PARITY_BASELINE": "",
        "PARITY_OUT": str(tmp_path / "out"),
        "PARITY_PYTHON": "true",  # the set-up has tests of its own
    }
    assert set(step["env"]) <= set(environment)
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"verdicts.json", "report.html", "junit.xml"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert "AUTH" in summary.read_text() or "conform" in summary.read_text()


def test_the_readme_tells_the_claims_as_the_verdicts_do() -> None:
    verdicts = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    told = [line.replace("**", "") for line in verdicts.splitlines() if line.startswith("- **")]
    assert len(told) == len({claim.id for claim in load_claims()})
    missing = [line for line in told if line not in README.read_text(encoding="utf-8").splitlines()]
    assert missing == [], "copy these sentences of docs/verdicts.md into README.md"


@pytest.mark.parametrize(("fail_over", "code"), [("10%", 1), ("90%", 0), ("ten", 2)])
def test_the_action_holds_costs_against_a_baseline(tmp_path: Path, fail_over: str, code: int) -> None:
    """A folder of a run, and one that takes half as long again: the gate's own exit code is the step's."""
    for name, slow in (("before", 1.0), ("after", 1.5)):
        write_results(Results(run_of(Random(1), slow, metrics=2)), tmp_path / name)
    action = YAML(typ="safe", pure=True).load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (step,) = (step for step in action["runs"]["steps"] if "baseline" in step.get("if", ""))
    given = {"BASELINE": "before", "MEASURED": "after", "FAIL_OVER": fail_over}
    assert {name: text.strip("${} ") for name, text in step["env"].items()} == {
        "BASELINE": "inputs.baseline",
        "MEASURED": "inputs.measured",
        "FAIL_OVER": "inputs.fail-over",
    }
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env={**os.environ, "GITHUB_ACTION_PATH": str(ROOT), **given},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr


def test_the_action_fails_with_the_suites_code(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", str(ROOT / ".ci" / "judge"), "grpc://127.0.0.1:1", "--only", "NO-SUCH"],
        cwd=tmp_path,
        env={**os.environ, "PARITY_PYTHON": "true"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == verdict.EXIT_USAGE, done.stdout + done.stderr


def test_the_readme_is_short_and_its_pictures_show_what_is() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert stale() == [], "what the README's pictures show has changed: make pictures"
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert {Path(name).name for name in shown} == {PAGE, TERMINAL}
