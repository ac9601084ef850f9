"""Shapes in the evidence that are one cause of many failures: listings, statuses, races, another schema."""

from __future__ import annotations

from dataclasses import replace

from conformance.cause import Drift
from conformance.diagnosis import diagnose
from conformance.evidence import Exchange
from conformance.points import departures
from conformance.shapes import answered_wrongly, one_wrong_status
from conformance.tests.diagnosed import AS_ANSWERED, exchange, explained, found, problem, refused, result
from conformance.verdict import Verdict

LISTS_NOTHING = [exchange(seq, "instance.by_agent", items=0) for seq in (1, 2, 3)]


def test_a_listing_that_never_holds_anything_is_one_cause_of_all_that_looks_through_it() -> None:
    rows = [result("BYA-AGENT", Verdict.FAIL, problem(1)), result("INST-ONE", Verdict.FAIL, problem(2))]
    diagnosis = explained(rows, LISTS_NOTHING).diagnosis
    assert [cause.id for cause in diagnosis.causes] == ["shape:empty:instance.by_agent"]
    assert "each of 3 answers is empty" in diagnosis.causes[0].sentence
    some = [*LISTS_NOTHING, exchange(4, "instance.by_agent", items=1)]
    assert "shape:empty:instance.by_agent" not in found(*rows, exchanges=some)


def test_a_method_that_always_ends_in_one_way_never_works() -> None:
    calls = [exchange(seq, "instance.by_agent", "INTERNAL") for seq in (1, 2, 3)]
    rows = [result("BYA-AGENT", Verdict.FAIL, problem(1)), result("BYA-PAGES", Verdict.FAIL, problem(2))]
    assert found(*rows, exchanges=calls) == ["shape:never:instance.by_agent"]
    assert "shape:never:instance.by_agent" not in found(*rows, exchanges=[*calls, exchange(4, "instance.by_agent")])


def test_one_status_in_the_place_of_several_is_one_cause() -> None:
    rows = [
        result("GET-UNKNOWN", Verdict.FAIL, problem(1, "NOT_FOUND", "UNKNOWN: no rows")),
        result("DUP-SLUG", Verdict.FAIL, problem(2, "ALREADY_EXISTS", "UNKNOWN: taken")),
        result("UPD-INVALID", Verdict.FAIL, problem(3, "INVALID_ARGUMENT", "UNKNOWN")),
        result("APL-INVALID", Verdict.FAIL, problem(4, "INVALID_ARGUMENT", "OK")),
    ]
    calls = [exchange(seq, f"m{seq}", "UNKNOWN") for seq in (1, 2, 3)]
    diagnosis = explained(rows, [*calls, exchange(4, "m4")]).diagnosis
    (cause,) = diagnosis.causes
    assert cause.id == "shape:status:UNKNOWN"
    assert cause.explains == ("GET-UNKNOWN", "DUP-SLUG", "UPD-INVALID")
    assert "(3 of the 3 refusals of this run)" in cause.sentence
    assert diagnosis.unexplained == ("APL-INVALID",)


def test_a_status_explains_what_ends_in_it_alone_and_not_what_should_have_succeeded() -> None:
    names = ("GET-UNKNOWN", "DUP-SLUG", "UPD-INVALID", "ORD-RACE", "SLUG-LENGTH")
    calls = [exchange(seq, f"m{seq}", "UNKNOWN") for seq in range(1, 6)]
    asked = ("NOT_FOUND", "ALREADY_EXISTS", "INVALID_ARGUMENT", "{'OK': 1}", "OK")
    rows = [
        result(name, Verdict.FAIL, problem(seq, expected, "UNKNOWN"))
        for seq, (name, expected) in enumerate(zip(names, asked, strict=True), 1)
    ]
    (cause,) = explained(rows, calls).diagnosis.causes
    assert cause.explains == names[:4]


def test_a_status_is_wrong_too_where_success_would_have_been_as_right_as_a_refusal() -> None:
    names = ("GET-UNKNOWN", "DUP-SLUG", "UPD-INVALID", "FILTER-AGENT-BY-REFERENCE", "SLUG-LENGTH")
    asked = ("NOT_FOUND", "ALREADY_EXISTS", "INVALID_ARGUMENT", "OK or NOT_FOUND", "OK")
    rows = [
        result(name, Verdict.FAIL, problem(seq, expected, "UNKNOWN"))
        for seq, (name, expected) in enumerate(zip(names, asked, strict=True), 1)
    ]
    (cause,) = explained(rows, [exchange(seq, f"m{seq}", "UNKNOWN") for seq in range(1, 6)]).diagnosis.causes
    assert cause.explains == names[:4]


def test_a_wrong_status_explains_its_part_of_what_fails_in_another_way_too() -> None:
    rows = [refused(name, "NOT_FOUND", "UNKNOWN") for name in ("GET-UNKNOWN", "UPD-UNKNOWN", "GET-KIND")]
    both = result(
        "DUP-SLUG",
        Verdict.FAIL,
        problem(1, "ALREADY_EXISTS", "OK", "refused: wrong status"),
        problem(2, "NOT_FOUND", "UNKNOWN", "again: wrong status"),
    )
    diagnosis = explained([*rows, both], faults=[AS_ANSWERED]).diagnosis
    assert [cause.explains for cause in diagnosis.causes] == [("GET-UNKNOWN", "UPD-UNKNOWN", "GET-KIND"), ("DUP-SLUG",)]


