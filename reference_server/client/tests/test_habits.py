"""What hands that know kubectl type, against the reference server in both profiles and a server without lists."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reference_server.client.failures import BadInput
from reference_server.client.jsonpath_text import Template
from reference_server.client.labels import selector
from reference_server.client.tests.conftest import Shell
from reference_server.client.waiting import condition_of, seconds_of


def agent(slug: str, text: str = "Be of help.", labels: str = "{}") -> str:
    return (
        f"kind: Agent\nmetadata: {{slug: {slug}, name: {slug}, owner_scope: platform, labels: {labels}}}\n"
        f"spec: {{instructions: {text}}}\n"
    )


def environment(slug: str) -> str:
    return f"kind: Environment\nmetadata: {{slug: {slug}, name: {slug}, owner_scope: identity_account}}\n"


@pytest.fixture
def labelled(oss_shell: Shell, tmp_path: Path) -> Iterator[Shell]:
    """Three agents with labels, and no others."""
    oss_shell("agent", "delete", "--all", "--yes")
    for slug, labels in (("one", "{tier: gold, zone: a}"), ("two", "{tier: silver}"), ("three", "{}")):
        (tmp_path / f"{slug}.yaml").write_text(agent(slug, labels=labels))
    oss_shell("agent", "apply", "-f", str(tmp_path))
    yield oss_shell
    oss_shell("agent", "delete", "--all", "--yes")


def test_get_without_names_lists(labelled: Shell) -> None:
    assert labelled("agent", "get", "-o", "name").split() == ["agent/one", "agent/three", "agent/two"]
    assert labelled("agent", "get") == labelled("agent", "list")


def test_get_takes_several_names_and_shows_those_that_are_there(labelled: Shell) -> None:
    assert labelled("agent", "get", "two", "agent/one", "-o", "name") == "agent/two\nagent/one\n"
    assert labelled("agent", "get", "one", "gone", "lost", "-o", "name", code=1) == "agent/one\n"
    assert labelled.errors.count("NOT_FOUND") == 2
    assert labelled("agent", "get", "gone", "--ignore-not-found") == ""
    labelled("agent", "get", "one", "-l", "tier", code=2)


@pytest.mark.parametrize(
    ("selected", "slugs"),
    [
        ("tier=gold", {"one"}),
        ("tier==gold", {"one"}),
        ("tier!=gold", {"two", "three"}),
        ("tier", {"one", "two"}),
        ("!tier", {"three"}),
        ("tier in (gold, silver),!zone", {"two"}),
        ("tier notin (gold)", {"two", "three"}),
        ("tier=gold,zone=a", {"one"}),
        ("tier=gold,zone=b", set()),
    ],
)
def test_labels_select(selected: str, slugs: set[str], labelled: Shell) -> None:
    assert {row["metadata"]["slug"] for row in labelled.json("agent", "get", "-l", selected)} == slugs


@pytest.mark.parametrize("text", ["=", "a b", "a=b=c", "a in b", "!", "a,,b", "(a)"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is no selector"):
        selector(text)


def test_a_limit_counts_what_is_selected(labelled: Shell) -> None:
    assert labelled("agent", "get", "-l", "tier", "--limit", "2", "-o", "name") == "agent/one\nagent/two\n"


def test_wide_shows_more(labelled: Shell) -> None:
    heading, row = labelled("agent", "get", "one", "-o", "wide").splitlines()
    assert {"UPDATED", "BY", "LABELS"} <= set(heading.split())
    assert "tier=gold,zone=a" in row


def test_jsonpath_as_kubectl_has_it(labelled: Shell) -> None:
    assert labelled("agent", "get", "one", "-o", "jsonpath={.metadata.labels.tier}") == "gold"
    assert labelled("agent", "get", "-o", "jsonpath={.items[*].metadata.slug}") == "one three two"
    template = '{range .items[*]}{.metadata.slug}{"\\t"}{.spec.instructions}{"\\n"}{end}'
    assert labelled("agent", "get", "-o", f"jsonpath={template}").splitlines()[1] == "three\tBe of help."
    labelled("agent", "get", "-o", "jsonpath={.items[", code=2)
    assert "a brace isn't closed" in labelled.errors
    labelled("agent", "get", "-o", "tabel", code=2)
    assert "table" in labelled.errors


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{.a}", "1"),
        (".a", "1"),
        ("a", "1"),
        ("{$.a}-{.none}!", "1-!"),
        ("{.b[?(@.n==2)].s}", "y"),
        ("{.b[-1:].n}", "2"),
        ("{.b[0]['s']}", "x"),
        ("{range .b[*]}{@.s}{','}{end}", "x,y,"),
        ("{'{'}{.a}{\"}\"}", "{1}"),
        ("{'a\\n'}{'\\''}{'\"'}", "a\n'\""),
        ("{..s}", "x y"),
        ("{.c}", '{"d": true}'),
        ("{@}", '{"a": 1, "b": [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}], "c": {"d": true}}'),
    ],
)
def test_templates(template: str, filled: str) -> None:
    value = {"a": 1, "b": [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}], "c": {"d": True}}
    assert Template(template).fill(value) == filled


@pytest.mark.parametrize("template", ["{", "}", "{.a", "{range .a}", "{end}", "{.a[}", "{.a}}", "{'a}", "{'\\q'}"])
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(BadInput, match="jsonpath"):
        Template(template)


def test_apply_says_what_became_of_each(oss_shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(agent("fresh") + "---\n" + agent("again"))
    (tmp_path / "b.json").write_text(
        json.dumps({"kind": "Environment", "metadata": {"name": "vars", "owner_scope": 3}})
    )
    (tmp_path / "notes.txt").write_text("no resource")
    assert oss_shell("apply", "-f", str(tmp_path)).splitlines() == [
        "agent/fresh created",
        "agent/again created",
        "environment/vars created",
    ]
    (tmp_path / "a.yaml").write_text(agent("fresh") + "---\n" + agent("again", "Be of more help."))
    assert oss_shell("apply", "-f", str(tmp_path / "*.yaml"), "-f", str(tmp_path / "b.json")).splitlines() == [
        "agent/fresh unchanged",
        "agent/again configured",
        "environment/vars unchanged",
    ]
    before = oss_shell.json("agent", "get", "fresh")
    assert oss_shell("apply", "-f", str(tmp_path / "a.yaml"), "-o", "name") == "agent/fresh\nagent/again\n"
    assert oss_shell.json("agent", "get", "fresh") == before


def test_apply_goes_on_after_a_refusal_and_names_what_was_refused(oss_shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(agent("wrong", "short") + "---\n" + agent("right"))
    assert oss_shell("agent", "apply", "-f", str(tmp_path / "a.yaml"), code=1) == "agent/right created\n"
    assert "agent/wrong: INVALID_ARGUMENT" in oss_shell.errors


def test_nothing_is_sent_when_one_file_cannot_be_read(oss_shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(agent("unsent"))
    (tmp_path / "b.yaml").write_text("metadata: [")
    assert oss_shell("apply", "-f", str(tmp_path), code=2) == ""
    oss_shell("agent", "get", "unsent", code=1)


def test_files_are_found_as_the_shell_would(oss_shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.yml").write_text(agent("deeper"))
    oss_shell("apply", "-f", str(tmp_path), code=2)
    assert "-R looks into folders" in oss_shell.errors
    assert oss_shell("apply", "-R", "-f", str(tmp_path)) == "agent/deeper created\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(agent("piped").encode())))
    assert oss_shell("apply", "-f", "-") == "agent/piped created\n"
    for name, sentence in (
        (str(tmp_path / "*.none"), "fits no file"),
        ("https://example.org/a.yaml", "is an address of the web"),
        (str(tmp_path / "none.yaml"), "No such file"),
    ):
        oss_shell("apply", "-f", name, code=2)
        assert sentence in oss_shell.errors
    oss_shell("apply", code=2)
    assert "nothing says which resources" in oss_shell.errors


def test_a_file_of_any_kind_must_say_which(oss_shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("metadata: {name: x}")
    oss_shell("apply", "-f", str(tmp_path), code=2)
    assert "says no kind" in oss_shell.errors
    (tmp_path / "a.yaml").write_text(environment("x"))
    oss_shell("agent", "apply", "-f", str(tmp_path), code=2)
    assert "use `parity environment` for it, or `parity apply`" in oss_shell.errors.lower()


def test_a_get_can_be_applied_again_and_changes_nothing(oss_shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(agent("round", labels="{a: b}"))
    oss_shell("apply", "-f", str(tmp_path / "a.yaml"))
    for form in ("yaml", "json"):
        file = tmp_path / f"got.{form}"
        file.write_text(oss_shell("agent", "get", "round", "-o", form), encoding="utf-8")
        assert oss_shell("apply", "-f", str(file)) == "agent/round unchanged\n"
        assert oss_shell("diff", "-f", str(file)) == ""
        spec = oss_shell.json("agent", "get", "round")["spec"]
        assert oss_shell.json("agent", "update", "-f", str(file))["spec"] == spec


def test_delete_by_file_and_what_is_not_there(oss_shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(agent("gone-1") + "---\n" + environment("gone-2") + "---\n" + agent("never"))
    (tmp_path / "b.yaml").write_text(agent("gone-1") + "---\n" + environment("gone-2"))
    oss_shell("apply", "-f", str(tmp_path / "b.yaml"))
    assert oss_shell("delete", "-f", str(tmp_path / "a.yaml"), code=1).splitlines() == [
        "agent/gone-1 deleted",
        "environment/gone-2 deleted",
    ]
    assert "agent/never: NOT_FOUND" in oss_shell.errors
    assert oss_shell("delete", "-f", str(tmp_path / "a.yaml"), "--ignore-not-found") == ""


def test_delete_all_asks(labelled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer, code, left in (("", 2, 3), ("n\n", 1, 3), ("y\n", 0, 1)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        labelled("agent", "delete", "-l", "tier", code=code)
        assert "agent/one, agent/two" in labelled.errors
        assert labelled.address in labelled.errors
        assert len(labelled.json("agent", "get")) == left
    labelled("agent", "delete", code=2)
    labelled("agent", "delete", "three", "--all", code=2)
    assert labelled("agent", "delete", "--all", "-y") == "agent/three deleted\n"


def test_diff_shows_what_an_apply_would_change(oss_shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(agent("differs"))
    assert "+  name: differs\n" in oss_shell("diff", "-f", str(tmp_path / "a.yaml"), code=1)
    oss_shell("apply", "-f", str(tmp_path / "a.yaml"))
    (tmp_path / "a.yaml").write_text(agent("differs", "Be of more help."))
    lines = oss_shell("agent", "diff", "-f", str(tmp_path / "a.yaml"), code=1).splitlines()
    assert lines[0] == "--- server: agent/differs"
    assert [line for line in lines[3:] if line[:1] in "+-"] == [
        "-  instructions: Be of help.",
        "+  instructions: Be of more help.",
    ]
    oss_shell("diff", "-f", str(tmp_path / "none.yaml"), code=2)


def test_describe_tells_all(cloud_shell: Shell) -> None:
    made = cloud_shell.json("agent", "create", "told", "--org", "acme", "--description", "of acme")
    cloud_shell("agent", "update", "told", "--name", "Told Again")
    cloud_shell("instance", "create", "told-more", "--agent", "told")
    lines = cloud_shell("agent", "describe", "told").splitlines()
    text = "\n".join(lines)
    assert "Name:    Told Again" in lines
    assert "Scope:   organization acme" in lines
    assert "  description: of acme" in lines
    assert f"  told-default ({made['status']['default_instance_id']}), the default" in lines
    assert "  told-more (ain-" in text
    assert "  owner: root" in lines
    events = lines[lines.index("Events:") + 1 :]
    assert [line.split()[1:] for line in events] == [["created", "by", "root"], ["updated", "by", "root"]]


def test_describe_says_what_a_server_does_not_offer(oss_shell: Shell) -> None:
    oss_shell("environment", "create", "plain", "--set", "A=b")
    text = oss_shell("environment", "describe", "plain")
    assert "Policies: this server offers none" in text
    assert "Events: this server offers none" in text
    assert "Instances" not in text


def test_wait_for_what_comes(oss_shell: Shell) -> None:
    made = threading.Timer(0.6, lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
    command = [sys.executable, "-m", "parity.main", "agent", "create", "late", "--address", oss_shell.address]
    made.start()
    assert oss_shell("agent", "wait", "late", "--for=create", "--timeout", "60s") == "agent/late condition met\n"
    made.join()
    oss_shell("agent", "wait", "late", "--for=jsonpath={.metadata.slug}=late")
    oss_shell("agent", "wait", "late", "--for=jsonpath={.status.default_instance_id}")
    oss_shell("agent", "wait", "late", "--for=jsonpath={.metadata.slug}=early", "--timeout", "0.1s", code=1)
    assert "within 0.1s" in oss_shell.errors
    oss_shell("agent", "delete", "late")
    oss_shell("agent", "wait", "late", "--for=delete")


@pytest.mark.parametrize("text", ["", "ready", "jsonpath=", "jsonpath={.a}b"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--for"):
        condition_of(text)


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("2m", 120), ("1h", 3600), ("5", 5), ("250ms", 0.25)])
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
    with pytest.raises(BadInput, match="is no duration"):
        seconds_of(f"{text}x")
