"""ResolveSlug: the slug that the client gave, or the one made of the name."""

from __future__ import annotations

from reference_server.errors import FieldViolation, InvalidArgument
from reference_server.identity import slug_of
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork


def resolve_slug(state: State, work: UnitOfWork) -> State:  # noqa: ARG001 - the signature of a step
    """Take the request as the new resource and give it a slug. Raises InvalidArgument when nothing makes one."""
    metadata = state.request.metadata
    if not metadata.slug:
        metadata.slug = slug_of(metadata.name)
    if not metadata.slug:
        raise InvalidArgument(
            [
                FieldViolation(
                    "metadata.name",
                    "no slug can be made of the name: it has no ASCII letter or digit; change the name or send "
                    "metadata.slug",
                    "slug.empty",
                )
            ]
        )
    return state.with_resource(state.request)


def resolve_slug_if_needed(state: State, work: UnitOfWork) -> State:  # noqa: ARG001
    """An update names its resource by id or by slug: make a slug only where there is neither."""
    metadata = state.request.metadata
    if not metadata.id and not metadata.slug:
        metadata.slug = slug_of(metadata.name)
    return state.with_resource(state.request)
