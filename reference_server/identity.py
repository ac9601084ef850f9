"""Slugs, and finding the resource that a request names: by id, by slug key, by reference."""

from __future__ import annotations

import re
from typing import Any

from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from reference_server.pipeline import State
from reference_server.profile import Profile
from reference_server.unit_of_work import UnitOfWork, stored_message
from stores.contract import IndexKey, Record
from stores.schema import slug_key

_BLANK = re.compile(r"\s")
_DROPPED = re.compile(r"[^a-z0-9-]+")
_RUN = re.compile(r"-{2,}")
_ASCII = {
    code: "-" if _BLANK.match(chr(code)) else None if _DROPPED.match(chr(code).lower()) else chr(code).lower()
    for code in range(128)
}
"""What the rules make of each ASCII character: names are mostly of these, and one pass takes a third of the time."""


def slug_of(name: str) -> str:
    """Return the slug of a name; empty when nothing of the name can be kept.

    Lower-case, each white space character to a hyphen, then only ASCII letters, digits and hyphens, no run of
    hyphens, none at either end, no limit of length. Source: behaviour contract, step 3.
    """
    kept = name.translate(_ASCII) if name.isascii() else _DROPPED.sub("", _BLANK.sub("-", name.lower()))
    return (_RUN.sub("-", kept) if "--" in kept else kept).strip("-")


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
    return work.find(state.operation.kind.name, *_slug_entry(state, metadata, slug))


def record_by_slug_key(state: State, work: UnitOfWork) -> Record | None:
    """Return the resource with the request's slug key, or None. Raises CorruptRecord if it is named, but gone."""
    metadata = state.request.metadata
    slug = requested_slug(metadata)
    return work.record_under(state.operation.kind.name, *_slug_entry(state, metadata, slug)) if slug else None


def _slug_entry(state: State, metadata: Any, slug: str) -> tuple[str, IndexKey]:  # noqa: ANN401
    """Return the index in which a slug is looked up, and its key."""
    if state.context.profile is Profile.OSS:
        return "slug", (slug,)
    org = metadata.org if metadata.owner_scope == organization else ""
    return "slug_key", (str(metadata.owner_scope), org, slug)


def slug_key_text(resource: Any) -> str:  # noqa: ANN401 - any message with metadata
    """Return the slug of a resource for messages, with its organization where it has one."""
    _, org, slug = slug_key(resource.metadata)
    return f"{org}/{slug}" if org else slug


def message_of(state: State, record: Record) -> Any:  # noqa: ANN401 - a message of the operation's kind
    """Parse a record of the operation's kind into a message that the caller may change. Raises CorruptRecord."""
    return stored_message(state.operation.kind.name, record.id, record.data)
