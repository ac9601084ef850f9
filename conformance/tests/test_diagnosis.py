"""Failures to causes: faults that are known, what blocks what, and what nothing explains."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.catalogue import catalogue
from conformance.cause import Diagnosis
from conformance.diagnosis import Explained, diagnose
from conformance.dictionary import Fault, dictionary
from conformance.tests.diagnosed import AS_ANSWERED, exchange, explained, found, problem, refused, result
from conformance.verdict import Problem, Result, Verdict, step_table


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


def test_causes_stand_in_the_order_of_the_failures_that_each_takes_away() -> None:
    ways = tuple(f"page {number} of 1" for number in range(9))
    faults = (
        Fault("pages", "pages are wrong", "", "cloud", ("BYA-PAGES",), {"BYA-PAGES": ways}),
        Fault("slugs", "slugs are wrong", "", "cloud", ("SLUG-LENGTH", "SLUG-GIVEN")),
    )
    pages = result("BYA-PAGES", Verdict.FAIL, *(problem(1, text=way) for way in ways))
    rows = [pages, result("SLUG-LENGTH"), result("SLUG-GIVEN")]
    assert [cause.id for cause in explained(rows, faults=faults).diagnosis.causes] == ["slugs", "pages"]


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
