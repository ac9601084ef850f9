"""The command `parity stores measure`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from stores.suite.measure import WRITERS, GroupGain, Listing, Overhead, group_gain, listing, overhead
from stores.suite.scratch import scratch
from stores.told import told_errors
from terminal.fitting import Fitted, wide_console
from terminal.progress import progress_of


def measure_command(
    url: Annotated[str, typer.Argument(help="Store URL, for example leveldb:/var/lib/agents?durability=durable")],
    resources: Annotated[int, typer.Option(help="Resources in the large store of the listing.", min=1000)] = 20_000,
) -> None:
    """Measure overhead over the engine, the gain of group commit, and listing, on new databases beside the path."""
    with told_errors(), progress_of("measurements", left="nothing is kept") as advance, scratch(url) as subject:
        cost = overhead(subject, "o")
        advance("overhead", 1, 3)
        gain = group_gain(subject, "g")
        advance("group commit", 2, 3)
        lists = listing(subject, "l", resources)
    print_measurements(wide_console(), cost, gain, lists, resources)


def print_measurements(
    console: Console, cost: Overhead | None, gain: GroupGain, lists: Listing, resources: int
) -> None:
    """Print what was measured; `resources` is the size of the large store."""
    if cost is not None:
        table = Table("what", "engine and codec alone", "store", "ratio")
        for what, raw, whole in (
            ("put, µs", cost.raw_put_us, cost.store_put_us),
            ("get, µs", cost.raw_get_us, cost.store_get_us),
        ):
            table.add_row(what, f"{raw:.1f}", f"{whole:.1f}", f"{whole / raw:.2f}")
        console.print(Fitted(table))
    alone, together = gain.alone_per_second, gain.together_per_second
    console.print(
        f"commits/s: {alone:.0f} from one writer, {together:.0f} from {WRITERS} writers ({together / alone:.1f}x)"
    )
    console.print(
        f"listing {lists.hits} of an organization: {lists.small_ms:.2f} ms among 1000, {lists.large_ms:.2f} ms among "
        f"{resources} ({lists.large_ms / lists.small_ms:.2f}x)"
    )
