"""What a file says is what is sent, or it is refused: readers, writers, and the way there and back."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.payloads.corpus import load_corpus
from benchmarks.payloads.generator import generate
from conformance.fuzz import messages, valid_specs
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.spec_pb2 import AgentSpec
from protos.ai.stigmer.commons.apiresource.enum_pb2 import ApiResourceOwnerScope
from protos.ai.stigmer.commons.apiresource.metadata_pb2 import ApiResourceMetadata
from reference_server.client.applying import apply
from reference_server.client.documents import as_json, as_yaml, read_resources
from reference_server.client.failures import BadInput
from reference_server.client.kinds import AGENT, KINDS, Kind
from reference_server.client.resources import Resources
from reference_server.client.server import Endpoint, Server

SIGNS = [*" \n\t\r#:-|>\"'\\{}[],&*!%@`?~=<.+019eEnoyf\u0085\u2028\u2029\x00\x1b\x7f\x9b\ufeff\u202e\u200d🎯é日"]
HOSTILE = st.text(
    st.one_of(
        st.sampled_from(SIGNS),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=16,
)
LIKE_SOMETHING_ELSE = st.sampled_from(
    ["", "~", "null", "no", "Yes", "on", "y", "true", "010", "0o10", "0x1F", "22:22", "1:30", "1_000", "1e3", ".inf",
     ".nan", "-", "---", "...", "<<", "=", "2020-01-01", "1.10", "- a", "a: b", "a #b", "%YAML 1.1", " a ", "a\n",
     "\na", "a\n\n", "  a\nb", "k" * 1500, "a\n b\n  c \n", "\t", "a\r\nb", "@unknown", "!!str a", "&a", "*a", "'", '"']
)  # fmt: skip
TEXTS = st.one_of(HOSTILE, LIKE_SOMETHING_ELSE)


@st.composite
def resources(draw: st.DrawFn, kind: Kind) -> Any:
    """Whatever a server can hold: specs of the suite's generator, hostile texts, fields of a newer schema."""
    message: Any = kind.message_type
    resource: Any = draw(messages(message))
    resource.api_version, resource.kind = "agentic.stigmer.ai/v1", kind.title
    metadata = draw(messages(ApiResourceMetadata))
    resource.metadata.CopyFrom(metadata)
    resource.metadata.owner_scope = draw(st.integers(0, 4))
    for key, value in draw(st.dictionaries(TEXTS, TEXTS, max_size=3)).items():
        resource.metadata.labels[key] = value
    resource.metadata.tags.extend(draw(st.lists(TEXTS, max_size=3)))
    resource.spec.description = draw(TEXTS)
    resource.status.audit.spec_audit.updated_at.FromNanoseconds(draw(st.integers(0, 2**61)))
    for part in (resource, resource.metadata, resource.spec):
        if draw(st.booleans()):
            part.MergeFromString(b"\xf2\xc0\x0c\x03new")  # field 25,614
    return resource


def sent(resource: Message) -> bytes:
    return resource.SerializeToString(deterministic=True)


