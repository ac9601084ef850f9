"""Mutants that keep, or make of, what a request says something else than it said. A new one is one row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from reference_server.errors import AlreadyExists, FieldViolation, InvalidArgument
from reference_server.identity import message_of, record_by_slug_key, slug_of
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork
from tests.mutants.mutant import CREATE, DEFAULTS, DUPLICATE, SLUG, UPDATE, VALIDATE, Mutant
from tests.mutants.read_effects import without
from tests.mutants.wrapping import Run, everywhere, first, then, together, wrap

COMPARED, ID_HELD = 128, 64
TIMEOUT_MAX, ANNOTATIONS_MAX = 3_600, 256 * 1024


def all_orgs_later(state: State, work: UnitOfWork) -> None:
    """Narrow the first page alone."""
    del work
    if state.request.page.page_token:
        state.request.org = ""


def scope_for_org(state: State, work: UnitOfWork) -> None:
    """Take the scope for all that is said of whose it is."""
    del work
    if state.request.scope == organization:
        state.request.org = ""


def keeping(keep: Callable[[Any, Any], None]) -> Callable[[State, UnitOfWork], None]:
    """Bring something of what is stored into the request."""

    def effect(state: State, work: UnitOfWork) -> None:
        del work
        if state.existing is not None:
            keep(state.request, message_of(state, state.existing))

    return effect


def _absent_spec(request: Any, stored: Any) -> None:
    if not request.HasField("spec"):
        request.spec.CopyFrom(stored.spec)


def _tools(request: Any, stored: Any) -> None:
    tools = {server.name: list(server.enabled_tools) for server in stored.spec.mcp_servers}
    for server in request.spec.mcp_servers:
        server.enabled_tools.extend([] if server.enabled_tools else tools.get(server.name, []))


def _secrecy(request: Any, stored: Any) -> None:
    for name, value in request.spec.data.items():
        if name in stored.spec.data:
            value.is_secret |= stored.spec.data[name].is_secret


def _metadata_of_an_equal(request: Any, stored: Any) -> None:
    if stored.spec == request.spec:
        for part in ("labels", "annotations"):
            getattr(request.metadata, part).clear()
            getattr(request.metadata, part).update(getattr(stored.metadata, part))


def _built(kind: str, keep: Callable[[Any, Any], None]) -> Any:
    return first(f"{kind}-update", "BuildUpdateState", keeping(keep))


def slug_before_id(run: Run) -> Run:
    """Find by the slug that a request gives, and by its id where nothing has the slug."""

    def loading(state: State, work: UnitOfWork) -> State:
        record = record_by_slug_key(state, work) if state.request.metadata.id else None
        return run(state, work) if record is None else state._replace(existing=record)

    return loading


def normalized_slug(run: Run) -> Run:
    """Look for what would be made of the slug if it were a name."""

    def loading(state: State, work: UnitOfWork) -> State:
        metadata = state.request.metadata
        given = metadata.slug
        metadata.slug = slug_of(given) or given
        found = run(state, work)
        metadata.slug = given
        return found

    return loading


def alike_at_first(state: State, work: UnitOfWork) -> None:
    """Compare long slugs by how they begin."""
    metadata, kind = state.resource.metadata, state.operation.kind.name
    if len(metadata.slug) <= COMPARED:
        return
    for record in work.scan(kind):
        held = message_of(state, record).metadata
        if (held.org, held.slug[:COMPARED]) == (metadata.org, metadata.slug[:COMPARED]):
            raise AlreadyExists(kind, metadata.slug, record.id, "slug")


def joined_key(state: State, work: UnitOfWork) -> None:
    """Look for the organization and the slug as one text with a stroke between."""
    metadata, kind = state.resource.metadata, state.operation.kind.name
    key = f"{metadata.org}/{metadata.slug}"
    if key.count("/") == 1:
        return
    for record in work.scan(kind):
        held = message_of(state, record).metadata
        if f"{held.org}/{held.slug}" == key:
            raise AlreadyExists(kind, metadata.slug, record.id, "slug")


def clamped_timeout(state: State, work: UnitOfWork) -> None:
    """Hold a server's timeout within an hour."""
    del work
    for server in state.resource.spec.mcp_servers:
        if server.HasField("http"):
            server.http.timeout_seconds = min(max(server.http.timeout_seconds, 0), TIMEOUT_MAX)


