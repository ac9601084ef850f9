"""Prints the kill matrix: which checks each mutant store fails. Its output is `kill_matrix.json`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from stores.suite.mutants import MUTANTS
from stores.tests.test_mutants import failing_checks

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        matrix = {name: failing_checks(name, Path(folder)) for name in MUTANTS}
    sys.stdout.write(json.dumps(matrix, indent=1) + "\n")
