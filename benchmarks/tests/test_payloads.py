"""Payloads: generated ones have the sizes and alphabets they say, a corpus is accounted for record by record."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
from protovalidate import Validator

from benchmarks.payloads.corpus import load_corpus
from benchmarks.payloads.generator import QUANTILES, generate, instructions_size
from benchmarks.payloads.payload import SIZE_CLASSES, PayloadError, as_stored, class_of, describe
from benchmarks.payloads.slugs import distinct, slug_of
from benchmarks.statistics import percentile

RECORD = {"name": "Code Reviewer", "instructions": "Review code with care.", "source": "someone/agents"}


def corpus(tmp_path: Path, *records: object) -> Path:
    path = tmp_path / "agents.jsonl"
    lines = (record if isinstance(record, str) else json.dumps(record) for record in records)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_same_seed_gives_the_same_agents_and_another_seed_others() -> None:
    assert generate(20, 3).agents == generate(20, 3).agents
    assert generate(20, 3).agents != generate(20, 4).agents


def test_sizes_follow_the_quantiles() -> None:
    sizes = [len(agent.spec.instructions.encode()) for agent in generate(700, 5).agents]
    for share, expected in ((0.10, 652), (0.25, 1_928), (0.50, 5_407), (0.75, 9_572), (0.90, 17_557)):
        assert percentile(sizes, share - 0.06) < expected < percentile(sizes, share + 0.06)
    assert min(sizes) >= 240
    assert max(sizes) <= 149_235


def test_every_known_quantile_is_met_exactly() -> None:
    assert [instructions_size(share) for share, _ in QUANTILES] == [size for _, size in QUANTILES]


@pytest.mark.parametrize("name", [name for name, _ in SIZE_CLASSES])
def test_a_class_holds_only_its_own(name: str) -> None:
    assert {class_of(agent) for agent in generate(40, 9, size_class=name).agents} == {name}


def test_alphabets_and_compressibility_are_those_of_real_agents() -> None:
    texts = [agent.spec.instructions for agent in generate(300, 7).agents]
    shares = sum(not text.isascii() for text in texts) / len(texts)
    assert 0.40 < shares < 0.58
    ideographs = sum(any("\u4e00" <= sign <= "\u9fff" for sign in text) for text in texts) / len(texts)
    assert 0.04 < ideographs < 0.15
    medium = [agent.spec.instructions.encode() for agent in generate(60, 7, size_class="medium").agents]
    left = sum(len(zlib.compress(text, 1)) for text in medium) / sum(map(len, medium))
    assert 0.36 < left < 0.50  # 0.45 for real ones


def test_generated_agents_are_valid_and_their_slugs_distinct() -> None:
    validator = Validator()
    agents = generate(100, 2).agents
    assert not [agent for agent in agents if validator.collect_violations(agent)]
    assert len({slug_of(agent.metadata.name) for agent in agents}) == len(agents)


def test_the_stored_form_is_what_a_server_stores() -> None:
    (agent,) = generate(1, 1).agents
    first, second = as_stored(agent, 1), as_stored(agent, 2)
    assert first.metadata.id < second.metadata.id
    assert len(first.metadata.id) == len("agt-") + 26
    assert first.metadata.slug == slug_of(agent.metadata.name)
    assert first.status.audit.spec_audit.event == "created"
    assert first.spec == agent.spec
    assert not agent.metadata.id
    figures = describe("small", [first, second])
    assert figures.agents == 2
    assert figures.bytes_min == first.ByteSize()


def test_records_become_valid_agents_with_the_organization_of_their_source(tmp_path: Path) -> None:
    record = {**RECORD, "tools": ["Read", "Edit"], "path": "a.md", "model": "m", "category": "", "licence": "MIT"}
    payloads = load_corpus(corpus(tmp_path, record, "", {**RECORD, "name": "Écrivain 2"}))
    first, second = payloads.agents
    assert first.metadata.org == "someone-agents"
    assert list(first.spec.mcp_servers[0].enabled_tools) == ["Read", "Edit"]
    assert dict(first.metadata.annotations) == {"source": "someone/agents", "path": "a.md", "model": "m"}
    assert not first.metadata.slug
    assert slug_of(second.metadata.name) == "crivain-2"
    assert not Validator().collect_violations(first)
    assert (payloads.records, payloads.renamed, payloads.skipped) == (2, 0, ())


def test_what_can_not_be_an_agent_is_named_with_line_and_path(tmp_path: Path) -> None:
    payloads = load_corpus(
        corpus(
            tmp_path,
            {**RECORD, "name": "面试官", "path": "prompts.json#7"},
            RECORD,
            {**RECORD, "instructions": "short"},
            {**RECORD, "source": "//"},
        )
    )
    assert len(payloads.agents) == 1
    assert payloads.records == 4
    by_line = dict(zip((1, 3, 4), payloads.skipped, strict=True))
    assert by_line[1] == "line 1 (prompts.json#7): name '面试官': no ASCII letter or digit to make a slug of"
    assert by_line[3].startswith("line 3: name 'Code Reviewer': ")
    assert "10 characters" in by_line[3]
    assert "source '//'" in by_line[4]


def test_a_taken_slug_becomes_a_distinct_explicit_one(tmp_path: Path) -> None:
    other = {**RECORD, "name": "code reviewer 2"}
    payloads = load_corpus(corpus(tmp_path, RECORD, other, RECORD, {**RECORD, "source": "another"}))
    assert [agent.metadata.slug for agent in payloads.agents] == ["", "", "code-reviewer-3", "code-reviewer-4"]
    assert payloads.renamed == 2
    slugs = [as_stored(agent, 0).metadata.slug for agent in payloads.agents]
    assert len(set(slugs)) == 4


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"name": "x"', "line 2: the line: Invalid JSON"),
        ('{"name": "x", "source": "y"}', "line 2: instructions: Field required"),
        ('{"name": 7, "source": "y", "instructions": "long enough"}', "line 2: name: Input should be a valid string"),
        ("[]", "line 2: the line: Input should be an object"),
        ('{"name": "x", "source": "", "instructions": "long enough"}', "line 2: source"),
        ('{"name": "x", "source": "y", "instructions": "long enough", "description": null}', "line 2: description: "),
        ('{"name": "x", "source": "y", "instructions": "long enough", "tools": "read"}', "line 2: tools: "),
        ('{"name": "\\ud83d", "source": "y", "instructions": "long enough"}', "line 2: "),
    ],
)
def test_a_malformed_line_is_left_out_and_named(tmp_path: Path, line: str, says: str) -> None:
    payloads = load_corpus(corpus(tmp_path, RECORD, line, RECORD))
    assert (payloads.records, len(payloads.agents)) == (3, 2)
    assert says in payloads.skipped[0]


def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path: Path) -> None:
    path = corpus(tmp_path, RECORD)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_corpus(path).skipped == ()


def test_an_agent_that_no_request_may_hold_is_left_out(tmp_path: Path) -> None:
    large = {**RECORD, "instructions": "x" * (10 * 1024 * 1024)}
    payloads = load_corpus(corpus(tmp_path, {**RECORD, "instructions": "x" * (5 * 1024 * 1024)}, large))
    assert len(payloads.agents) == 1
    assert "over 10 MiB" in payloads.skipped[0]


def test_no_agents_or_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match="no record of 1 can be an agent"):
        load_corpus(corpus(tmp_path, {**RECORD, "name": "面"}))
    with pytest.raises(PayloadError, match="check the path"):
        load_corpus(tmp_path / "nowhere.jsonl")


def test_distinct_takes_the_first_free_number() -> None:
    taken = {"a", "a-2"}
    assert distinct("a", taken) == "a-3"
    assert distinct("b", taken) == "b"
    assert taken == {"a", "a-2", "a-3", "b"}


@pytest.mark.parametrize(
    ("name", "slug"),
    [("My Cool Agent", "my-cool-agent"), ("  -A--b\t(c)  ", "a-b-c"), ("面试官", ""), ("C++ & Go", "c-go"), ("", "")],
)
def test_slugs(name: str, slug: str) -> None:
    assert slug_of(name) == slug