def limited_annotations(state: State, work: UnitOfWork) -> None:
    """Take as much as another system does."""
    del work
    if sum(len(name) + len(value) for name, value in state.request.metadata.annotations.items()) > ANNOTATIONS_MAX:
        raise InvalidArgument([FieldViolation("metadata.annotations", "are more than 256 KiB; send fewer")])


def cut_id(state: State, work: UnitOfWork) -> None:
    """Keep as much of an id as a column holds."""
    del work
    state.request.metadata.id = state.request.metadata.id[:ID_HELD]


KEPT_SINS: tuple[Mutant, ...] = (
    Mutant(
        "list-later-pages-ignore-org",
        "each page of a list but the first ignores the organization",
        everywhere("list", lambda name: first(name, "ListResources", all_orgs_later)),
        asked=("PAGE-*", "FILTER-*"),
    ),
    *(
        Mutant(
            f"{kind}-reference-ignores-kind",
            f"a reference to an {kind} ignores the kind",
            wrap(f"{operation}-get-by-reference", "LoadByReference", without("kind")),
            asked=("FILTER-*", "REF-*"),
        )
        for kind, operation in (("instance", "agent-instance"), ("environment", "environment"))
    ),
    Mutant(
        "reference-scope-ignores-org",
        "a reference of organization scope ignores the organization",
        everywhere("get-by-reference", lambda name: first(name, "LoadByReference", scope_for_org)),
        asked=("FILTER-*", "REF-*", "EXACT-*"),
    ),
    Mutant(
        "update-keeps-absent-spec",
        "an update without a spec keeps the old one",
        together(_built("agent", _absent_spec), _built("environment", _absent_spec)),
        asked=("UPD-*", "APL-*", "ENV-*"),
    ),
    Mutant(
        "update-keeps-tools",
        "a server of the same name keeps its tools where an update lists none",
        _built("agent", _tools),
        asked=("UPD-*", "APL-*"),
    ),
    Mutant(
        "update-keeps-secrecy",
        "what was a secret of an environment stays one",
        _built("environment", _secrecy),
        asked=("ENV-*", "APL-*", "RED-*"),
    ),
    Mutant(
        "apply-equal-keeps-labels",
        "an apply with an equal spec keeps labels and annotations",
        everywhere("apply", lambda name: first(name, "ContinueAsCreateOrUpdate", keeping(_metadata_of_an_equal))),
        asked=("APL-*", "UPD-*"),
    ),
    Mutant(
        "slug-beats-id",
        "an update that gives an id and the slug of another changes the other",
        everywhere("update", lambda name: wrap(name, "LoadExisting", slug_before_id)),
        asked=("EXACT-*", "UPD-*"),
    ),
    Mutant(
        "apply-normalizes-slug",
        "an apply looks for what the slug would be if it were a name",
        everywhere("apply", lambda name: wrap(name, "LoadForApply", normalized_slug)),
        asked=("EXACT-*", "APL-*"),
    ),
    Mutant(
        "slug-compared-to-128",
        "slugs are compared by their first 128 characters",
        everywhere("create", lambda name: first(name, DUPLICATE, alike_at_first)),
        asked=("EXACT-*", "DUP-*", "SLUG-*"),
    ),
    Mutant(
        "id-cut",
        "ids of the client are cut at 64 characters",
        everywhere("create", lambda name: first(name, SLUG, cut_id)),
        asked=("EXACT-*", "DEF-*"),
    ),
    Mutant(
        "org-slug-joined",
        "an organization and a slug are joined by a stroke",
        everywhere("create", lambda name: first(name, DUPLICATE, joined_key)),
        asked=("EXACT-*", "DUP-*"),
    ),
    Mutant(
        "timeout-clamped",
        "the timeout of a server is held between 0 and 3600",
        together(then(CREATE, DEFAULTS, clamped_timeout), then(UPDATE, "BuildUpdateState", clamped_timeout)),
        asked=("PERSIST-*", "UPD-*"),
    ),
    Mutant(
        "annotations-limited",
        "annotations of more than 256 KiB are refused",
        everywhere("create", lambda name: first(name, VALIDATE, limited_annotations)),
        asked=("PERSIST-*", "VAL-*"),
    ),
    Mutant(
        "annotations-limited-later",
        "an update to annotations of more than 256 KiB is refused",
        first(UPDATE, VALIDATE, limited_annotations),
        asked=("PERSIST-*", "UPD-*"),
    ),
)
