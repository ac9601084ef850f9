"""Mutants of gets, references and lists. A new one is one row."""

from __future__ import annotations

from reference_server.authorization.model import SYSTEM, Ref
from reference_server.authorization.policies import StoredPolicies
from reference_server.pipeline import State
from reference_server.steps.authorize import known_caller
from reference_server.unit_of_work import UnitOfWork
from tests.mutants import effects as do
from tests.mutants import read_effects as rd
from tests.mutants.mutant import (
    AUTHORIZE,
    BY_AGENT,
    GET,
    LIST,
    REFERENCE,
    SEND,
    Mutant,
)
from tests.mutants.wrapping import Run, answering, first, omit, then, together, wrap


def _by_its_agent(run: Run) -> Run:
    def listed(state: State, work: UnitOfWork) -> State:
        agent, caller = Ref("agent", state.request.agent_id), known_caller(state)
        if not state.context.authorizer.allows(caller.ref, "can_view", agent, StoredPolicies(work)):
            return run(state, work)
        return run(state._replace(caller=SYSTEM), work)._replace(caller=caller)

    return listed


READ_SINS: tuple[Mutant, ...] = (
    Mutant(
        "by-agent-of-its-viewers",
        "who may view an agent is shown all its instances",
        wrap(BY_AGENT, "LoadByAgent", _by_its_agent),
    ),
    # get and references
    Mutant(
        "get-other-code",
        "an unknown id is PERMISSION_DENIED to operators too",
        wrap(GET, "LoadTarget", answering(do.message("no"))),
    ),
    Mutant("get-loads-first", "get loads before it authorizes", wrap(GET, AUTHORIZE, rd.load_first)),
    Mutant("get-authorize-omitted", "everybody may get", omit(GET, AUTHORIZE)),
    Mutant("get-by-prefix", "get finds ids that begin alike", wrap(GET, "LoadTarget", rd.prefix_found)),
    Mutant(
        "get-any-kind",
        "get finds ids of other kinds",
        together(*(wrap(f"{k}-get", "LoadTarget", rd.any_kind) for k in ("agent", "agent-instance", "environment"))),
    ),
    Mutant(
        "get-stale",
        "get answers another name",
        then(GET, SEND, do.changed_response(lambda m: do.put_at("metadata.name", m.metadata.name + " ")(m))),
    ),
    Mutant(
        "reference-ignores-org",
        "getByReference ignores the organization",
        wrap(REFERENCE, "LoadByReference", rd.without("org")),
    ),
    Mutant(
        "reference-ignores-kind",
        "getByReference ignores the kind",
        wrap(REFERENCE, "LoadByReference", rd.without("kind")),
    ),
    Mutant(
        "reference-without-slug",
        "getByReference without a slug finds something",
        wrap(REFERENCE, "LoadByReference", rd.no_slug_any),
    ),
    Mutant("reference-any-case", "getByReference ignores case", wrap(REFERENCE, "LoadByReference", rd.any_case)),
    Mutant(
        "reference-by-prefix",
        "getByReference finds slugs that begin alike",
        wrap(REFERENCE, "LoadByReference", rd.slug_by_prefix),
    ),
    Mutant(
        "reference-org-required",
        "getByReference without an organization finds nothing",
        first(
            REFERENCE,
            "LoadByReference",
            lambda s, w: None if s.request.org else do.put_at("slug", "nothing-has-this")(s.request),
        ),
    ),
    Mutant(
        "reference-other-agent",
        "getByReference answers another name",
        then(REFERENCE, SEND, do.changed_response(lambda m: do.put_at("metadata.name", m.metadata.name + " ")(m))),
    ),
    Mutant(
        "reference-authorize-omitted", "everybody may get by reference", wrap(REFERENCE, AUTHORIZE, rd.for_everybody)
    ),
    # lists
    Mutant(
        "list-skips-boundary",
        "a list leaves out the first of every later page",
        then(LIST, "ListResources", do.listing(rd.drop_first_of_later_pages)),
    ),
    Mutant("list-reversed", "a list is newest first", then(LIST, "ListResources", do.listing(rd.newest_first))),
    Mutant("list-ignores-org", "a list ignores the organization", first(LIST, "ListResources", rd.all_orgs)),
    Mutant(
        "list-shows-all", "a list shows what the caller may not view", wrap(LIST, "ListResources", rd.for_everybody)
    ),
    Mutant("list-anonymous", "a list needs no credentials", omit(LIST, AUTHORIZE)),
    Mutant("list-shows-deleted", "a list shows deleted agents", wrap(LIST, "ListResources", rd.with_deleted)),
    Mutant(
        "list-hides-defaults",
        "a list of instances hides default ones",
        then("agent-instance-list", "ListResources", do.listing(rd.hide_default)),
    ),
    Mutant(
        "by-agent-size",
        "getByAgent's pages have 100 where no size is asked for",
        first(BY_AGENT, "LoadByAgent", rd.page(rd.hundred_by_default)),
    ),
    Mutant(
        "by-agent-from-zero",
        "getByAgent counts pages from 0",
        first(BY_AGENT, "LoadByAgent", rd.page(rd.page_from_zero)),
    ),
    Mutant(
        "by-agent-unpaged",
        "getByAgent lists everything, whatever page is asked for",
        then(BY_AGENT, "LoadByAgent", rd.unpaged),
    ),
    Mutant(
        "by-agent-total",
        "total_count counts the page only",
        then(BY_AGENT, "LoadByAgent", do.listing(rd.total_of_page)),
    ),
    Mutant(
        "by-agent-all", "getByAgent lists the instances of all agents", wrap(BY_AGENT, "LoadByAgent", rd.all_instances)
    ),
    Mutant(
        "by-agent-shows-all",
        "getByAgent shows what the caller may not view",
        wrap(BY_AGENT, "LoadByAgent", rd.for_everybody),
    ),
    Mutant(
        "by-agent-reversed", "getByAgent is newest first", then(BY_AGENT, "LoadByAgent", do.listing(rd.newest_first))
    ),
)
