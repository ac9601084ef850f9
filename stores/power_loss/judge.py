"""The process that opens what a power failure left, as a server would after a restart, and says what is there.

`python -m stores.power_loss.judge SCHEME OPTIONS SEED MUTANT`; on standard input a line of JSON for each state (folder,
last commit acknowledged, last one begun), on standard output one with the verdict. It is a process of its own, as a
driver that meets damage may end it.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path

from stores.contract import StoreError
from stores.memory import MemoryStore
from stores.registry import StoreUrl
from stores.suite.crash import state_of
from stores.suite.crash_child import apply, open_subject

DATABASE = "db"
"""The name of the database in the folder of a state."""
WHOLE, REFUSED, WRONG = "whole", "refused", "wrong"


@cache
def expected(seed: int, commits: int) -> object:
    """Return what a store holds after so many commits."""
    with MemoryStore() as model:
        apply(model, seed, range(1, commits + 1))
        return state_of(model)


def verdict(url: str, seed: int, done: int, began: int, mutant: str) -> tuple[str, str]:
    """Return WHOLE, REFUSED with the message, or WRONG with what is wrong."""
    try:
        with open_subject(url, mutant) as store:
            found = state_of(store)
    except StoreError as error:
        return REFUSED, f"{type(error).__name__}: {error}"
    if any(found == expected(seed, commits) for commits in range(done, began + 1)):
        return WHOLE, ""
    earlier = next((commits for commits in reversed(range(done)) if found == expected(seed, commits)), None)
    if earlier is None:
        return WRONG, f"{done} commits were acknowledged, and the store holds no state that any of them left"
    return WRONG, f"{done} commits were acknowledged, and the store holds {earlier} of them without a word"


def main(scheme: str, options: str, seed: int, mutant: str) -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        folder, done, began = json.loads(line)
        url = str(StoreUrl(scheme, str(Path(folder) / DATABASE), json.loads(options)))
        print(json.dumps(verdict(url, seed, done, began, mutant)), flush=True)  # noqa: T201 - its output


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
