"""Put loads on servers from a process of its own: the plan comes in as JSON, the reports go out as JSON."""

import sys

from pydantic import TypeAdapter

from benchmarks.children.say import say
from benchmarks.server.load import LoadFailed, LoadReport
from benchmarks.server.turns import TurnsPlan, run_turns

if __name__ == "__main__":
    try:
        reports = run_turns(TypeAdapter(TurnsPlan).validate_json(sys.stdin.buffer.read()))
    except LoadFailed as error:
        sys.stderr.write(str(error))
        sys.exit(3)
    say(TypeAdapter(list[LoadReport]).dump_json(reports))
