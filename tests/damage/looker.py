"""Asks the looking process, starts it again when it died, and gives up on it when it hangs."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from stores.shadow import SHADOW_PREFIX

HANGS_SECONDS = 60
_MESSAGE_BYTES_MAX = 2000

WHOLE, REFUSED = "whole", "refused"
SILENT, CRASHED, HUNG, UNCLEAR, CHANGED = "silent loss", "crashed", "hung", "unclear refusal", "changed"
ALLOWED = (WHOLE, REFUSED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of looking: one of the words above, and the message."""

    word: str
    detail: str = ""
    opened: bool = True
    """False where opening was refused already."""


class Looker:
    """One looking process at a time."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def look(self, url: str, digests: Collection[str], *, create: bool, descriptors: int | None = None) -> Outcome:
        """Open a database in the process and judge what came. `digests` are those of whole databases."""
        child = self._child = self._child or _start()
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the looking process has no pipes")
        child.stdin.write(json.dumps({"url": url, "create": create, "descriptors": descriptors}) + "\n")
        child.stdin.flush()
        if not select.select([child.stdout], [], [], HANGS_SECONDS)[0]:
            self.close()
            return Outcome(HUNG, f"no answer after {HANGS_SECONDS} s")
        line = child.stdout.readline()
        if not line:
            code, words = child.wait(HANGS_SECONDS), child.stderr.read() if child.stderr else ""
            self.close()
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            return Outcome(CRASHED, f"{how}: {words[-_MESSAGE_BYTES_MAX:].strip()}")
        return _judged(json.loads(line), digests)

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _judged(answer: dict[str, str], digests: Collection[str]) -> Outcome:
    if "digest" in answer:
        return Outcome(WHOLE) if answer["digest"] in digests else Outcome(SILENT, "less than all, and no word of it")
    text = f"{answer['error']}: {answer['message']} ({answer['hint']})"
    clear = answer["hint"] and answer["error"] not in {"StoreError", "InvalidOperation"} and SHADOW_PREFIX not in text
    return Outcome(REFUSED if clear else UNCLEAR, text, opened=answer["stage"] != "open")


def _start() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.damage.look"]
    if os.geteuid() == 0 and shutil.which("setpriv"):
        # Root reads what nobody may read. Without these two rights a forbidden file is forbidden.
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def permissions_count() -> bool:
    """Say whether the looking process is bound by the permissions of files."""
    return os.geteuid() != 0 or shutil.which("setpriv") is not None
