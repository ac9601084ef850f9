"""`python -m tests.third_server`: run the suite against every defect; `--update` stores what each makes fail."""

from __future__ import annotations

import argparse
import json
import sys

from tests.third_server.defects import DEFECTS
from tests.third_server.hosting import EXPECTED, expected, judge


def main() -> int:
    """Return 0 if every defect makes exactly the stored requirements fail."""
    parser = argparse.ArgumentParser(description="Run the conformance suite against the third server's defects.")
    parser.add_argument("--update", action="store_true", help="store what each makes fail now")
    parser.add_argument("--only", action="append", default=[], choices=DEFECTS, metavar="NAME", help="may be repeated")
    arguments = parser.parse_args()
    stored = expected() if EXPECTED.exists() else {}
    differing = 0
    for name in arguments.only or DEFECTS:
        failing = sorted(judge([name]).failing())
        known = set(stored.get(name, ()))
        differing += known != set(failing)
        more, fewer = sorted(set(failing) - known), sorted(known - set(failing))
        print(f"{name}: {len(failing)} fail; newly {more}, no longer {fewer}", flush=True)  # noqa: T201 - a command line
        stored[name] = failing
    if arguments.update:
        rows = {name: stored[name] for name in DEFECTS if name in stored}
        EXPECTED.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if differing and not arguments.update else 0


if __name__ == "__main__":
    sys.exit(main())
