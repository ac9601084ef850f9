"""The suite's checker of histories and Porcupine are of one opinion, on simulated histories and on real ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import orjson
import pytest

from conformance.nemesis.history import Call, read_history
from conformance.nemesis.register import first_unexplained
from conformance.nemesis.run import Plan, run_nemesis
from conformance.runner import Options
from stores.go_build import find_go
from tests.mutants.hosting import CREDENTIALS, reference
from tests.porcupine.build import opinion, program
from tests.porcupine.simulated import SINS as SIMULATED_SINS
from tests.porcupine.simulated import histories
from tests.wrong_replicas.sins import SINS


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    if program().missing() and find_go() is None:
        pytest.skip(f"{program().missing()}; Go isn't on this machine")
    program().build()


def ours(path: Path) -> dict[str, str]:
    by_key: dict[str, list[Call]] = {}
    for call in read_history(path).calls:
        if call.key:
            by_key.setdefault(call.key, []).append(call)
    found = {key: first_unexplained(calls) for key, calls in by_key.items()}
    return {key: "Ok" if call is None else "Illegal" for key, call in found.items()}


def both(path: Path) -> Counter[str]:
    """Compare the opinions key by key; return how often each was given."""
    theirs, mine = opinion(path), ours(path)
    assert {key: (mine[key], theirs[key]) for key in theirs if mine[key] != theirs[key]} == {}
    return Counter(theirs.values())


@pytest.mark.parametrize(
    ("count", "seed"), [(250, 1), *(pytest.param(2000, seed, marks=pytest.mark.full) for seed in range(2, 7))]
)
def test_simulated_histories(count: int, seed: int, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in histories(count, seed)))
    told = both(path)
    assert told["Ok"] >= count / len(SIMULATED_SINS)
    assert told["Illegal"] > count / 5
    right = {key: call for key, call in ours(path).items() if int(key[1:]) % len(SIMULATED_SINS) == 0}
    assert set(right.values()) == {"Ok"}


@pytest.mark.parametrize("sin", ["reads-old", pytest.param("", marks=pytest.mark.full)])
def test_real_histories(sin: str, tmp_path: Path) -> None:
    store = SINS[sin].store if sin else lambda right: right
    with reference("cloud", fast_paths=False, around=store) as address:
        options = Options(profile="cloud", credentials=CREDENTIALS)
        run_nemesis(f"grpc://{address}", options, Plan(("close",), 0.8), out=tmp_path)
    told = both(tmp_path / "history.jsonl")
    assert told["Ok"] > 0
    assert bool(told["Illegal"]) == bool(sin)