def read(text: str, kind: Kind, folder: Path, name: str = "file.yaml") -> list[Message]:
    file = folder / name
    file.write_bytes(text.encode())
    return [resource for _, resource in read_resources(str(file), kind)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
@settings(max_examples=15)
@given(data=st.data())
def test_what_is_printed_reads_back_byte_for_byte(
    kind: Kind, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reads_back(kind, data, tmp_path_factory.getbasetemp())


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
@settings(max_examples=500)
@given(data=st.data())
def test_much_that_is_printed_reads_back_byte_for_byte(
    kind: Kind, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reads_back(kind, data, tmp_path_factory.getbasetemp())


def reads_back(kind: Kind, data: st.DataObject, folder: Path) -> None:
    made = data.draw(st.lists(resources(kind), min_size=1, max_size=3))
    expected = [sent(resource) for resource in made]
    assert [sent(resource) for resource in read(as_yaml(made), kind, folder)] == expected
    assert [sent(resource) for resource in read(as_json(made, one=False), kind, folder, "file.json")] == expected
    assert [sent(resource) for resource in read(as_json(made[:1], one=True), kind, folder)] == expected[:1]


@settings(max_examples=8)
@given(data=st.data())
def test_what_a_server_holds_comes_back_to_it_byte_for_byte(
    reference_oss: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Anything that the suite's generator makes and a server takes: got, applied and updated, it is as it was."""
    spec: Any = AgentSpec
    agent = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent", spec=data.draw(valid_specs(spec)))
    agent.metadata.slug, agent.metadata.name = f"held-{uuid4()}", "held"
    agent.metadata.owner_scope = ApiResourceOwnerScope.platform
    agent.metadata.tags.extend(data.draw(st.lists(TEXTS, max_size=3)))
    agent.metadata.labels.update(data.draw(st.dictionaries(TEXTS, TEXTS, max_size=3)))
    with Server(Endpoint(reference_oss)) as server:
        agents = Resources(server, AGENT)
        made = agents.create(agent)
        for text, name in ((as_yaml([made]), "got.yaml"), (as_json([made], one=True), "got.json")):
            (wanted,) = read(text, AGENT, tmp_path_factory.getbasetemp(), name)
            assert apply(agents, wanted).done == "unchanged"
            changed = agents.update(wanted)
            changed.status.CopyFrom(made.status)
            assert sent(changed) == sent(made)


def test_agents_of_a_corpus_read_back_byte_for_byte(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    file = pytestconfig.getoption("corpus")
    agents = list(load_corpus(Path(file)).agents if file else generate(10, seed=1).agents)
    assert agents
    for text, name in ((as_yaml(agents), "agents.yaml"), (as_json(agents, one=False), "agents.json")):
        assert [sent(agent) for agent in read(text, AGENT, tmp_path, name)] == [sent(agent) for agent in agents]


@settings(max_examples=40)
@given(text=TEXTS)
def test_what_is_printed_commands_no_terminal(text: str) -> None:
    agent = AGENT.message_type()
    agent.metadata.name = text  # type: ignore[attr-defined] # an agent has metadata
    for printed in (as_yaml([agent]), as_json([agent], one=True)):
        assert not {"\x1b", "\x9b", "\x7f", "\u202e", "\u2028", "\r"} & set(printed)


def port(text: str) -> str:
    return f"spec: {{mcp_servers: [{{name: x, docker: {{image: i, ports: [{{host_port: {text}}}]}}}}]}}"


def name(text: str) -> str:
    return f"metadata:\n  name: {text}\n"


LAUGHS = "a: &a [1, 1]\n" + "".join(f"a{n}: &a [{', '.join(['*a'] * 10)}]\n" for n in range(9))


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        (port("010"), "line 1: 010 is one number for readers of YAML 1.1 and another", "quote it"),
        (port("22:22"), "host_port: is a whole number, not the text 22:22", "digits"),
        (port("1_000"), "host_port: is a whole number, not the text 1_000", "digits"),
        (port("1.5"), "host_port: is a whole number, not the number 1.5", "digits"),
        (port("true"), "host_port: is a whole number, not the truth value true", "digits"),
        (port("3000000000"), "host_port: is between -2147483648 and 2147483647", ""),
        (name("010"), "line 2: 010 is one number", "quote it"),
        (name("1.10"), "line 2: metadata.name: is text, not the number 1.10", "quote it"),
        (name("true"), "line 2: metadata.name: is text, not the truth value true", "quote it"),
        (name("~"), "line 2: metadata.name: ~ means nothing", "quote it"),
        (name("[a]"), "line 2: metadata.name: is text, not a list", ""),
        (name("a\n  name: b"), "line 3: the key 'name' is there twice", "Keep one"),
        (name("!!int 3"), "line 2: the tag tag:yaml.org,2002:int is not read", "Leave it out"),
        (name('"a\u2028b"'), "line 2: holds the character U+2028", "Write \\u2028 in double quotes"),
        (name('"a\x9bb"'), "line 2: holds the character U+009B", "escape"),
        (name('"\\ud83d"'), "line 2: holds half of a character", ""),
        (name("*gone"), "line 2: nothing has the anchor &gone", ""),
        ("metadata: {labels: {1: a}}", "line 1: '1' is a key that isn't text", "quote it"),
        ("metadata: {labels: {a: null}}", "labels.a: is text, not nothing", "quote it"),
        ("metadata: {labels: {? [a] : b}}", "is a key that isn't text", ""),
        ("a: &a {name: x}\nmetadata: {<<: *a}", "line 2: YAML 1.2 has no merge keys", "quote the key"),
        ("%YAML 1.1\n---\nmetadata: {name: no}", "is written for YAML 1.1", "%YAML 1.1"),
        ("metadata: {owner_scope: everybody}", "owner_scope: can't be the text everybody", "organization"),
        ("metadata: {owner_scope: true}", "owner_scope: can't be the truth value true", "organization"),
        ("metadata: {ownerScope: 1, owner_scope: 2}", "is the same field as ownerScope", "Keep one"),
        ("spec: {instrutcions: typo}", "spec.instrutcions: there is no such field", "Is instructions meant?"),
        ("spec: {env_spec: {data: {A: {is_secret: yes}}}}", "is true or false, not the text yes", "unquoted"),
        ("spec: {mcp_servers: [{http: {}, stdio: {}}]}", "stdio: excludes http", "Keep one"),
        ("spec: {'@unknown': '?'}", "spec.@unknown: is no base64", "leave it"),
        ("status: {audit: {spec_audit: {created_at: noon}}}", "created_at: is no Timestamp", ""),
        ("[" * 3000, "more than 100 brackets", ""),
        ("[" * 3000 + "]" * 3000, "more than 100 brackets", ""),
        ("- " * 3000 + "a", "more than 100 brackets", ""),
        (LAUGHS, "its aliases stand for more than 1,000,000 values", ""),
        ("metadata: [unclosed", "line 1, column", ""),
        ("metadata:\n\tname: a", "line 2, column 1: neither YAML nor JSON", ""),
        ('{"metadata": {"name": "a\\"",\n"name": "b"}}', 'line 2: the key "name" is there twice', "Keep one"),
        ('[{"metadata": {"name": "x"}},\n{"\\u0061": 1, "a": 2}]', 'line 2: the key "a" is there twice', ""),
        ('{"metadata": {"name": "\\ud83d"}}', "holds half of a character", ""),
        ('{"metadata": NaN}', "NaN is no number", ""),
        (f'{{"metadata": {{"owner_scope": {"9" * 5000}}}}}', "more digits than any field takes", ""),
    ],
)  # fmt: skip
def test_what_is_no_resource_or_two_things_is_refused(text: str, sentence: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        read(text, AGENT, tmp_path)
    assert sentence in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path))
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("22:22", "22:22"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("2020-01-01", "2020-01-01"),
        ("'010'", "010"),
        ('"~"', "~"),
        ("!!str 1", "1"),
        ('"\\ud83d\\ude80"', "🚀"),
        ("null", ""),
        ("", ""),
        ("|\n    a\n     b\n", "a\n b\n"),
        ("a # comment", "a"),
    ],
)
def test_text_is_read_by_yaml_1_2(written: str, meant: str, tmp_path: Path) -> None:
    (agent,) = read(name(written), AGENT, tmp_path)
    assert agent.metadata.name == meant  # type: ignore[attr-defined] # an agent has metadata


@pytest.mark.parametrize(("written", "meant"), [("0o10", 8), ("0x10", 16), ("+8", 8), ('"8"', 8), ("8", 8)])
def test_numbers_are_read_by_yaml_1_2(written: str, meant: int, tmp_path: Path) -> None:
    (agent,) = read(port(written), AGENT, tmp_path)
    assert agent.spec.mcp_servers[0].docker.ports[0].host_port == meant  # type: ignore[attr-defined]


def test_json_is_read_as_json(tmp_path: Path) -> None:
    key = "k" * 5000
    text = f'\ufeff{{\t"metadata":\r\n\t{{"name": "\\ud83d\\ude80 \x7f\x9b\u2028\\/", "labels": {{"{key}": "no"}}}}}}'
    (agent,) = read(text, AGENT, tmp_path)
    assert agent.metadata.name == "🚀 \x7f\x9b\u2028/"  # type: ignore[attr-defined]
    assert agent.metadata.labels == {key: "no"}  # type: ignore[attr-defined]


def test_a_json_file_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"line 2, column 1: is no JSON"):
        read("{\nmetadata: {}}", AGENT, tmp_path, "agent.json")


def test_a_list_holds_several_resources(tmp_path: Path) -> None:
    found = read("- metadata: {name: a}\n- metadata: {name: 7}\n".replace("7", "b"), AGENT, tmp_path)
    assert [agent.metadata.name for agent in found] == ["a", "b"]  # type: ignore[attr-defined]
    with pytest.raises(BadInput, match=r"document 2: line 2: metadata\.name"):
        read("- metadata: {name: a}\n- metadata: {name: 7}\n", AGENT, tmp_path)


def test_standard_input_is_read_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO('{"metadata": {"name": "é\\r"}}'.encode())))
    ((_, agent),) = read_resources("-", AGENT)
    assert agent.metadata.name == "é\r"  # type: ignore[attr-defined]
