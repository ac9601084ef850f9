"""`parity help`: every topic is there, says what the guides say, and fits the terminal; the guides are packed."""

from __future__ import annotations

import re

import pytest

from parity.help_cli import GUIDES, TOPICS, Topic, plain, section, text_of
from parity.main import run


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_says_what_its_guides_say(topic: Topic) -> None:
    said = " ".join(text_of(topic, None))
    for guide, heading in topic.sections:
        names = re.findall(r"`([^`\n|]+)`", section((GUIDES / guide).read_text(encoding="utf-8"), heading))
        assert [name for name in names if name not in said] == []
    for columns in (40, 80, 120):
        text = [line for line in text_of(topic, columns) if not line.startswith("    ")]
        assert max(map(len, text)) <= columns


def test_topics_commands_and_what_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help"]) == 0
    assert [topic.name for topic in TOPICS] == [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert run(["help", "exit-codes"]) == 0
    assert "3 unreachable or cut short" in capsys.readouterr().out
    assert run(["help", "stores"]) == 0
    assert "durability=durable|relaxed" in capsys.readouterr().out
    assert run(["help", "compare"]) == 0
    assert "--gate" in capsys.readouterr().out
    assert run(["help", "exits"]) == 2
    assert "There are: stores, targets, profiles" in capsys.readouterr().err


def test_markdown_becomes_plain_lines() -> None:
    table = "| a | b |\n|---|---|\n| `x` | y |\n"
    text = f"# Title\n\nWords [of a guide](x.md) that\ngo on.\n\n- one\n- two\n\n{table}\n```sh\nrun  it\n```\n"
    said = ["Title", "", "Words of a guide", "that go on.", "", "- one", "- two", "", "  a: b", "  `x`: y", ""]
    assert list(plain(text, 20)) == [*said, "    run  it", ""]
    with pytest.raises(KeyError):
        section("# Title\n", "Elsewhere")
