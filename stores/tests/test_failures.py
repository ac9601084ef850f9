"""What a failure says: operands, escapes for what looks alike, and something for what is empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Batch, Conflict, Delete, Present, Put, Store, Vacant
from stores.suite.agreement import check_agreement
from stores.suite.check import Bench, Checks, StoreVerdict, Violation, run_check, same
from stores.suite.mutants import mutant
from stores.suite.outcomes import shown_batch
from stores.suite.samples import agent, as_bytes, put
from stores.suite.subject import FunctionSubject, UrlSubject


@pytest.mark.parametrize(
    ("got", "wanted", "says"),
    [
        ("\u00e9", "e\u0301", r"x: got '\xe9', wanted 'e\u0301'"),
        ("", "a", "x: got '', wanted 'a'"),
        (Agent(), None, "x: got Agent '', wanted None"),
        (["\uff41", " "], [], r"x: got ['\uff41', ' '], wanted []"),
    ],
)
def test_what_looks_alike_or_is_empty_is_shown(got: object, wanted: object, says: str) -> None:
    with pytest.raises(Violation) as failure:
        same("x", got, wanted)
    assert str(failure.value) == says


def test_of_long_values_the_place_where_they_differ_is_shown() -> None:
    with pytest.raises(Violation) as failure:
        same("x", "y" * 5000 + "left", "y" * 5000 + "right")
    assert "left'" in str(failure.value)
    assert "right'" in str(failure.value)
    assert len(str(failure.value)) < 600


def test_a_stores_own_words_are_escaped(tmp_path: Path) -> None:
    """Two ids that are one to the eye, in an error that the store raises."""
    checks = Checks()

    @checks("escaped")
    def check(bench: Bench) -> None:
        """Fail in the store's words."""
        raise Conflict(bench.store.capabilities.engine, "\u00e9", "e\u0301")

    result = run_check(check, UrlSubject.of("memory:", tmp_path), "escaped")
    assert (result.verdict, result.reason) == (
        StoreVerdict.FAIL,
        r"Conflict: memory: id '\xe9' is held by 'e\u0301'",
    )


def test_a_batch_is_shown_with_its_operands() -> None:
    batch: Batch = [
        put("a", slug="\u00e9", org="o", when="absent"),
        as_bytes(put("b", org="o", expect=3)),
        Delete("agent", "c", "present", 4),
        Vacant("agent", "slug", ("s",), "a"),
        Present("agent", ""),
    ]
    assert shown_batch(batch) == (
        r"[put agent 'a' absent slug_key='2/o/\xe9' slug='\xe9' org='o', "
        "put agent 'b' as bytes expect 3 slug_key='2/o/b' slug='b' org='o', "
        "delete agent 'c' present expect 4, vacant agent slug='s' unless 'a', present agent '']"
    )


def test_a_disagreement_is_told_with_operands(tmp_path: Path) -> None:
    *steps, problem = check_agreement(mutant("creates_on_update", tmp_path), examples=200, seed=3)
    assert steps
    assert all("commit" in step and "[" in step for step in steps)
    assert any("present" in step for step in steps)
    assert "answer of the last step" in problem


def test_the_same_seed_finds_the_same(tmp_path: Path) -> None:
    opener: Callable[[Path], Store] = mutant("tears_batch", tmp_path).opener
    once, again = (
        check_agreement(FunctionSubject(opener, tmp_path / name), examples=100, seed=5) for name in ("one", "two")
    )
    assert once
    assert once == again


def test_a_put_of_a_message_and_of_bytes_are_shown_alike_but_for_the_form() -> None:
    whole = Put("agent", "a", agent("a"))
    assert shown_batch([as_bytes(whole)]).replace(" as bytes", "") == shown_batch([whole])
