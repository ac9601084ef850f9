"""Deliberately wrong servers: each makes exactly the stored requirements fail. `make mutants` runs all of them."""

from __future__ import annotations

import pytest

from conformance.catalogue import catalogue
from conformance.dictionary import DICTIONARY, dictionary, dictionary_bytes
from conformance.verdict import EXIT_CONFORMANT, EXIT_NOT_CONFORMANT, Level
from tests.mutants import __main__ as command
from tests.mutants.dictionary import faults_of
from tests.mutants.matrix import BOTH, TWICE_MAX, cases, expected, expected_of_generated, faults, unkilled
from tests.mutants.operators import generated
from tests.mutants.page import PAGE, page_of
from tests.mutants.wrong_servers import ALONE, STORES, Outcome, has_fast_paths, has_own_store, judge, sins, store_of

MUTANTS_MIN = 221

FIVE = {
    "create-validate-after-persist": "ATOM-VAL-AGENT-KIND-CONST",
    "create-authorize-after-duplicate": "ORD-DENIED-TAKEN-SLUG",
    "default-instance-omitted": "INST-ONE",
    "status-omitted": "STAT-STORED",
    "create-duplicate-ok": "DUP-SLUG",
}
"""Five classics, and the requirement that is named after each."""
CLASSIC = "create-duplicate-ok"


def test_every_wrong_server_has_a_stored_set_and_no_other_has() -> None:
    stored = expected()
    assert list(stored) == list(sins())
    assert len(stored) >= MUTANTS_MIN
    assert set(sins()) >= ALONE


def test_none_survives_and_stored_sets_name_requirements_that_stand() -> None:
    for name, failing in expected().items():
        assert failing, name
        assert [one for one in failing if one not in catalogue()] == [], name
        assert failing == sorted(failing), name


def test_every_requirement_is_broken_by_somebody() -> None:
    assert unkilled([*expected().values(), *expected_of_generated().values()]) == []


def test_every_generated_one_is_killed_or_has_a_reason() -> None:
    stored, made = expected_of_generated(), generated()
    assert list(stored) == list(made)
    for name, mutant in made.items():
        assert bool(stored[name]) != bool(mutant.equivalent), name


def test_what_a_should_names_no_must_condemns() -> None:
    """Levels are consistent: for each SHOULD there is a server that fails it and no MUST."""
    lenient = [failing for failing in expected().values() if all(_is_should(name) for name in failing)]
    named = {name for failing in lenient for name in failing}
    assert [name for name, row in catalogue().items() if _is_should(name) and not row.excluded] == [
        name for name in catalogue() if name in named
    ]


def _is_should(name: str) -> bool:
    return catalogue()[name].level is Level.SHOULD


def test_the_page_shows_the_stored_sets() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(expected(), expected_of_generated())


def test_the_fault_dictionary_is_that_of_the_stored_sets() -> None:
    assert DICTIONARY.read_bytes() == dictionary_bytes(faults_of(expected())), "python -m tests.mutants.dictionary"
    assert {fault.id: list(fault.fails) for fault in dictionary()} == expected()
    assert [fault.id for fault in dictionary() if not (fault.sentence and fault.where)] == []


def test_the_fault_dictionary_knows_how_each_wrong_server_fails() -> None:
    unknown = [f"{fault.id}: {name}" for fault in dictionary() for name in fault.fails if not fault.kinds.get(name)]
    assert unknown == [], 'make mutants ARGS="--kinds --only NAME"'


def test_a_fault_is_placed_where_its_wrong_server_was_changed() -> None:
    places = {fault.id: fault.where for fault in dictionary()}
    assert places["create-authorize-omitted"] == "agent-create: Authorize"
    assert places["by-agent-total"] == "agent-instance-get-by-agent: LoadByAgent"
    assert places["traced:parent-renamed"] == "agent-create"
    assert places["second:slug_cut"] == "agent-create: ResolveSlug"
    assert places["second:not_serving"] == "rpc"


@pytest.mark.parametrize("name", FIVE)
def test_a_classic_breaks_what_is_named_after_it(name: str) -> None:
    assert FIVE[name] in expected()[name]


@pytest.mark.parametrize("store", STORES)
def test_a_classic_fails_exactly_what_it_breaks(store: str) -> None:
    outcome = judge(CLASSIC, store=store)
    assert sorted(outcome.failing) == expected()[CLASSIC]
    assert outcome.exit_code == EXIT_NOT_CONFORMANT
    assert faults([outcome], expected()) == []


def test_a_server_that_stores_before_it_validates_fails_sweeps_only() -> None:
    broken = expected()["create-validate-after-persist"]
    assert [name for name in broken if name.startswith("VAL-")] == []
    assert [name for name in broken if not name.startswith("ATOM-")] == []


def test_the_stores_take_turns_and_both_may_be_asked_for() -> None:
    over_a_store = [name for name in sins() if not has_own_store(name)]
    turns = cases(sins())
    assert [name for name, _ in turns] == list(sins())
    for store in STORES:
        judged = [name for name in over_a_store if store_of(name) == store]
        assert (len(judged) - len(over_a_store) / len(STORES)) ** 2 <= 1
        assert [name for name in judged if not has_fast_paths(name)]
    assert sorted(cases(over_a_store, BOTH)) == sorted((name, store) for name in over_a_store for store in STORES)
    assert cases(["second:no_event"], BOTH) == [("second:no_event", "")]


def test_survivors_and_sets_that_differ_are_faults() -> None:
    killed = Outcome(CLASSIC, "leveldb", tuple(expected()[CLASSIC]), EXIT_NOT_CONFORMANT)
    survivor = Outcome(CLASSIC, "sqlite", (), EXIT_CONFORMANT)
    lenient = Outcome(CLASSIC, "sqlite", killed.failing, EXIT_CONFORMANT)
    assert faults([killed], expected()) == []
    assert f"{CLASSIC} over sqlite: survived" in faults([killed, survivor], expected())
    assert faults([lenient], expected()) == [f"{CLASSIC} over sqlite: exit code 0 instead of 1"]
    assert faults([killed], {**expected(), "gone": []}) == ["gone: stored, but there is no such server"]


def test_what_differs_by_chance_is_judged_twice_and_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = Outcome(CLASSIC, "leveldb", tuple(expected()[CLASSIC]), EXIT_NOT_CONFORMANT)
    missed = Outcome(CLASSIC, "leveldb", (), EXIT_CONFORMANT)
    elsewhere = Outcome(CLASSIC, "sqlite", killed.failing, EXIT_NOT_CONFORMANT)
    asked: list[object] = []

    def second_time(wanted: list[object], told: object, sets: object) -> list[Outcome]:
        asked.extend(wanted)
        return [killed]

    monkeypatch.setattr(command, "judge_all", second_time)
    assert command.judged_twice([elsewhere, missed], {}) == [elsewhere, killed]
    assert asked == [(CLASSIC, "leveldb")]
    assert f"TWICE {CLASSIC} over leveldb: survived" in capsys.readouterr().out
    assert command.judged_twice([killed, elsewhere], {}) == [killed, elsewhere]
    many = [missed] * (TWICE_MAX + 1)
    assert command.judged_twice(many, {}) == many
    assert len(asked) == 1
