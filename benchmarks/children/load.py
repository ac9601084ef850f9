"""Put one load on a server from a process of its own: the plan comes in as JSON, the report goes out as JSON."""

import sys

from pydantic import TypeAdapter

from benchmarks.children.say import say
from benchmarks.server.load import LoadFailed, LoadPlan, LoadReport, run_load

if __name__ == "__main__":
    try:
        report = run_load(TypeAdapter(LoadPlan).validate_json(sys.stdin.buffer.read()))
    except LoadFailed as error:
        sys.stderr.write(str(error))
        sys.exit(3)
    say(TypeAdapter(LoadReport).dump_json(report))
