"""What can be planted in the third server. `program/defects.go` has the names, `expected.json` what each fails."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that the server does wrong, and the requirements whose sentences say the opposite.

    What shows only in a `race` may stay hidden in a run: it depends on which of several calls comes first.
    """

    sin: str
    broken: tuple[str, ...]
    race: bool = False


DEFECTS: dict[str, Defect] = {
    "by-agent-empty": Defect(
        "getByAgent lists and counts nothing",
        ("BYA-PAGES", "BYA-TOTAL", "INST-ONE"),
    ),
    "by-agent-unpaged": Defect(
        "getByAgent lists everything, whatever page is asked for",
        ("BYA-PAGES", "BYA-SIZE"),
    ),
    "refusals-unknown": Defect(
        "every refusal has the status UNKNOWN",
        ("DUP-SLUG", "GET-UNKNOWN", "SLUG-EMPTY", "VAL-AGENT-KIND-CONST"),
    ),
    "store-errors-not-found": Defect(
        "whatever the store has to say against a request is answered NOT_FOUND",
        ("DUP-SLUG", "DUP-ID", "ORD-RACE"),
    ),
    "id-overwritten": Defect(
        "a create with a taken id overwrites what has it",
        ("DUP-ID", "DUP-ID-UNCHANGED"),
    ),
    "duplicate-race": Defect(
        "others get in between the look for a duplicate and the write",
        ("ORD-RACE", "APL-RACE"),
        race=True,
    ),
    "delete-keeps-instances": Defect(
        "an agent's instances outlive it",
        ("DEL-INSTANCES",),
    ),
    "no-rollback": Defect(
        "a create that fails in the middle keeps what it did before",
        ("ATOM-INSTANCE",),
    ),
    "instance-by-name": Defect(
        "the default instance's slug is made of the agent's name, not of its slug",
        ("INST-SAME-NAME", "INST-SLUG"),
    ),
    "older-sub-agents": Defect(
        "field 1 of SubAgent is a message, as it was before it became the name",
        ("VAL-SUBAGENT-NAME-REQUIRED",),
    ),
    "update-resurrects": Defect(
        "others get in between an update's look and its write, so it brings back what was deleted meanwhile",
        ("UPD-RACE-DELETE",),
        race=True,
    ),
}
"""By name. `broken` is the least that must fail: what it says is wrong by its own sentence."""
