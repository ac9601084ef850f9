"""Synthetic agents from a seed: the sizes, alphabets and compressibility of real ones, none of their words.

Sizes follow the quantiles of a collection of 1,499 published agent definitions. Compressibility matters as much as
size, since one engine compresses and the other doesn't: the text below is tuned so that LevelDB shrinks it about as
much as it shrinks real instructions (to 0.67, 0.61 and 0.48 of small, medium and large ones).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from itertools import accumulate, islice
from math import exp, log
from random import Random

from benchmarks.payloads.payload import API_VERSION, SIZE_CLASSES, Payloads
from benchmarks.payloads.slugs import slug_of
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.spec_pb2 import McpServerDefinition, StdioServer
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization

QUANTILES: tuple[tuple[float, int], ...] = (
    (0.00, 247), (0.05, 407), (0.10, 652), (0.15, 975), (0.20, 1_559), (0.25, 1_928), (0.30, 2_137), (0.35, 2_486),
    (0.40, 3_177), (0.45, 4_295), (0.50, 5_407), (0.55, 6_283), (0.60, 6_551), (0.65, 7_050), (0.70, 8_028),
    (0.75, 9_572), (0.80, 11_464), (0.85, 14_057), (0.90, 17_557), (0.95, 21_048), (0.99, 28_906), (0.999, 40_592),
    (1.00, 149_235),
)  # fmt: skip
"""Share of agents, bytes of instructions (UTF-8) at or below which they are."""

IDEOGRAPH_SHARE = 0.09
"""Agents written in ideographs; a further 0.40 are ASCII but for a few signs: together the 0.49 that aren't ASCII."""
SIGNS_SHARE = 0.40
ORGANIZATIONS = 10
TOOLS_SHARE = 0.5
COMMON_SHARE = 0.3
"""Of the words of a sentence, those that every document uses."""
LINE_SIGN_SHARE = 0.2
HEADINGS_UP_TO, BULLETS_UP_TO, CODE_UP_TO = 0.12, 0.55, 0.65
"""Shares of the forms that a line can have, added up; the rest is prose."""