def test_a_status_that_is_wrong_in_some_methods_only_names_them() -> None:
    names = ("DUP-SLUG", "DUP-ID", "DUP-AGAIN")
    rows = [refused(name, "ALREADY_EXISTS", "NOT_FOUND") for name in names]
    calls = [exchange(1, "agent.create", "NOT_FOUND")]
    (everywhere,) = explained(rows, calls).diagnosis.causes
    elsewhere = [exchange(seq, "instance.create", "ALREADY_EXISTS") for seq in range(2, 9)]
    (local,) = explained(rows, [*calls, *elsewhere]).diagnosis.causes
    assert (everywhere.where, local.where) == ("", "agent.create")


def test_a_status_that_is_wrong_in_some_methods_only_takes_no_part_from_what_fails_otherwise_too() -> None:
    rows = [refused(name, "ALREADY_EXISTS", "NOT_FOUND") for name in ("DUP-SLUG", "DUP-ID", "DUP-AGAIN")]
    both = (problem(2, "ALREADY_EXISTS", "NOT_FOUND", "again"), problem(3, "True", "False", "found"))
    departed = departures([*rows, result("GET-KIND", Verdict.FAIL, *both)], {})
    (everywhere,) = one_wrong_status(departed, [])
    assert "GET-KIND: again, got NOT_FOUND" in answered_wrongly(everywhere, departed)
    assert answered_wrongly(replace(everywhere, where="agent.create"), departed) == frozenset()


RACING = (
    result("ORD-RACE", Verdict.FAIL, problem(1, text="readable racers of heat 2")),
    result("APL-RACE", Verdict.FAIL, problem(2, text="agents that heat 0 made")),
    result("UPD-RACE-DELETE", Verdict.FAIL, problem(3, "NOT_FOUND", "OK", "came back after its agent was deleted")),
)


def test_what_is_right_in_a_row_and_wrong_together_is_a_race() -> None:
    twins = [result(name, Verdict.PASS) for name in ("DUP-SLUG", "APL-UPDATE", "UPD-DELETED")]
    assert found(*RACING, *twins) == ["shape:race:create", "shape:race:update"]
    accepted = [result(name, Verdict.FAIL, problem(4, "NOT_FOUND", "OK")) for name in ("DUP-SLUG", "UPD-DELETED")]
    assert found(*RACING, *accepted, twins[1]) == ["shape:race:create"]
    assert found(*RACING) == [], "what was not asked in a row says nothing"


def test_what_is_refused_with_a_wrong_status_in_a_row_may_still_be_a_race() -> None:
    refused = result("UPD-DELETED", Verdict.FAIL, problem(4, "NOT_FOUND", "UNKNOWN: gone"))
    assert found(*RACING, refused) == ["shape:race:update"]


def test_racers_that_are_only_refused_otherwise_are_no_race() -> None:
    statuses = result("ORD-RACE", Verdict.FAIL, problem(1, text="statuses of heat 1"))
    assert found(statuses, result("DUP-SLUG", Verdict.PASS)) == []


SUB_AGENTS = Drift("Agent.spec.sub_agents", "the target speaks another one", (("spec", "sub_agents"),))


def test_another_schema_explains_what_fails_where_a_message_holds_the_part() -> None:
    held = {"spec": {"sub_agents": [{"name": "x"}]}}
    calls = [
        Exchange(1, "c", "l", "agent.create", "", "/x", held, "INTERNAL"),
        Exchange(2, "c", "l", "agent.create", "", "/x", held, "OK"),
        Exchange(3, "c", "l", "agent.create", "", "/x", {"spec": {"description": "d"}}, "INTERNAL"),
        Exchange(4, "c", "l", "agent.get", "", "/x", {}, "OK"),
    ]
    rows = [
        result("VAL-SUBAGENT-NAME-REQUIRED", Verdict.FAIL, problem(1, "INVALID_ARGUMENT", "INTERNAL")),
        result("SLUG-LENGTH", Verdict.FAIL, problem(2)),
        result("SLUG-GIVEN", Verdict.FAIL, problem(3)),
        result("PERSIST-ALL", Verdict.FAIL, problem(4, text="get: spec.sub_agents differs")),
    ]
    diagnosis = diagnose(rows, {one.seq: one for one in calls}, "cloud", (), drift=(SUB_AGENTS,)).diagnosis
    (cause,) = diagnosis.causes
    assert (cause.id, cause.explains) == ("schema:Agent.spec.sub_agents", ("VAL-SUBAGENT-NAME-REQUIRED", "PERSIST-ALL"))
    assert diagnosis.unexplained == ("SLUG-LENGTH", "SLUG-GIVEN")


def test_answers_that_can_t_be_parsed_are_one_cause() -> None:
    fault = "the answer is no ai.stigmer.Agent: wrong wire type (begins 0a)"
    calls = [exchange(seq, f"m{seq}", fault=fault) for seq in (1, 2, 3)]
    rows = [result(name, Verdict.FAIL, problem(n)) for n, name in enumerate(("GET-FOUND", "REF-FOUND", "SEND-GET"), 1)]
    assert found(*rows, exchanges=calls) == ["shape:unreadable:ai.stigmer.Agent"]
