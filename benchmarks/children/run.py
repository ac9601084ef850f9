"""Start a child program of this folder and read the one JSON object that it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

DEADLINE_S = 60
"""A child reads some hundred agents; one that takes a minute hangs."""
_TAIL = 300
_UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPROFILEIMPORTTIME")
"""Settings of developers and builders that make a start slower than users know it."""


class ChildFailed(Exception):
    """A child process didn't answer. The message holds the end of what it said."""


def run_child(name: str, *arguments: str) -> dict[str, Any]:
    """Run `benchmarks.children.NAME` in a fresh interpreter and return what it printed. Raises ChildFailed."""
    command = [sys.executable, "-m", f"benchmarks.children.{name}", *arguments]
    usual = {name: value for name, value in os.environ.items() if name not in _UNUSUAL}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True, env=usual)
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise ChildFailed(f"the {name} process did not answer within {DEADLINE_S} s") from error
    except subprocess.CalledProcessError as error:
        raise ChildFailed(
            f"the {name} process ended with {error.returncode}: {error.stderr.strip()[-_TAIL:]}"
        ) from error
    except ValueError as error:
        raise ChildFailed(f"the {name} process printed no answer: {done.stdout[-_TAIL:]!r}") from error
    if not isinstance(answer, dict):
        raise ChildFailed(f"the {name} process printed no answer: {done.stdout[-_TAIL:]!r}")
    return answer
