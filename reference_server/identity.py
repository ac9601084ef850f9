"""Finding the resource that a request names: by id, by slug key, by reference."""

from __future__ import annotations

from typing import Any

from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from reference_server.call import Profile, State
from reference_server.slugs import slug_of
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Record
from stores.schema import slug_key


def requested_slug(metadata: Any) -> str:  # noqa: ANN401 - the metadata of any resource
    """Return the slug that a request means: the one it gives, else the one made of the name; may be empty."""
    return str(metadata.slug) or slug_of(metadata.name)


def id_by_slug_key(state: State, work: UnitOfWork) -> str | None:
    """Return the id of the resource with the request's slug key, or None.

    In the cloud profile a slug is looked up within its scope, in the oss profile within the kind.
    """
    slug = requested_slug(state.request.metadata)
    if not slug:
        return None
    return holder_of_slug(state, work, state.request.metadata, slug)


def holder_of_slug(state: State, work: UnitOfWork, metadata: Any, slug: str) -> str | None:  # noqa: ANN401
    """Return the id under (kind, scope, slug) in the cloud profile, (kind, slug) in the oss profile, or None."""
    kind = state.operation.kind.name
    if state.rules.profile is Profile.OSS:
        return work.find(kind, "slug", (slug,))
    org = metadata.org if metadata.owner_scope == organization else ""
    return work.find(kind, "slug_key", (str(metadata.owner_scope), org, slug))


def slug_key_text(resource: Any) -> str:  # noqa: ANN401 - any message with metadata
    """Return the slug of a resource for messages, with its organization where it has one."""
    _, org, slug = slug_key(resource.metadata)
    return f"{org}/{slug}" if org else slug


def message_of(state: State, record: Record) -> Any:  # noqa: ANN401 - a message of the operation's kind
    """Parse a record of the operation's kind into a message that the caller may change."""
    return state.operation.kind.message_type.FromString(record.data)
