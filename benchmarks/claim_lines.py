"""The claims' verdicts as lines for a terminal: one a claim, as long as the terminal has room for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from benchmarks.claims import stated_in_words
from benchmarks.results import ClaimVerdict, Conclusion, Placement
from benchmarks.robustness import measured_in_words
from terminal.fitting import folded

COLOURS = {
    Conclusion.SUPPORTED: "green",
    Conclusion.CONTRADICTED: "red",
    Conclusion.INCONCLUSIVE: "yellow",
    Conclusion.NOT_MEASURED: "magenta",
}
_VERDICT_WIDTH = max(map(len, Conclusion))


class ClaimLines:
    """The headlines among verdicts, under a line that says of what; what was claimed is said where a line has room."""

    def __init__(self, verdicts: Sequence[ClaimVerdict]) -> None:
        """Keep the headlines."""
        self._groups: dict[str, list[ClaimVerdict]] = {}
        for one in verdicts:
            if one.headline:
                self._groups.setdefault(_sides(one), []).append(one)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield a line a claim."""
        for sides, rows in self._groups.items():
            yield from folded(Text(f"Claims: {sides}", style="italic"), console, options.max_width)
            for one in rows:
                line = _line(one, with_claimed=True)
                if line.cell_len > options.max_width:
                    line = _line(one, with_claimed=False)
                yield from folded(line, console, options.max_width, hanging="  ")


def _sides(one: ClaimVerdict) -> str:
    return f"{one.payload} agents, {one.durability}, {one.baseline.name} to {one.candidate.name}"


def _line(one: ClaimVerdict, *, with_claimed: bool) -> Text:
    beyond = ", more than claimed" * (one.placement is Placement.ABOVE)
    told = one.reason if one.ratio is None else f"{measured_in_words(one, one.ratio)}{beyond}"
    claimed = f"; claimed: {_shortened(stated_in_words(one))}" if with_claimed else ""
    verdict = Text(str(one.verdict).ljust(_VERDICT_WIDTH), style=COLOURS[one.verdict])
    return Text.assemble(verdict, f"  {one.title}: {_shortened(told)}{claimed}")


def _shortened(text: str) -> str:
    """Say `30 % to 50 % smaller` for `30 % smaller to 50 % smaller`."""
    first, to, second = text.partition(" to ")
    word = first.rpartition(" ")[2]
    return f"{first.removesuffix(word).rstrip()} to {second}" if to and second.endswith(f" {word}") else text
