"""One scene from the command line: `python -m tests.database_faults NAME --seconds 60 --seed 1 --replicas 2`.

The exit code is that of `parity conform --nemesis`; of the control, in which something is lost, it is 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from conformance.nemesis.printing import print_nemesis
from tests.database_faults.namespaces import missing, within
from tests.database_faults.scene import play
from tests.database_faults.scenes import SCENES

EXIT_MISSING = 2


def main() -> int:
    """Play a scene, in a namespace where it needs one."""
    parser = argparse.ArgumentParser(description="Servers over a PostgreSQL that fails, judged by the nemesis.")
    parser.add_argument("scene", choices=SCENES)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keeps history, verdict and the servers' log")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    row = SCENES[given.scene]
    if row.namespace and not given.inside:
        if reason := missing(row.namespace):
            print(f"{given.scene}: {reason}", file=sys.stderr)  # noqa: T201 - a command line prints
            return EXIT_MISSING
        return subprocess.call(within(row.namespace, ["-m", "tests.database_faults", *sys.argv[1:], "--inside"]))
    with tempfile.TemporaryDirectory(prefix="database-faults-") as kept:
        folder = given.folder or Path(kept)
        folder.mkdir(parents=True, exist_ok=True)
        with row.set(given.replicas) as scene:
            report = play(scene, given.seconds, given.seed, folder)
        print_nemesis(Console(emoji=False, width=200), report, given.folder)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
