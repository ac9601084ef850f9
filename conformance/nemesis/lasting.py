"""What is wrong for good with one resource, in words: what the last reads show, when nobody writes any more.

That no order explains a history says that something is wrong; these rules say what, where one sentence can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.nemesis.history import Call
from conformance.nemesis.register import WRITES

READS = frozenset({"read", "find", "list"})
NANO = 1e9


def told(call: Call) -> str:
    """Say in words what one call was and what it was answered."""
    sent = " ".join(str(part) for part in (call.sent.get("id"), call.sent.get("value")) if part)
    end = f"{call.returned / NANO:.3f} s" if not call.unknown else "nobody knows when"
    if call.f in READS and call.ok:
        came = "nothing" if call.answer is None else f"{call.answer['value']} ({call.answer['id']})"
    else:
        came = call.error or ("OK" if not call.answer or call.f == "create" else f"OK {call.answer['value']}")
    asked = f"{call.f} {sent}".strip()
    return f"{asked} → {came} [{call.invoked / NANO:.3f} s to {end}, process {call.process}]"


def last_reads(calls: Sequence[Call]) -> list[Call]:
    """Return the reads that began after every write of the resource had ended, as far as that is known."""
    ended = max((call.returned for call in calls if call.f in WRITES and not call.unknown), default=0)
    return [call for call in calls if call.f in READS and call.ok and call.invoked > ended]


def lost(calls: Sequence[Call]) -> Iterator[str]:
    """Yield acknowledged writes of which the last reads show nothing, though nothing came after them."""
    writes = [call for call in calls if call.f in {"create", "update"} and call.ok]
    made = {call.answer["value"]: call for call in writes}
    for read in last_reads(calls):
        for write in reversed(writes):
            undone = any(_may_come_between(call, write, read) for call in _deletes(calls))
            if read.answer is None:
                if not undone and _asks_for(read, write):
                    yield f"{told(write)} was acknowledged and is lost: {told(read)}, and nobody deleted it"
                    return
                continue
            shown = made.get(read.answer["value"])
            if shown is not None and shown.returned < write.invoked and not undone:
                yield f"{told(write)} was acknowledged and is lost: {told(read)} shows what was before"
                return


def came_back(calls: Sequence[Call]) -> Iterator[str]:
    """Yield deleted resources that the last reads show again."""
    written = {call.sent["value"]: call for call in calls if call.f in {"create", "update"}}
    for read in last_reads(calls):
        if read.answer is None:
            continue
        write = written.get(read.answer["value"])
        for delete in _deletes(calls):
            if write is not None and delete.ok and write.effect_until < delete.invoked:
                yield f"{told(delete)} was acknowledged, and what it deleted is back: {told(read)}"
                return


def doubled(calls: Sequence[Call]) -> Iterator[str]:
    """Yield pairs of creates of one slug that were both acknowledged, though nothing was deleted between them."""
    creates = [call for call in calls if call.f == "create" and call.ok]
    for number, first in enumerate(creates):
        for second in creates[number + 1 :]:
            if not any(_may_come_between(call, first, second) for call in _deletes(calls)):
                yield f"both were acknowledged, and nothing was deleted between: {told(first)}; {told(second)}"
                return


def _asks_for(read: Call, write: Call) -> bool:
    """Whether a read meant what a write was answered with, not a resource that had the slug before it."""
    return read.sent.get("id", "") in {"", write.answer["id"]}


def _deletes(calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls if call.f == "delete" and call.outcome != "fail"]


def _may_come_between(delete: Call, one: Call, other: Call) -> bool:
    """Whether a delete can have taken effect between two calls, the first of which may be later than the second."""
    return delete.invoked < max(one.returned, other.returned) and delete.effect_until > min(one.invoked, other.invoked)
