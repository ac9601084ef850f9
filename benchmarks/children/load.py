"""Put loads on servers from a process of its own: the plan comes in as a line of JSON, the reports go out as one.

Before each turn it says `ready` and waits for `go`, so that several such processes load in step.
"""

import sys

from pydantic import TypeAdapter

from benchmarks.children.say import say
from benchmarks.server.load import LoadFailed, LoadReport
from benchmarks.server.turns import GO, READY, TurnsPlan, run_turns


def gate() -> None:
    """Wait for the word to go; end when whoever gives it is gone."""
    say(READY)
    if sys.stdin.buffer.readline() != GO:
        sys.exit(3)


if __name__ == "__main__":
    try:
        reports = run_turns(TypeAdapter(TurnsPlan).validate_json(sys.stdin.buffer.readline()), gate)
    except LoadFailed as error:
        sys.stderr.write(str(error))
        sys.exit(3)
    say(TypeAdapter(list[LoadReport]).dump_json(reports) + b"\n")
