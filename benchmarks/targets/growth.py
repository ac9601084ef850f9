"""What single calls cost as the number of agents grows, on all targets in turns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from benchmarks.results import Sample
from benchmarks.server import calls
from benchmarks.server.calls import WrongAnswers, require_right
from benchmarks.server.goals import agents_label
from benchmarks.server.launch import run_turns_in_processes
from benchmarks.server.load import LoadFailed, LoadPlan
from benchmarks.server.turns import TurnsPlan
from benchmarks.targets.config import TargetsConfig
from benchmarks.targets.measure import PAYLOAD, Findings, Measured, Tell, create
from benchmarks.targets.mixes import BY_NAME
from benchmarks.targets.traffic import judges_of, traffic_of

OPERATIONS = ("get", "get_by_reference", "get_by_agent", "list", "create")
_TURNS = 4
_WARMUP_TURNS = 1
"""Not counted: what a server does for the first time, it does slowly."""
_CALLS_S = 20.0
"""So long a turn of single calls lasts at most."""


def grow(config: TargetsConfig, targets: Sequence[Measured], found: Findings, tell: Tell) -> None:
    """Create agents up to each number and time single calls there; who takes too long stops, and that is said."""
    spent = dict.fromkeys((one.name for one in targets), 0.0)
    have = dict.fromkeys((one.name for one in targets), 0)
    left = list(targets)
    random = Random(f"{config.seed}/growth")  # noqa: S311 - a repeatable order
    for size in config.growth_sizes:
        label = agents_label(size)
        for target in list(left):
            tell(f"{target.name}: up to {label}")
            began = time.monotonic()
            try:
                seconds = config.counts.growth_s - spent[target.name]
                if seconds > 0:
                    have[target.name] += create(target, size - have[target.name], config.seed, seconds)
                reason = ""
            except (LoadFailed, WrongAnswers) as error:
                reason = str(error)
            spent[target.name] += time.monotonic() - began
            if not reason and have[target.name] < size:
                reason = f"it took too long: {have[target.name]:,} agents after {spent[target.name]:.0f} s"
            if reason:
                left.remove(target)
                found.blank("growth", target.subject, reason, label)
        for operation in OPERATIONS:
            tell(f"{operation}, one caller, {label}")
            _single_calls(config, operation, left, found, label, random)


def _single_calls(
    config: TargetsConfig, operation: str, targets: Sequence[Measured], found: Findings, label: str, random: Random
) -> None:
    asked = [one for one in targets if operation != "list" or one.stock.has_list]
    if not asked:
        return
    plans: list[LoadPlan] = []
    prefixes: list[str] = []
    for target in asked:
        prefix = target.prefix()
        message = calls.agent_to_create(config.seed, PAYLOAD, target.address.organization)
        traffic = traffic_of(BY_NAME[operation], target.stock, message, prefix, random)
        plans.append(replace(target.plan(traffic, 1), seconds=_CALLS_S, calls=config.counts.growth_calls))
        prefixes.append(prefix)
    resting = tuple(one.address.process for one in targets if one.address.process is not None)
    try:
        reports = run_turns_in_processes(TurnsPlan(tuple(plans), _WARMUP_TURNS + _TURNS, resting))
    except LoadFailed as error:
        for target in asked:
            found.blank(f"growth_{operation}", target.subject, str(error), label)
        return
    metric = f"growth_{operation}"
    for target, prefix, report in zip(asked, prefixes, reports, strict=True):
        try:
            require_right(report, judges_of(target.stock, prefix), f"{target.name}: {operation}")
        except WrongAnswers as error:
            found.blank(metric, target.subject, str(error), label)
            continue
        values = tuple(report.service_us)[_WARMUP_TURNS * config.counts.growth_calls :]
        for turn in range(_TURNS):
            part = values[turn * config.counts.growth_calls : (turn + 1) * config.counts.growth_calls]
            if part:
                found.samples.append(Sample(metric, metric, "us", target.subject, label, turn, 0, part))
