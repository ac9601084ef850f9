"""Run one build in a fresh process: a plan comes in as JSON, steps and at last the outcome go out as JSON lines."""

import sys

from pydantic import TypeAdapter

from benchmarks.build import BuildOutcome, BuildPlan, measure_build
from benchmarks.children.say import say
from benchmarks.payloads.payload import PayloadError


def main() -> int:
    """Read the plan from standard input, run it, print."""
    plan = TypeAdapter(BuildPlan).validate_json(sys.stdin.buffer.read())

    def tell(step: str) -> None:
        say(TypeAdapter(str).dump_json(step) + b"\n")

    try:
        outcome = measure_build(plan, tell)
    except PayloadError as error:
        sys.stderr.write(str(error))
        return 2
    say(TypeAdapter(BuildOutcome).dump_json(outcome) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
