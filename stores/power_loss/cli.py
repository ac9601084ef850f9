"""What `parity stores check URL --power-loss` prints."""

from __future__ import annotations

import secrets

from rich.console import Console
from rich.markup import escape

from stores.power_loss.crash_states import NameOrder, keeps_order
from stores.power_loss.judge import REFUSED, WHOLE
from stores.power_loss.trial import Report, try_power_loss
from stores.registry import StoreUrl
from terminal.progress import progress_of

_SEEDS = 1 << 16


def print_power_loss(console: Console, url: StoreUrl, states: int, seed: int | None, names: NameOrder) -> bool:
    """Try what a power failure may leave of a store, print what came, and return whether all was right."""
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    with progress_of("states tried", left=f"none of them was wrong; --seed {seed} draws the same again") as advance:
        report = try_power_loss(
            url, seed, states=states, names=names, progress=lambda number: advance("states", number, states)
        )
    number = sum(report.outcomes.values())
    console.print(
        f"{len(report.operations)} operations recorded; {number} states that a power failure may leave (seed {seed}): "
        f"{report.outcomes[WHOLE]} whole, {report.outcomes[REFUSED]} refused",
        soft_wrap=True,
    )
    if number < states and report.failure is None:
        console.print(f"the time was up before all {states} were tried")
    for refusal, times in report.refusals.most_common():
        console.print(f"refused {times} times: {escape(refusal)}", soft_wrap=True)
    if report.failure is not None:
        _print_failure(console, report)
    return report.failure is None


def _print_failure(console: Console, report: Report) -> None:
    console.print(f"[red]FAIL[/red] {escape(report.problem)}. The shortest list of operations that was found:")
    for step in report.steps():
        console.print(f"     {escape(step)}", soft_wrap=True)
    if report.failure is not None and not keeps_order(report.operations, report.failure):
        console.print("ext4 and XFS keep names in order, which rules this out: --names kept assumes it", soft_wrap=True)
