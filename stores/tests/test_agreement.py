"""Each engine agrees with the memory store, whatever is done to both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from stores.contract import Batch, Delete, IndexKey, Put, StoreError
from stores.memory import MemoryStore
from stores.registry import SCHEMES, unavailable
from stores.suite.agreement import check_agreement
from stores.suite.mutants import CORRECT
from stores.suite.samples import put
from stores.suite.sequences import Step, smallest
from stores.suite.subject import FunctionSubject, UrlSubject

URLS = [f"{scheme.name}:?durability=relaxed" for scheme in SCHEMES if scheme.options and unavailable(scheme) is None]


def test_key_value_layout_agrees(tmp_path: Path) -> None:
    assert check_agreement(FunctionSubject(CORRECT, tmp_path), examples=25) == []


@pytest.mark.parametrize("subject", URLS, indirect=True)
def test_engines_agree(subject: UrlSubject) -> None:
    assert check_agreement(subject, examples=6, steps_max=8) == []


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("subject", [*URLS, "sqlite:?codec=json", "lmdb:?codec=json-orjson"], indirect=True)
def test_engines_agree_at_length(subject: UrlSubject) -> None:
    assert check_agreement(subject, examples=300) == []


def test_a_guess_at_a_revision_that_the_same_call_gives_may_be_refused(tmp_path: Path) -> None:
    class GivesRevisionsLast(MemoryStore):
        def commit(self, batch: Batch) -> int:
            return super().commit(self._without_guesses(batch))

        def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
            return super().commit_many([self._without_guesses(batch) for batch in batches])

        def _without_guesses(self, batch: Batch) -> Batch:
            last = self._revision
            return [
                each._replace(expect=0) if isinstance(each, Put | Delete) and (each.expect or 0) > last else each
                for each in batch
            ]

    assert check_agreement(FunctionSubject(lambda _: GivesRevisionsLast(), tmp_path), examples=300) == []


def test_what_a_store_raises_is_told_with_the_steps_that_lead_to_it(tmp_path: Path) -> None:
    class Raises(MemoryStore):
        def find(self, kind: str, index: str, key: IndexKey) -> str | None:
            if self.last_position() > 1:
                raise KeyError("\u00e9")
            return super().find(kind, index, key)

    *steps, problem = check_agreement(FunctionSubject(lambda _: Raises(), tmp_path), examples=60)
    assert problem == r"raised KeyError: '\xe9'"
    assert 1 <= len(steps) <= 2


def test_what_is_left_of_a_sequence_is_the_smallest() -> None:
    one, other = Step(([put("a"), put("b")], [put("c")]), is_group=True), Step(([put("d"), put("e")],))

    def fails(steps: Sequence[Step]) -> bool:
        operations = [operation for step in steps for batch in step.batches for operation in batch]
        return any(put("b") == each for each in operations) and any(put("e") == each for each in operations)

    left = smallest([Step(), one, Step(), other, one], fails)
    assert left == [Step(([put("e")],)), Step(([put("b")],))]
