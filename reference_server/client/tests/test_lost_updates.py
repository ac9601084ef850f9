"""Nobody's change is undone by somebody who didn't see it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protos.conditions import change_mark
from reference_server.client import changes
from reference_server.client.applying import apply
from reference_server.client.failures import Changed
from reference_server.client.kinds import AGENT
from reference_server.client.resources import Resources
from reference_server.client.server import Endpoint, Server
from reference_server.client.tests.conftest import Shell
from tests.second_server.server import start

AT_ONCE = 16


@pytest.fixture
def agents(reference_oss: str) -> Iterator[Resources]:
    with Server(Endpoint(reference_oss)) as server:
        yield Resources(server, AGENT)


def make(agents: Resources, slug: str) -> Any:
    agent: Any = AGENT.message_type()
    agent.api_version, agent.kind, agent.metadata.slug, agent.metadata.name = (
        "agentic.stigmer.ai/v1",
        "Agent",
        slug,
        slug,
    )
    agent.metadata.owner_scope, agent.spec.instructions = 1, "Be of help."
    return agents.create(agent)


def label(key: str) -> Any:
    def alter(agent: Any) -> None:
        agent.metadata.labels[key] = "there"

    return alter


def test_sixteen_updates_at_once_are_all_kept(agents: Resources) -> None:
    make(agents, "contended")
    together, failures = threading.Barrier(AT_ONCE), []

    def update(key: str) -> None:
        try:
            with Server(Endpoint(agents.server.address)) as server:
                together.wait()
                changes.change(Resources(server, AGENT), "contended", "", label(key))
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=update, args=(f"k{number}",)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(agents.find("contended").metadata.labels) == {f"k{number}" for number in range(AT_ONCE)}


def test_a_server_with_conditions_compares_in_the_moment_of_the_write(agents: Resources) -> None:
    """Whatever the second reading saw: the write itself is refused."""
    known = make(agents, "condition")
    agents.update(known)
    for send in (agents.update, agents.apply):
        with pytest.raises(Exception, match=r"ABORTED: .*was changed since you read it"):
            send(known, change_mark(known.status.audit))
    current = agents.get(known.metadata.id)
    assert send(current, change_mark(current.status.audit)).metadata == current.metadata


def test_a_server_without_conditions_is_read_again(agents: Resources) -> None:
    server = start("oss", {})
    try:
        with Server(Endpoint(server.address)) as other:
            theirs = Resources(other, AGENT)
            known = make(theirs, "second")
            theirs.update(known)
            with pytest.raises(Changed, match=r"agent/second was changed by .* after it was read"):
                changes.write(theirs, theirs.update, known, known)
    finally:
        server.stop()


def test_a_change_in_between_is_made_again_on_what_is_there(agents: Resources) -> None:
    make(agents, "between")
    rounds = []

    def alter(agent: Any) -> None:
        rounds.append(len(agent.metadata.labels))
        if len(rounds) < 3:
            changes.change(agents, "between", "", label(f"other-{len(rounds)}"))
        agent.metadata.labels["mine"] = "there"

    made = changes.change(agents, "between", "", alter)
    assert rounds == [0, 1, 2]
    assert set(made.metadata.labels) == {"other-1", "other-2", "mine"}


def test_who_never_gets_a_turn_is_told(agents: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "TRIES_MAX", 3)
    make(agents, "busy")
    rounds = []

    def alter(agent: Any) -> None:
        rounds.append(agents.update(agents.find("busy")))

    with pytest.raises(Changed):
        changes.change(agents, "busy", "", alter)
    assert len(rounds) == 3


def test_an_apply_over_a_change_that_its_file_does_not_know_is_refused(agents: Resources) -> None:
    known = make(agents, "stale")
    changes.change(agents, "stale", "", label("theirs"))
    known.metadata.labels["mine"] = "there"
    with pytest.raises(Changed, match=r"agent/stale was changed by system at .*Z, after it was read into the file"):
        apply(agents, known)
    assert set(agents.find("stale").metadata.labels) == {"theirs"}
    assert apply(agents, known, force=True).done == "configured"
    known.ClearField("status")
    assert apply(agents, known).done == "unchanged"


def editor(tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "editor.py"
    script.write_text(f"import pathlib, sys\nfile = pathlib.Path(sys.argv[1])\ntext = file.read_text()\n{program}\n")
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)


def kept(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("parity-*.yaml"))


def test_edit_writes_what_the_editor_leaves(
    oss_shell: Shell, agents: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(agents, "edited")
    editor(tmp_path, "file.write_text(text.replace('Be of help.', 'Be of great help.'))", monkeypatch)
    assert oss_shell("agent", "edit", "edited") == "agent/edited edited\n"
    assert agents.find("edited").spec.instructions == "Be of great help."
    editor(tmp_path, "pass", monkeypatch)
    assert oss_shell("agent", "edit", "edited") == "agent/edited unchanged\n"
    assert kept(tmp_path) == []


def test_edit_notices_a_change_meanwhile_and_keeps_what_was_written(
    oss_shell: Shell, agents: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(agents, "raced")
    command = f"agent update raced --name Theirs --address {agents.server.address}".split()
    program = (
        "import subprocess\n"
        f"subprocess.run([sys.executable, '-m', 'parity.main', *{command!r}], check=True, stdout=subprocess.DEVNULL)\n"
        "file.write_text(text.replace('Be of help.', 'Mine, not theirs.'))"
    )
    editor(tmp_path, program, monkeypatch)
    oss_shell("agent", "edit", "raced", code=1)
    (file,) = kept(tmp_path)
    assert "agent/raced was changed by system" in oss_shell.errors
    assert str(file) in oss_shell.errors
    assert "Mine, not theirs." in file.read_text()
    assert agents.find("raced").spec.instructions == "Be of help."


@pytest.mark.parametrize(
    ("program", "sentence", "code"),
    [
        ("file.write_text(text.replace('Be of help.', 'short'))", "spec.instructions", 1),
        ("file.write_text(text.replace('slug: odd', 'slug: other'))", "metadata.slug never changes", 2),
        ("file.write_text('metadata: [')", "neither YAML nor JSON", 2),
        ("file.write_text('')", "holds no resource", 2),
        ("sys.exit(3)", "ended with 3, so nothing is changed", 2),
    ],
)
def test_edit_keeps_what_cannot_be_sent(
    program: str,
    sentence: str,
    code: int,
    oss_shell: Shell,
    agents: Resources,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slug = f"odd-{abs(hash(program))}"
    before = make(agents, slug)
    editor(tmp_path, program, monkeypatch)
    oss_shell("agent", "edit", slug, code=code)
    assert sentence in oss_shell.errors
    assert str(kept(tmp_path)[0]) in oss_shell.errors
    assert agents.find(slug) == before
