"""JUnit XML, for machines that count tests. It is red exactly where the suite's exit code isn't zero.

A SHOULD that isn't met is skipped with that message: it is shown, and it fails no build. Claims are test cases that
are skipped where nothing was measured; what a claim turned out to be is in their output, and never a failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from benchmarks.results import ClaimVerdict, Conclusion
from conformance.verdict import EXIT_USAGE, FAILED, Level, Report, Result, Verdict
from reports.models import Broken, Judged, Run
from reports.text import cut, one_line, visible
from reports.views.claims import claim_row

OUTPUT_LIMIT = 8000
"""Characters of one test's output."""

ERRORS = frozenset({Verdict.HARNESS_ERROR, Verdict.NOT_RUN})
"""Red at any level: they say that the run itself didn't come to its end."""
REASONS = {
    Verdict.UNTESTABLE: "untestable",
    Verdict.NOT_APPLICABLE: "not applicable",
    Verdict.FAIL: "SHOULD not met",
    Verdict.FLAKY: "SHOULD not always met",
    Verdict.DEVIATION: "a deviation, no failure",
}


@dataclass(frozen=True, slots=True)
class _Case:
    """One test case. `ending` is empty (passed), failure, error or skipped."""

    name: str
    place: str
    ending: str = ""
    message: str = ""
    body: str = ""
    output: str = ""
    seconds: float = 0.0


def render_junit(run: Run) -> str:
    """Return the XML document."""
    suites = [
        *(
            _suite(one.name, one.report.run.started_at, list(_server_cases(one)), _causes(one.report))
            for one in run.judged
        ),
        *(_suite(one.name, run.started_at, [_broken_case(one)]) for one in run.broken),
    ]
    if run.benchmarks:
        cases = [_claim_case(one) for one in run.benchmarks.judgement.verdicts]
        suites.append(_suite("claims", run.benchmarks.raw.environment.captured_at, cases))
    root = ET.Element("testsuites", {"name": "parity"})
    root.extend(suites)
    for total in ("tests", "failures", "errors", "skipped"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _causes(report: Report) -> dict[str, str]:
    """What to mend first, and what nothing explains, as properties of a suite."""
    found = report.diagnosis
    named = {
        f"mend-first.{number}": f"{cause.sentence} ({cause.id}): {', '.join(cause.explains)}"
        for number, cause in enumerate(found.mend_first, start=1)
    }
    return named | ({"unexplained": ", ".join(found.unexplained)} if found.unexplained else {})


def _suite(name: str, started: str, cases: list[_Case], properties: Mapping[str, str] | None = None) -> ET.Element:
    counts = {ending: sum(case.ending == ending for case in cases) for ending in ("failure", "error", "skipped")}
    suite = ET.Element(
        "testsuite",
        {
            "name": one_line(f"parity.{name}"),
            "tests": str(len(cases)),
            "failures": str(counts["failure"]),
            "errors": str(counts["error"]),
            "skipped": str(counts["skipped"]),
            "time": f"{sum(case.seconds for case in cases):.3f}",
            # The schema's date has neither fraction nor zone; ours is UTC.
            **({"timestamp": visible(started[:19])} if started else {}),
        },
    )
    if properties:
        held = ET.SubElement(suite, "properties")
        for key, value in properties.items():
            ET.SubElement(held, "property", {"name": key, "value": cut(one_line(value), OUTPUT_LIMIT)})
    suite.extend(_element(case) for case in cases)
    return suite


def _element(case: _Case) -> ET.Element:
    element = ET.Element(
        "testcase", {"classname": one_line(case.place), "name": one_line(case.name), "time": f"{case.seconds:.3f}"}
    )
    if case.ending:
        inner = ET.SubElement(element, case.ending, {"message": cut(one_line(case.message), 500)})
        if case.ending != "skipped":
            inner.set("type", case.place.rpartition(".")[2])
            inner.text = cut(visible(case.body), OUTPUT_LIMIT)
    if case.output:
        ET.SubElement(element, "system-out").text = cut(visible(case.output), OUTPUT_LIMIT)
    return element


def _server_cases(judged: Judged) -> Iterator[_Case]:
    report = judged.report
    yield from (_case(judged, result) for result in report.results)
    place = f"parity.{judged.name}.run"
    if not report.run.complete:
        yield _Case("the run came to its end", place, "error", report.run.reason or "it ended early")
    elif report.exit_code == EXIT_USAGE:
        yield _Case("something was measured", place, "error", "no requirement was selected or applied")
    for text in report.known_failing_errors:
        yield _Case(f"known-failing file: {text}", place, "failure", text)
    for text in report.leaks:
        yield _Case(f"clean-up: {text}", place, "failure", f"left behind: {text}")


def _case(judged: Judged, result: Result) -> _Case:
    ending, message = _ending(result)
    return _Case(
        name=f"{result.id}: {cut(result.sentence, 200)}",
        place=f"parity.{judged.name}.{result.step or result.operation}",
        ending=ending,
        message=message,
        body=_story(judged, result) if ending in {"failure", "error"} else "",
        output=_story(judged, result) if ending == "skipped" and result.problems else result.contract_defect,
        seconds=result.duration_ms / 1000,
    )


def _ending(result: Result) -> tuple[str, str]:
    why = result.reason or (result.problems[0].text if result.problems else "")
    word = result.verdict.value.replace("_", " ")
    if result.verdict is Verdict.PASS:
        return "", ""
    if result.verdict in ERRORS or (result.verdict is Verdict.UNTESTABLE and result.level is Level.MUST):
        return "error", f"{word}: {why or 'no reason was given'}"
    if result.verdict in FAILED and result.level is Level.MUST:
        return "failure", why or result.sentence
    return "skipped", f"{REASONS.get(result.verdict, word.lower())}: {why or 'no reason was given'}"


def _story(judged: Judged, result: Result) -> str:
    lines = [result.sentence, f"level {result.level}, contract {result.source}" if result.source else ""]
    lines += [f"contract defect: {result.contract_defect}"] if result.contract_defect else []
    for problem in result.problems:
        lines += [f"- {problem.text}"]
        lines += [f"  expected: {problem.expected}"] if problem.expected else []
        lines += [f"  actual: {problem.actual}"] if problem.actual else []
    lines += [f"blocked by: {', '.join(result.blocked_by)}"] if result.blocked_by else []
    lines += [f"reproduce: {result.reproduce or judged.command}"]
    return "\n".join(line for line in lines if line)


def _broken_case(broken: Broken) -> _Case:
    body = f"{broken.reason}\nreproduce: {broken.command}"
    return _Case("the suite came to verdicts", f"parity.{broken.name}.run", "error", broken.reason, body)


def _claim_case(judged: ClaimVerdict) -> _Case:
    row = claim_row(judged)
    missing = judged.verdict is Conclusion.NOT_MEASURED
    return _Case(
        name=f"judged: {judged.id}",
        place=f"parity.claims.{judged.claim}",
        ending="skipped" if missing else "",
        message=judged.reason or "not measured" if missing else "",
        output="" if missing else f"{judged.sentence}\n{judged.verdict}: {row.meaning}\n{row.ratio}, {row.interval}",
    )
