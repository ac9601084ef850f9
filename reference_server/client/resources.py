"""Operations on resources of one kind, by id or slug, over a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import grpc
from google.protobuf.message import Message

from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import GetAgentInstancesByAgentRequest
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceReference
from protos.ai.stigmer.commons.rpc.pagination_pb2 import GooglePageInfo, PageInfo
from protos.parity.v1.list_pb2 import ListRequest
from reference_server.client.failures import ClientError, Refused
from reference_server.client.kinds import INSTANCE, Kind
from reference_server.client.policies import Ref, authorized_ids
from reference_server.client.server import Server

PAGE_SIZE = 100
"""Resources asked for at once: also the largest page of getByAgent."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of one kind on a server. Every method raises what `Server.call` raises."""

    server: Server
    kind: Kind

    def create(self, resource: Message) -> Any:  # noqa: ANN401 - the kind's message type, here and below
        """Create a resource; return it as the server made it."""
        return self.server.call(self.kind.methods["create"], resource)

    def apply(self, resource: Message, unchanged_since: str = "") -> Any:  # noqa: ANN401
        """Create the resource, or update the one that has its slug or id."""
        return self.server.call(self.kind.methods["apply"], resource, unchanged_since)

    def update(self, resource: Message, unchanged_since: str = "") -> Any:  # noqa: ANN401
        """Replace name and spec of a resource, found by its id or slug."""
        return self.server.call(self.kind.methods["update"], resource, unchanged_since)

    def delete(self, resource_id: str) -> Any:  # noqa: ANN401
        """Delete by id; return what was deleted."""
        return self.server.call(self.kind.methods["delete"], self.kind.delete_request(resource_id))

    def find(self, name: str, org: str = "") -> Any:  # noqa: ANN401
        """Return the resource with this slug (in `org`, if given) or this id.

        What looks like an id of the kind is asked for as one first. Ids may be anything, so the other reading is
        tried when the first finds nothing; the first refusal is the one that is told. `agent/SLUG` is SLUG.
        """
        name = name.removeprefix(f"{self.kind.word}/")
        readings = [self._by_slug, self._by_id]
        if name.startswith(f"{self.kind.resource.id_prefix}-"):
            readings.reverse()
        try:
            return readings[0](name, org)
        except Refused as refused:
            if refused.code is not grpc.StatusCode.NOT_FOUND:
                raise
            try:
                return readings[1](name, org)
            except Refused:
                raise refused from None

    def _by_slug(self, slug: str, org: str) -> Any:  # noqa: ANN401
        return self.refer(ApiResourceReference(org=org, slug=slug))

    def _by_id(self, resource_id: str, _org: str) -> Any:  # noqa: ANN401
        return self.get(resource_id)

    def refer(self, reference: ApiResourceReference) -> Any:  # noqa: ANN401
        """Return the resource of the kind that a reference means."""
        reference.kind = self.kind.resource.number
        return self.server.call(self.kind.methods["getByReference"], reference)

    def get(self, resource_id: str) -> Any:  # noqa: ANN401
        """Return the resource with an id."""
        return self.server.call(self.kind.methods["get"], self.kind.get_request(resource_id))

    def list(self, org: str = "", limit: int | None = None, account: str = "") -> Iterator[Any]:
        """Yield the resources that the caller may view, in order of creation, at most `limit`.

        A server without lists is asked which ids `account` may view, if that is known.
        """
        try:
            yield from self._pages(org, limit)
        except Refused as refused:
            if refused.code is not grpc.StatusCode.UNIMPLEMENTED:
                raise
            if not account:
                raise ClientError(
                    f"this server offers no lists of {self.kind.word}s",
                    hint="Name what you want to see, or say whose resources: PARITY_ACCOUNT, or a context's account.",
                ) from refused
            found = (one for one in self._authorized(account) if org in {"", one.metadata.org})
            yield from islice(found, limit)

    def _authorized(self, account: str) -> Iterator[Any]:
        ids = authorized_ids(self.server, Ref(kind="identity_account", id=account), "can_view", self.kind.resource.name)
        return (self.get(each) for each in ids)

    def _pages(self, org: str, limit: int | None) -> Iterator[Any]:
        token, seen = "", 0
        while limit is None or seen < limit:
            size = PAGE_SIZE if limit is None else min(PAGE_SIZE, limit - seen)
            request = ListRequest(org=org, page=GooglePageInfo(page_token=token, size=size))
            page = self.server.call(self.kind.methods["list"], request)
            yield from page.items
            seen += len(page.items)
            token = page.next_page_token
            if not token:
                return


def instances_of(server: Server, agent_id: str, limit: int | None = None) -> Iterator[Any]:
    """Yield the instances of an agent, in order of creation, at most `limit`."""
    seen, number = 0, 1
    while limit is None or seen < limit:
        request = GetAgentInstancesByAgentRequest(agent_id=agent_id, page_info=PageInfo(num=number, size=PAGE_SIZE))
        page = server.call(INSTANCE.methods["getByAgent"], request)
        yield from page.items[: None if limit is None else limit - seen]
        seen, number = seen + len(page.items), number + 1
        if not page.items or seen >= page.total_count:
            return