_SIGNS = ("—", "→", "•", "✓", "“", "”", "é", "🚀", "✅", "│")
_COMMON = ("and", "the", "for", "with", "to", "a", "in", "or", "of", "on", "that", "is", "are", "you", "use", "when")
_ONSETS = ("", "b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "pr", "ch", "cl", "sp")
_VOWELS = ("a", "e", "i", "o", "u", "ea", "io")
_CODAS = ("", "n", "r", "s", "t", "l", "m", "nt", "ng", "ct", "x")


def generate(count: int, seed: int, *, size_class: str | None = None) -> Payloads:
    """Return `count` agents with distinct slugs; with a size class, only of that class. Same seed, same agents."""
    random = Random(f"{seed}/{size_class or 'all'}")  # noqa: S311 - repeatable payloads, no secret
    low, high = _span(size_class)
    agents = tuple(_agent(serial, instructions_size(random.uniform(low, high)), random) for serial in range(count))
    return Payloads("synthetic", f"seed {seed}", agents, records=count)


def instructions_size(share: float) -> int:
    """Return the bytes of instructions at a quantile, log-linear between the known ones."""
    place = min(bisect_right(QUANTILES, (share, 1 << 62)), len(QUANTILES) - 1)
    (low_share, low), (high_share, high) = QUANTILES[place - 1], QUANTILES[place]
    part = (share - low_share) / (high_share - low_share)
    return round(exp(log(low) + part * (log(high) - log(low))))


def _span(size_class: str | None) -> tuple[float, float]:
    """Return the quantiles between which the sizes of a class lie."""
    if size_class is None:
        return 0.0, 1.0
    ends = [0, *(end for _, end in SIZE_CLASSES)]
    place = [name for name, _ in SIZE_CLASSES].index(size_class)
    return _share_below(ends[place]), _share_below(ends[place + 1])


def _share_below(size: int) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if instructions_size(middle) < size else (low, middle)
    return low


def _agent(serial: int, size: int, random: Random) -> Agent:
    words = _vocabulary()
    name = " ".join(random.choice(words).title() for _ in range(random.randint(1, 3))) + f" {serial}"
    agent = Agent(api_version=API_VERSION, kind="Agent")
    agent.metadata.name = name
    agent.metadata.owner_scope = organization
    agent.metadata.org = f"org-{random.randrange(ORGANIZATIONS)}"
    agent.metadata.labels["category"] = random.choice(words)
    agent.metadata.annotations["path"] = f"agents/{slug_of(name)}.md"
    agent.metadata.tags.append(random.choice(words))
    agent.spec.description = ". ".join(islice(_sentences(random, _topic(random, 60)), random.randint(1, 5)))
    agent.spec.instructions = _instructions(size, random)
    if random.random() < TOOLS_SHARE:
        tools = [random.choice(words).title() for _ in range(random.randint(1, 9))]
        server = McpServerDefinition(name="tools", stdio=StdioServer(command="agent-tools"), enabled_tools=tools)
        agent.spec.mcp_servers.append(server)
    return agent


def _instructions(size: int, random: Random) -> str:
    kind = random.random()
    if kind < IDEOGRAPH_SHARE:
        return _cut("".join(_ideographs(random, size)), size)
    signs = kind < IDEOGRAPH_SHARE + SIGNS_SHARE
    parts: list[str] = []
    length = 0
    for line in _lines(random, _topic(random, 120 + size // 40), signs=signs):
        parts.append(line)
        length += len(line)
        if length >= size:
            break
    return _cut("".join(parts), size)


def _lines(random: Random, topic: list[str], *, signs: bool) -> Iterator[str]:
    """Yield lines of a document without end: prose, headings, lists, tables; some take up an earlier one's words."""
    sentences = _sentences(random, topic)
    past: list[str] = []
    while True:
        line = next(sentences)
        if past and random.random() < min(0.45, len(past) / 250):
            line = random.choice(past)
        past.append(line)
        sign = random.choice(_SIGNS) + " " if signs and random.random() < LINE_SIGN_SHARE else ""
        form = random.random()
        if form < HEADINGS_UP_TO:
            yield f"\n## {sign}{line[:32].title()}\n\n"
        elif form < BULLETS_UP_TO:
            yield f"- {sign}**{line[:14].strip()}**: {line}\n"
        elif form < CODE_UP_TO:
            yield f"    {line[:40]} = {{{random.randrange(1000)}}}\n"
        else:
            yield f"{line.capitalize()}. {sign}"


def _sentences(random: Random, topic: list[str]) -> Iterator[str]:
    while True:
        length = random.randint(4, 14)
        sources = (_COMMON if random.random() < COMMON_SHARE else topic for _ in range(length))
        yield " ".join(random.choice(source) for source in sources)


def _ideographs(random: Random, size: int) -> Iterator[str]:
    alphabet = [chr(random.randint(0x4E00, 0x9FA5)) for _ in range(400)]
    for _ in range(size // 30 + 2):
        yield "".join(random.choices(alphabet, k=random.randint(6, 18))) + random.choice("，。\n")  # noqa: RUF001


def _topic(random: Random, words: int) -> list[str]:
    return random.choices(_vocabulary(), cum_weights=_weights(), k=words)


@cache
def _vocabulary() -> list[str]:
    random = Random(1)  # noqa: S311 - one fixed made-up language
    return ["".join(_syllable(random) for _ in range(random.randint(1, 4))) for _ in range(6_000)]


@cache
def _weights() -> list[float]:
    return list(accumulate(1 / (rank + 10) for rank in range(len(_vocabulary()))))


def _syllable(random: Random) -> str:
    return random.choice(_ONSETS) + random.choice(_VOWELS) + random.choice(_CODAS)


def _cut(text: str, size: int) -> str:
    """Return the text cut to `size` bytes of UTF-8, or a few less so that no character is broken."""
    return text.encode()[:size].decode(errors="ignore")
