"""Failures to causes: faults that are known, shapes in the evidence, what blocks what, and what nothing explains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from conformance.catalogue import catalogue
from conformance.cause import MEND_FIRST, Cause, Diagnosis, Drift
from conformance.diagnosis import Explained, diagnose
from conformance.dictionary import Fault, dictionary
from conformance.evidence import Exchange
from conformance.failure_text import diagnosis_lines, failure_lines, printable, red_results
from conformance.points import departures
from conformance.shapes import answered_wrongly, one_wrong_status
from conformance.verdict import Problem, Report, Result, RunInfo, Verdict, step_table
from conformance.verdicts_file import read_verdicts, write_verdicts

FAULTS = (
    Fault("wide", "everything of references is wrong", "agent-get-by-reference", "cloud", ("REF-FOUND", "REF-ORG")),
    Fault("narrow", "the organization is ignored", "agent-get-by-reference", "cloud", ("REF-ORG",)),
    Fault("twin", "the organization is lost", "agent-get-by-reference", "cloud", ("REF-ORG",)),
    Fault("local", "slugs are by organization", "agent-create", "oss", ("DUP-KIND",)),
)


def problem(seq: int, expected: str = "", actual: str = "", text: str = "wrong status") -> Problem:
    return Problem(text, expected, actual, seq)


def result(name: str, verdict: Verdict = Verdict.FAIL, *problems: Problem, evidence: tuple[int, ...] = ()) -> Result:
    row = catalogue()[name]
    head = (row.id, row.level, row.profiles, row.operation, row.step, row.sentence, row.source, row.id)
    return Result(*head, verdict, problems, evidence=evidence)


def exchange(seq: int, step: str, code: str = "OK", fault: str = "", items: int | None = None) -> Exchange:
    responses: tuple[object, ...] = () if items is None else ({"items": [{}] * items},)
    return Exchange(seq, "c", "l", step, "", "/x", {}, code, responses=responses, fault=fault)


def explained(
    results: Iterable[Result],
    exchanges: Iterable[Exchange] = (),
    faults: Iterable[Fault] = FAULTS,
    profile: str = "cloud",
) -> Explained:
    return diagnose(tuple(results), {one.seq: one for one in exchanges}, profile, faults)


def found(*results: Result, exchanges: Iterable[Exchange] = (), profile: str = "cloud") -> list[str]:
    return [cause.id for cause in explained(results, exchanges, profile=profile).diagnosis.causes]


def test_a_run_without_failures_has_no_causes() -> None:
    assert explained([result("REF-ORG", Verdict.PASS)]) == Explained(Diagnosis(), {})


def test_the_fault_that_breaks_all_that_failed_is_named_and_one_of_which_half_passed_is_not() -> None:
    assert found(result("REF-FOUND"), result("REF-ORG")) == ["wide"]
    assert found(result("REF-FOUND", Verdict.PASS), result("REF-ORG")) == ["narrow"]


def test_faults_that_look_the_same_are_told_together() -> None:
    (cause,) = explained([result("REF-FOUND", Verdict.PASS), result("REF-ORG")]).diagnosis.causes
    assert (cause.sentence, cause.also) == ("the organization is ignored", ("the organization is lost",))


@pytest.mark.parametrize(
    ("fault", "telling"),
    [("create-duplicate-omitted", "DUP-SLUG"), ("environment-duplicate-wrong-code", "ENV-DUPLICATE")],
)
def test_what_is_about_the_step_that_is_wrong_shows_it_best(fault: str, telling: str) -> None:
    """Each breaks requirements of other operations or steps that fewer faults break."""
    (known,) = [one for one in dictionary() if one.id == fault]
    assert {"ENV-DUPLICATE", "DUP-SCOPE-ORG"} <= set(known.fails)
    rows = [result(name) for name in catalogue() if name in known.fails]
    (cause,) = explained(rows, faults=[replace(known, kinds={})]).diagnosis.causes
    assert (cause.id, cause.telling) == (fault, telling)


def test_what_was_not_measured_speaks_neither_for_a_fault_nor_against_it() -> None:
    (cause,) = explained([result("REF-FOUND", Verdict.NOT_APPLICABLE), result("REF-ORG")]).diagnosis.causes
    assert cause.passed == ()


def test_a_fault_of_the_oss_profile_is_not_looked_for_in_the_other() -> None:
    assert found(result("DUP-KIND"), profile="oss") == ["local"]
    assert found(result("DUP-KIND"), profile="cloud") == []


def test_what_nothing_explains_is_said_to_be_unexplained() -> None:
    diagnosis = explained([result("REF-ORG"), result("SLUG-LENGTH")]).diagnosis
    assert diagnosis.unexplained == ("SLUG-LENGTH",)
    assert diagnosis.headline == "1 probable cause explains 1 of 2 failures"


def test_where_most_is_unexplained_a_fault_of_little_is_not_believed() -> None:
    unknown = [result(name) for name in ("SLUG-LENGTH", "SLUG-GIVEN", "GET-UNKNOWN")]
    assert found(result("REF-ORG"), result("REF-FOUND", Verdict.PASS), *unknown) == []
    assert found(result("REF-ORG"), result("REF-FOUND", Verdict.PASS), unknown[0]) == ["narrow"]


def test_it_is_said_what_a_cause_explains_alone_and_what_speaks_against_it() -> None:
    faults = (
        Fault("one", "one", "", "cloud", ("REF-FOUND", "REF-ORG", "REF-KIND", "REF-SLUG")),
        Fault("two", "two", "", "cloud", ("REF-ORG", "GET-KIND", "GET-FOUND")),
    )
    rows = [result(name) for name in ("GET-FOUND", "GET-KIND", "REF-FOUND", "REF-ORG", "REF-SLUG")]
    causes = explained([*rows, result("REF-KIND", Verdict.PASS)], faults=faults).diagnosis.causes
    assert [cause.id for cause in causes] == ["two", "one"]
    assert causes[0].alone == ("GET-FOUND", "GET-KIND")
    assert causes[1].passed == ("REF-KIND",)
    assert causes[1].sure == "2 explained by nothing else, 1 by another cause too; 1 of 4 that it breaks passed"


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


def test_causes_stand_in_the_order_of_the_failures_that_each_takes_away() -> None:
    ways = tuple(f"page {number} of 1" for number in range(9))
    faults = (
        Fault("pages", "pages are wrong", "", "cloud", ("BYA-PAGES",), {"BYA-PAGES": ways}),
        Fault("slugs", "slugs are wrong", "", "cloud", ("SLUG-LENGTH", "SLUG-GIVEN")),
    )
    pages = result("BYA-PAGES", Verdict.FAIL, *(problem(1, text=way) for way in ways))
    rows = [pages, result("SLUG-LENGTH"), result("SLUG-GIVEN")]
    assert [cause.id for cause in explained(rows, faults=faults).diagnosis.causes] == ["slugs", "pages"]


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


AS_ANSWERED = Fault(
    "accepted",
    "a duplicate is answered OK",
    "",
    "cloud",
    ("DUP-SLUG",),
    {"DUP-SLUG": ("refused: wrong status, got OK",)},
)


def refused(name: str, expected: str, actual: str) -> Result:
    return result(name, Verdict.FAIL, problem(1, expected, actual, "refused: wrong status"))


def test_a_fault_explains_only_what_fails_as_it_does() -> None:
    accepted, unknown = (refused("DUP-SLUG", "ALREADY_EXISTS", got) for got in ("OK", "UNKNOWN: taken"))
    assert [one.id for one in explained([accepted], faults=[AS_ANSWERED]).diagnosis.causes] == ["accepted"]
    diagnosis = explained([unknown], faults=[AS_ANSWERED]).diagnosis
    assert (diagnosis.causes, diagnosis.unexplained) == ((), ("DUP-SLUG",))


def test_two_ways_in_which_one_requirement_fails_have_two_causes() -> None:
    other = Fault("slug", "the slug is lost", "", "cloud", ("DUP-SLUG",), {"DUP-SLUG": ("find: slug",)})
    both = result(
        "DUP-SLUG",
        Verdict.FAIL,
        problem(1, "ALREADY_EXISTS", "OK", "refused: wrong status"),
        problem(2, text="find: slug"),
    )
    causes = explained([both], faults=[AS_ANSWERED, other]).diagnosis.causes
    assert {cause.id for cause in causes} == {"accepted", "slug"}


def test_a_fault_is_known_beside_another_that_changes_the_statuses_of_refusals() -> None:
    """What is refused that should succeed is refused with the status that all refusals have."""
    fault = Fault(
        "kept",
        "a name is kept",
        "",
        "cloud",
        ("DEL-RECREATE",),
        {"DEL-RECREATE": ("s: wrong status, got ALREADY_EXISTS",)},
    )
    names = ("GET-UNKNOWN", "DUP-SLUG", "UPD-UNKNOWN")
    statuses = [refused(name, "NOT_FOUND" if "UNK" in name else "ALREADY_EXISTS", "UNKNOWN") for name in names]
    again = result("DEL-RECREATE", Verdict.FAIL, problem(2, "OK", "UNKNOWN: taken", "s: wrong status"))
    causes = explained([*statuses, again], faults=[fault]).diagnosis.causes
    assert [cause.id for cause in causes] == ["shape:status:UNKNOWN", "kept"]


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


def test_what_fails_where_and_as_its_prerequisite_does_is_blocked_by_it() -> None:
    calls = [exchange(1, "instance.by_agent", "INTERNAL"), exchange(2, "instance.by_agent", "INTERNAL")]
    whole = explained(
        [result("BYA-AGENT", Verdict.FAIL, problem(1)), result("INST-ONE", Verdict.FAIL, problem(2))], calls
    )
    assert whole.blocked_by == {"INST-ONE": ("BYA-AGENT",)}
    (cause,) = whole.diagnosis.causes
    assert (cause.id, cause.blocked) == ("requirement:BYA-AGENT", ("INST-ONE",))
    assert cause.sentence == f"not met: {catalogue()['BYA-AGENT'].sentence}"


def test_a_failure_of_another_sort_is_not_blocked() -> None:
    calls = [exchange(1, "instance.by_agent", "INTERNAL"), exchange(2, "instance.by_agent", "NOT_FOUND")]
    by = result("BYA-AGENT", Verdict.FAIL, problem(1))
    assert explained([by, result("INST-ONE", Verdict.FAIL, problem(2))], calls).blocked_by == {}
    created = [exchange(1, "agent.create"), exchange(2, "agent.create")]
    rows = [result("PERSIST-GET", Verdict.FAIL, problem(1)), result("SLUG-LENGTH", Verdict.FAIL, problem(2))]
    assert explained(rows, created).blocked_by == {}, "an answer that came and is wrong is a failure of its own"


def test_an_untestable_requirement_is_explained_by_what_refused_its_precondition() -> None:
    calls = [exchange(1, "agent.create", "INTERNAL"), exchange(2, "agent.create", "INTERNAL")]
    rows = [
        result("PERSIST-GET", Verdict.FAIL, problem(1)),
        result("UPD-SPEC", Verdict.UNTESTABLE, evidence=(2,)),
        result("GET-AUTH", Verdict.UNTESTABLE),
    ]
    whole = explained(rows, calls)
    assert whole.blocked_by == {"UPD-SPEC": ("PERSIST-GET",)}
    assert whole.diagnosis.unexplained == ()
    assert whole.diagnosis.failures == 2, "want of credentials is nobody's fault"


def test_a_step_is_not_blamed_for_what_is_blocked_elsewhere() -> None:
    one = result("INST-ONE")
    blocked = Result(**{name: getattr(one, name) for name in one.__slots__} | {"blocked_by": ("BYA-AGENT",)})
    rows = {row.step: row for row in step_table([blocked, result("INST-NAME", Verdict.PASS), result("BYA-AGENT")])}
    row = rows["CreateDefaultInstance"]
    assert (row.verdict, row.passed, row.total, row.blocked) == (Verdict.PASS, 1, 2, ("INST-ONE",))
    alone = {row.step: row for row in step_table([blocked, result("BYA-AGENT")])}["CreateDefaultInstance"]
    assert alone.verdict is Verdict.UNTESTABLE, "nothing is left that speaks for the step"


def report(*results: Result, diagnosis: Diagnosis) -> Report:
    run = RunInfo("r", "t", "cloud", 0, "x", "y", {}, {}, tuple(row.id for row in results), "2026-06-01T00:00:00Z")
    return Report(run, results, diagnosis=diagnosis)


def test_a_blocked_failure_stands_under_the_one_that_blocks_it() -> None:
    rows = [result("BYA-AGENT"), result("INST-ONE"), result("REF-ORG")]
    one = rows[1]
    rows[1] = Result(**{name: getattr(one, name) for name in one.__slots__} | {"blocked_by": ("BYA-AGENT",)})
    shown = red_results(report(*rows, diagnosis=Diagnosis()))
    assert [(row.id, blocked) for row, blocked in shown] == [("BYA-AGENT", ("INST-ONE",)), ("REF-ORG", ())]


def test_a_failure_s_line_shows_what_was_expected_and_what_came_in_the_width_there_is() -> None:
    row = result("REF-ORG", Verdict.FAIL, problem(1, "NOT_FOUND", "OK: \x1b[2Jgone"))
    assert list(failure_lines(row, ("A", "B"), 200)) == [
        "wrong status: expected NOT_FOUND, got OK: \\x1b[2Jgone",
        "blocks 2 more: A, B",
    ]
    assert list(failure_lines(row, (), 20)) == ["wrong status:", "expected NOT_FOUND,", "got OK: \\x1b[2Jgone"]
    long = result("REF-ORG", Verdict.FAIL, problem(1, "NOT_FOUND", "x" * 9000))
    assert "".join(failure_lines(long, (), 50)).endswith("x… (9000 characters)")
    both = result("REF-ORG", Verdict.FAIL, problem(1, "x" * 300, "x" * 40))
    assert f"x… (300 characters), got {'x' * 40}" in next(failure_lines(both, (), 500))
    assert (
        list(failure_lines(row, ("AAA-1", "BBB-2", "CCC-3", "DDD-4"), 40))[-1]
        == "blocks 4 more: AAA-1, BBB-2 and 2 more"
    )
    assert printable("a\x07\nb\u202e") == "a\\x07\\nb\\u202e"


def test_the_summary_names_few_causes_and_says_how_many_more_there_are() -> None:
    rows = [result(name) for name in ("REF-ORG", "REF-FOUND", "GET-FOUND", "GET-KIND", "DUP-ORG", "DUP-SLUG", "DUP-ID")]
    causes = tuple(Cause(row.id, f"cause of {row.id}", "", (row.id,), telling=row.id) for row in rows[:-1])
    told = list(diagnosis_lines(report(*rows, diagnosis=Diagnosis(causes, ("DUP-ID",))), 90))
    assert told[0] == "Mend first: 6 probable causes explain 6 of 7 failures"
    assert [line for line in told if line.startswith(f" {MEND_FIRST}. ")]
    assert not [line for line in told if line.startswith(f" {MEND_FIRST + 1}. ")]
    assert told[-2:] == ["… and 1 more: parity diagnose RUN", "Nothing known explains 1 of CheckDuplicate: DUP-ID"]
    whole = list(diagnosis_lines(report(*rows, diagnosis=Diagnosis(causes, ())), 90, whole=True))
    assert [line for line in whole if line.startswith(f" {MEND_FIRST + 1}. ")]


def test_verdicts_keep_the_diagnosis(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("run") / "verdicts.json"
    whole = explained([result("REF-FOUND"), result("REF-ORG")]).diagnosis
    write_verdicts(file, report(result("REF-FOUND"), result("REF-ORG"), diagnosis=whole))
    assert read_verdicts(file).diagnosis == whole


def test_needs_name_requirements_and_never_lead_back() -> None:
    def reached(name: str, path: tuple[str, ...] = ()) -> None:
        assert name not in path, path
        for need in catalogue()[name].needs:
            reached(need, (*path, name))

    for row in catalogue().values():
        reached(row.id)


def as_broken_by(fault: Fault, name: str) -> Result:
    """The verdict on a requirement in a server with one fault."""
    if name not in fault.fails:
        return result(name, Verdict.PASS)
    parts = [kind.rpartition(", got ") for kind in fault.kinds[name]]
    return result(
        name, Verdict.FAIL, *(Problem(text or status, actual=status if text else "") for text, _, status in parts)
    )


@pytest.mark.parametrize("fault", [fault for fault in dictionary() if fault.profile == "cloud"], ids=lambda row: row.id)
def test_a_fault_of_the_dictionary_is_found_by_its_signature(fault: Fault) -> None:
    """It or one that breaks exactly the same is the one cause that is named."""
    rows = [as_broken_by(fault, row.id) for row in catalogue().values() if not row.excluded]
    diagnosis = diagnose(rows, {}, "cloud").diagnosis
    same = {one.id for one in dictionary() if set(one.fails) == set(fault.fails)}
    assert [cause.id in same for cause in diagnosis.causes] == [True]
    assert diagnosis.unexplained == ()
