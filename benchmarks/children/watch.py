"""Watch a server with many watchers from a process of its own: the plan comes in as JSON, so goes the report."""

import asyncio
import sys

from pydantic import TypeAdapter

from benchmarks.children.say import say
from benchmarks.server.watching import WatchPlan, WatchReport, watch

if __name__ == "__main__":
    report = asyncio.run(watch(TypeAdapter(WatchPlan).validate_json(sys.stdin.buffer.read())))
    say(TypeAdapter(WatchReport).dump_json(report))
