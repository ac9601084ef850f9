"""Judge the claims: a pure function from raw samples and the ledger to verdicts."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.noise import BETWEEN_RUNS, TIMES, Noises, Quietness, widened
from benchmarks.results import (
    ClaimVerdict,
    Conclusion,
    Configuration,
    Placement,
    Ratio,
    Raw,
    Subject,
)
from benchmarks.samples import Samples
from benchmarks.statistics import TooFewBuilds, ratio
from benchmarks.workloads.cold import WORKLOAD as COLD

FORMS = ("times", "saving", "share", "growth")
"""How people state a ratio: 10x faster, 30 % smaller, 95 % of the baseline's rate, grows by at most 1.3x."""


class ClaimsError(Exception):
    """The ledger is wrong. The message says which claim, what is wrong and what to do."""


class UnmatchedDurability(Exception):
    """Somebody tried to rank across durability modes: a comparison of an fsync with none."""


@dataclass(frozen=True, slots=True)
class Made:
    """Of what a claim was made: the language, durability mode and payload class of the system that it speaks of."""

    language: str
    durability: str
    payload: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the ledger with one pair of stores. `at_least` and `at_most` are ratios, whatever the form says.

    A sentence that is judged of several pairs is several claims of one id. `language` is empty for Python's stores.
    """

    id: str
    title: str
    sentence: str
    metric: str
    form: str
    at_least: float
    at_most: float | None
    baseline: tuple[str, str]
    candidate: tuple[str, str]
    language: str = ""
    made: Made | None = None
    leads: bool = True
    """Whether the claim may have been made of this; otherwise it says what comes out elsewhere."""
    cold: bool = False
    """Judged of a database that isn't in memory."""

    def subjects(self, mode: str) -> tuple[Subject, Subject]:
        """Return baseline and candidate in a mode."""
        return Subject(*self.baseline, mode, language=self.language), Subject(
            *self.candidate, mode, language=self.language
        )

    def is_about(self, mode: str, payload: str) -> bool:
        """Return whether the claim was made of this; a claim that doesn't say was made of everything."""
        made_of = Made(self.language or "python", mode, payload)
        return self.leads and (self.made is None or self.made == made_of)


def load_claims(text: str | None = None) -> tuple[Claim, ...]:
    """Return the claims of a ledger, by default the project's. Raises ClaimsError."""
    source = text if text is not None else files("benchmarks").joinpath("claims.toml").read_text("utf-8")
    try:
        table = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ClaimsError(f"the claim ledger is no TOML: {error}") from error
    rows = [{**table.get("defaults", {}), **row} for row in table.get("claim", ())]
    warm = [_claim({**row, **side}) for row in rows for side in _sides(table, row)]
    colds = {row["id"]: row["cold_metric"] for row in rows if "cold_metric" in row}
    cold = [replace(claim, metric=colds[claim.id], leads=False, cold=True) for claim in warm if claim.id in colds]
    claims = (*warm, *cold)
    ids = [row["id"] for row in rows]
    repeated = sorted({id_ for id_ in ids if ids.count(id_) > 1})
    if repeated or not claims:
        what = f"ids used twice: {', '.join(repeated)}" if repeated else "no [[claim]] in it"
        raise ClaimsError(f"the claim ledger has {what}")
    return claims


