"""Step ResolveSlug of create: the slug that a name makes."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, Exercise, check
from conformance.evidence import Evidence
from conformance.judging import (
    Judge,
    accepted,
    answered,
    asked_if,
    both,
    choice,
    code,
    equal,
    fact,
    field_is,
    was_refused,
)
from conformance.session import Session
from conformance.sweeps import no_trace, sweep
from conformance.verdict import Problem

LONG_NAME_CHARACTERS = 400

SCRIPTS: tuple[tuple[str, str], ...] = (
    ("latin", "Größe {0}"),
    ("kelvin", "\u212aelvin {0}"),
    ("dotted", "\u0130zmir {0}"),
    ("cyrillic", "Агент {0}"),
    ("greek", "Πράκτορας {0}"),
    ("han", "代理{0}"),
    ("kana", "エージェント {0}"),
    ("hangul", "에이전트 {0}"),
    ("arabic", "وكيل {0}"),
    ("hebrew", "סוכן {0}"),
    ("devanagari", "एजेंट {0}"),
    ("thai", "ตัวแทน {0}"),
    ("emoji", "🤖 {0} 🚀"),
)
"""Names in many scripts. The last word is ASCII and the run's own, so that something to make a slug of is left."""
_SLUGS = {"latin": "gre-{0}", "kelvin": "kelvin-{0}", "dotted": "izmir-{0}"}
"""What is left of a script's pattern. The sign of the unit of temperature and the capital I with a dot, only these,
have ASCII letters when they are made lower-case."""


def _derived(pattern: str, slug: str) -> Exercise:
    """Create an agent with a name made of a pattern, and say which slug it must get."""

    def exercise(session: Session) -> None:
        unique = session.name()
        session.note("slug", slug.format(unique))
        session.call("create", "agent.create", session.agent(name=pattern.format(unique, unique.upper())))

    return exercise


_SLUG = field_is("create", "metadata.slug", fact("slug"))


def _long(session: Session) -> None:
    name = session.name() + "x" * LONG_NAME_CHARACTERS
    session.note("slug", name)
    session.call("create", "agent.create", session.agent(name=name))


def _kept(session: Session) -> None:
    slug = f"Kept_As.It-Is--{session.name()}-"
    session.note("slug", slug)
    session.call("create", "agent.create", session.agent(slug=slug))
    session.find("find", "agent", slug)


def _scripts(session: Session) -> None:
    for script, pattern in SCRIPTS:
        unique = session.name()
        session.note(script, _SLUGS.get(script, "{0}").format(unique))
        session.call(f"create.{script}", "agent.create", session.agent(name=pattern.format(unique)))


def _judge_scripts(evidence: Evidence) -> list[Problem]:
    found: list[Problem] = []
    for exchange in evidence.under("create."):
        wanted = evidence.fact(exchange.label.removeprefix("create."))
        wrong = answered(exchange, "OK")
        found += wrong or equal(f"{exchange.label}: slug", exchange, wanted, exchange.value("metadata.slug"))
    return found


def _nothing(name: str) -> Exercise:
    """A name with nothing to make a slug of, its sweep, and its twin with one letter."""

    def exercise(session: Session) -> None:
        request = samples.agent(name, session.org, resource_id=session.new_id())
        session.call("refused", "agent.create", request)
        request.metadata.name = ""  # the sweep can look for the id only: there is no slug
        sweep(session, "sweep", "agent", request)
        session.call("twin", "agent.create", session.agent(name=f"{name} {session.name()}"))

    return exercise


_REFUSED: Judge = both(
    choice(code("refused", "INVALID_ARGUMENT"), "OK", "FAILED_PRECONDITION", "OUT_OF_RANGE"), accepted("twin")
)
_NO_TRACE = asked_if(was_refused("refused"), "the create was accepted, so nothing was refused", no_trace())

CHECKS: tuple[Check, ...] = (
    check("SLUG-DERIVE", _derived("My Cool Agent {1}", "my-cool-agent-{0}"), _SLUG),
    check("SLUG-CHARACTERS", _derived("a_b.c/d@e'f(g) {0}!", "abcdefg-{0}"), _SLUG),
    check("SLUG-HYPHENS", _derived(" --a  -  b--{0}- -", "a-b-{0}"), _SLUG),
    check("SLUG-LENGTH", _long, _SLUG),
    check("SLUG-GIVEN", _kept, both(_SLUG, field_is("find", "metadata.slug", fact("slug")))),
    check("SLUG-SCRIPTS", _scripts, _judge_scripts),
    check("SLUG-EMPTY", _nothing(""), _REFUSED, also={"ATOM-SLUG-EMPTY": _NO_TRACE}),
    check("SLUG-NOTHING", _nothing("!?… 代理 --"), _REFUSED, also={"ATOM-SLUG-NOTHING": _NO_TRACE}),
)