def _sides(table: dict[str, Any], row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pairs that a row compares: those it names, else its own baseline and candidate."""
    known = table.get("pair", {})
    unknown = [name for name in row.get("pairs", ()) if name not in known]
    if unknown:
        raise ClaimsError(f"claim {row.get('id')!r}: no [pair.{unknown[0]}] in the ledger")
    return [known[name] for name in row.get("pairs", ())] or [{}]


class _Side(BaseModel):
    engine: str
    codec: str

    def pair(self) -> tuple[str, str]:
        return self.engine, self.codec


class _Made(BaseModel):
    model_config = ConfigDict(extra="forbid")

    language: str
    durability: str
    payload: str


class _Row(BaseModel):
    """A row of the ledger, with its defaults and one pair of stores."""

    id: str
    title: str
    sentence: str
    metric: str
    form: str
    at_least: float
    at_most: float | None = None
    baseline: _Side
    candidate: _Side
    language: str = ""
    made: _Made | None = None
    leads: bool = True
    cold_metric: str = ""


def _claim(row: dict[str, Any]) -> Claim:
    name = row.get("id", "one without id")
    try:
        read = _Row.model_validate(row)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise ClaimsError(f"claim {name!r}: {place}: {problem['msg']}") from error
    if read.form not in FORMS:
        raise ClaimsError(f"claim {name!r}: form {read.form!r}; one of: {', '.join(FORMS)}")
    low = as_ratio(read.form, read.at_least, name)
    high = None if read.at_most is None else as_ratio(read.form, read.at_most, name)
    if high is not None and high <= low:
        raise ClaimsError(f"claim {name!r}: at_most must be above at_least")
    return Claim(
        id=read.id,
        title=read.title,
        sentence=read.sentence,
        metric=read.metric,
        form=read.form,
        at_least=low,
        at_most=high,
        baseline=read.baseline.pair(),
        candidate=read.candidate.pair(),
        language=read.language,
        made=None if read.made is None else Made(**read.made.model_dump()),
        leads=read.leads,
    )


def as_ratio(form: str, bound: float, name: str = "") -> float:
    """Return a stated bound as a ratio: a saving of 0.3 (30 % smaller) is baseline over candidate 1.43."""
    if form in {"times", "share"}:
        return bound
    if form == "growth":
        return 1 / bound
    if not bound < 1:
        raise ClaimsError(f"claim {name!r}: a saving of {bound} is more than everything; state 30 % as 0.30")
    return 1 / (1 - bound)


def in_words(form: str, value: float) -> str:
    """Return a ratio as people say it: `12.3x`, or `42 % smaller`, `8 % larger`, or `57 %`."""
    if form in {"times", "growth"}:
        times = value if form == "times" else 1 / value
        return f"{times:.0f}x" if times >= 100 else f"{times:.3g}x"  # noqa: PLR2004 - three digits either way
    if form == "share":
        return f"{value:.0%}".replace("%", " %")
    saving = 1 - 1 / value
    return f"{abs(saving):.0%} {'smaller' if saving >= 0 else 'larger'}".replace("%", " %")


def interval_in_words(form: str, found: Ratio) -> str:
    """Return the interval of a ratio as people say it, the smaller figure first."""
    ends = [in_words(form, end) for end in (found.interval.low, found.interval.high)]
    return " to ".join(reversed(ends) if form == "growth" else ends)  # more growth is a smaller ratio


def stated_in_words(one: ClaimVerdict) -> str:
    """Return the range that a claim states as people say it."""
    least = in_words(one.form, one.at_least)
    if one.at_most is not None:
        return f"{least} to {in_words(one.form, one.at_most)}"
    return f"at {'most' if one.form == 'growth' else 'least'} {least}"


def place(found: Ratio, at_least: float, at_most: float | None) -> Placement:
    """Return where the interval lies, seen from the stated range."""
    low, high = found.interval.low, found.interval.high
    if high < at_least:
        return Placement.BELOW
    if at_most is not None and low > at_most:
        return Placement.ABOVE
    return Placement.INSIDE if low >= at_least and (at_most is None or high <= at_most) else Placement.ACROSS


def decide(found: Ratio, at_least: float) -> Conclusion:
    """Return the verdict on "at least": by where the whole interval lies, never by the point."""
    if found.interval.low >= at_least:
        return Conclusion.SUPPORTED
    return Conclusion.CONTRADICTED if found.interval.high < at_least else Conclusion.INCONCLUSIVE


def compare(samples: Samples, metric: str, payload: str, baseline: Subject, candidate: Subject) -> Ratio:
    """Return baseline over candidate. Raises UnmatchedDurability, LookupError (no samples), TooFewBuilds."""
    if baseline.durability != candidate.durability:
        raise UnmatchedDurability(
            f"{baseline.label} against {candidate.label}: the modes differ, so a ratio would measure the fsync;"
            " compare within one mode"
        )
    return ratio(samples.nested(metric, baseline, payload), samples.nested(metric, candidate, payload))


def judge_claims(raw: Raw, claims: Iterable[Claim]) -> tuple[ClaimVerdict, ...]:
    """Return a verdict for every claim x durability mode x payload class of the run, each claim's headline first.

    Of what the run wasn't asked for, and of stores in a language that it has no samples of, the headlines alone are
    told, with the reason.
    """
    samples = Samples(raw.samples)
    modes = sorted({subject.durability for subject in raw.configuration.subjects})
    payloads = [payload.name for payload in raw.configuration.payload.classes]
    blank = _blank_reasons(raw)
    noises = Noises(raw.noises, raw.environment.cpu_count)
    measured = {sample.subject.language for sample in raw.samples}
    asked = _asked(raw)
    visited = raw.configuration.workloads

    def is_asked(claim: Claim, mode: str, payload: str) -> bool:
        if claim.is_about(mode, payload):
            return True
        sides = {(side, payload) for side in claim.subjects(mode)}
        return (COLD.name in visited or not claim.cold) and claim.language in measured and sides <= asked

    verdicts = [
        _judge(claim, mode, payload, samples, noises, raw.configuration, blank)
        for claim in claims
        for mode in modes
        for payload in payloads
        if is_asked(claim, mode, payload)
    ]
    place = {id_: number for number, id_ in enumerate(dict.fromkeys(one.claim for one in verdicts))}
    return tuple(sorted(verdicts, key=lambda one: (place[one.claim], not one.headline)))


def _asked(raw: Raw) -> set[tuple[Subject, str]]:
    """Return every subject with every payload class that the run was asked to measure it with."""
    refused = [one for one in raw.configuration.subjects if one.durability == "durable"]
    return {
        *((one.subject, one.payload) for one in raw.samples),
        *((one.subject, one.payload) for one in raw.blanks),
        *(
            (one, each.name)
            for one in refused
            if raw.environment.durable_refusal
            for each in raw.configuration.payload.classes
        ),
    }


BlankReason = Callable[[str, Subject, str], str]


def _judge(
    claim: Claim,
    mode: str,
    payload: str,
    samples: Samples,
    noises: Noises,
    configuration: Configuration,
    blank: BlankReason,
) -> ClaimVerdict:
    baseline, candidate = claim.subjects(mode)
    workload = samples.workload_of(claim.metric)
    unjudged = ClaimVerdict(
        claim=claim.id,
        title=f"{claim.title}, cold" if claim.cold else claim.title,
        sentence=claim.sentence,
        metric=claim.metric,
        baseline=baseline,
        candidate=candidate,
        durability=mode,
        payload=payload,
        form=claim.form,
        at_least=claim.at_least,
        at_most=claim.at_most,
        ratio=None,
        placement=None,
        verdict=Conclusion.NOT_MEASURED,
        reason="",
        reproduce=f"{configuration.command} --workload {workload}" if workload else configuration.command,
        headline=claim.is_about(mode, payload),
        cold=claim.cold,
    )
    reason = blank(workload, baseline, payload) or blank(workload, candidate, payload)
    if reason:
        return replace(unjudged, reason=reason)
    try:
        found = compare(samples, claim.metric, payload, baseline, candidate)
    except (LookupError, TooFewBuilds) as error:
        return replace(unjudged, reason=str(error.args[0]))
    if samples.of(claim.metric, baseline, payload)[0].unit not in TIMES:
        return conclude(unjudged, found)
    return conclude_in_noise(unjudged, found, noises.around(workload, payload, baseline, candidate))


def conclude(unjudged: ClaimVerdict, found: Ratio) -> ClaimVerdict:
    """Return the judgement that a ratio leads to."""
    placement = place(found, unjudged.at_least, unjudged.at_most)
    judged = replace(unjudged, ratio=found, placement=placement, verdict=decide(found, unjudged.at_least))
    return replace(judged, reason=_because(judged, found))


def conclude_in_noise(unjudged: ClaimVerdict, found: Ratio, quietness: Quietness) -> ClaimVerdict:
    """Return the judgement of a ratio of times; its interval is widened by how whole runs and a busy machine differ."""
    judged = conclude(unjudged, widened(found, BETWEEN_RUNS * quietness.widening))
    busy = quietness.in_words()
    if judged.verdict is not Conclusion.INCONCLUSIVE or not busy:
        return judged
    return replace(judged, reason=f"{busy}; {interval_in_words(unjudged.form, judged.ratio or found)}")


def _because(one: ClaimVerdict, found: Ratio) -> str:
    interval, least = interval_in_words(one.form, found), in_words(one.form, one.at_least)
    below, above = ("above", "below") if one.form == "growth" else ("below", "above")
    if one.verdict is Conclusion.CONTRADICTED:
        return f"all of {interval} lies {below} {least}"
    if one.verdict is Conclusion.INCONCLUSIVE:
        return f"{interval} has {least} inside it: more builds would decide"
    if one.placement is Placement.ABOVE and one.at_most is not None:
        return f"all of {interval} lies above {in_words(one.form, one.at_most)}: more than was claimed"
    return f"all of {interval} is at or {above} {least}"


def _blank_reasons(raw: Raw) -> BlankReason:
    blanks = {(blank.workload, blank.subject, blank.payload): blank.reason for blank in raw.blanks}
    unproven = {proof.subject: proof.note for proof in raw.durability if not proof.holds}

    def reason(workload: str, subject: Subject, payload: str) -> str:
        if subject in unproven:
            return f"{subject.label}: {unproven[subject]}"
        if subject.durability == "durable" and raw.environment.durable_refusal:
            return raw.environment.durable_refusal
        return blanks.get((workload, subject, payload), "")

    return reason


def count_verdicts(verdicts: Sequence[ClaimVerdict]) -> dict[Conclusion, int]:
    """Return how many judgements came to each verdict, all four named."""
    return {verdict: sum(one.verdict is verdict for one in verdicts) for verdict in Conclusion}
