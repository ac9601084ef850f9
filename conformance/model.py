"""A pure model of agents: what a right server must answer next, given all it has answered so far.

It reads exchanges only, so the same code drives the search while it runs and judges its record afterwards. It lets
each answer be followed by any answer that the contract allows, and names what it doesn't allow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conformance.evidence import Exchange, Json, value_at
from conformance.judging import answered, equal
from conformance.verdict import Problem


@dataclass
class Model:
    """The agents that must exist, by id, in order of creation."""

    oss: bool
    agents: dict[str, dict[str, Any]] = field(default_factory=dict)

    def observe(self, exchange: Exchange) -> list[Problem]:
        """Compare one exchange with what must happen, and take what did happen for granted."""
        rules = {
            "agent.create": self._create,
            "agent.update": self._update,
            "agent.apply": self._apply,
            "agent.delete": self._delete,
            "agent.get": self._get,
            "agent.by_reference": self._find,
            "list.agents": self._list,
        }
        rule = rules.get(exchange.step)
        return rule(exchange) if rule is not None else []

    def _holder(self, metadata: Json) -> str | None:
        """The id of the agent that holds the slug which a request means; names here are their own slugs."""
        slug = metadata.get("slug") or metadata.get("name", "")
        for resource_id, agent in self.agents.items():
            same_org = self.oss or agent["org"] == metadata.get("org", "")
            if agent["slug"] == slug and same_org:
                return resource_id
        return None

    def _create(self, exchange: Exchange) -> list[Problem]:
        metadata = exchange.request["metadata"]
        if self._holder(metadata) is not None or metadata.get("id") in self.agents:
            return answered(exchange, "ALREADY_EXISTS")
        return answered(exchange, "OK") or self._take(exchange)

    def _take(self, exchange: Exchange) -> list[Problem]:
        """A new agent came to be: check the answer and remember it."""
        metadata = exchange.request["metadata"]
        resource_id = exchange.value("metadata.id")
        found = equal(
            "the answer's slug", exchange, metadata.get("slug") or metadata["name"], exchange.value("metadata.slug")
        )
        if resource_id in self.agents or not resource_id:
            found += equal("the new agent's id is new", exchange, expected=True, actual=False)
        self.agents[resource_id] = {
            "slug": exchange.value("metadata.slug"),
            "org": metadata.get("org", ""),
            "instance": exchange.value("status.default_instance_id"),
        }
        return found + self._state(exchange, resource_id, exchange.request)

    def _state(self, exchange: Exchange, resource_id: str, sent: Json) -> list[Problem]:
        agent = self.agents[resource_id]
        agent["name"] = value_at(sent, "metadata.name")
        agent["description"] = value_at(sent, "spec.description")
        return self._seen(exchange, resource_id)

    def _seen(self, exchange: Exchange, resource_id: str) -> list[Problem]:
        """An answer that shows an agent shows what must be stored of it."""
        agent = self.agents[resource_id]
        shown = {
            "slug": exchange.value("metadata.slug"),
            "org": exchange.value("metadata.org"),
            "instance": exchange.value("status.default_instance_id"),
            "name": exchange.value("metadata.name"),
            "description": exchange.value("spec.description"),
        }
        return equal("id", exchange, resource_id, exchange.value("metadata.id")) + equal(
            "state", exchange, agent, shown
        )

    def _update(self, exchange: Exchange) -> list[Problem]:
        metadata = exchange.request["metadata"]
        resource_id = metadata.get("id") or self._holder(metadata)
        if resource_id not in self.agents:
            return answered(exchange, "NOT_FOUND")
        return answered(exchange, "OK") or self._state(exchange, str(resource_id), exchange.request)

    def _apply(self, exchange: Exchange) -> list[Problem]:
        holder = self._holder(exchange.request["metadata"])
        if holder is None:
            return answered(exchange, "OK") or self._take(exchange)
        return answered(exchange, "OK") or self._state(exchange, holder, exchange.request)

    def _delete(self, exchange: Exchange) -> list[Problem]:
        resource_id = exchange.request["value"]
        if resource_id not in self.agents:
            return answered(exchange, "NOT_FOUND")
        found = answered(exchange, "OK") or self._seen(exchange, resource_id)
        if exchange.ok:
            del self.agents[resource_id]
        return found

    def _get(self, exchange: Exchange) -> list[Problem]:
        resource_id = exchange.request["value"]
        if resource_id not in self.agents:
            return answered(exchange, "NOT_FOUND")
        return answered(exchange, "OK") or self._seen(exchange, resource_id)

    def _find(self, exchange: Exchange) -> list[Problem]:
        wanted, org = exchange.request["slug"], exchange.request.get("org", "")
        holder = next(
            (one for one, agent in self.agents.items() if (agent["slug"], agent["org"]) == (wanted, org)), None
        )
        if holder is None:
            return answered(exchange, "NOT_FOUND")
        return answered(exchange, "OK") or self._seen(exchange, holder)

    def _list(self, exchange: Exchange) -> list[Problem]:
        org = exchange.request.get("org", "")
        wanted = [resource_id for resource_id, agent in self.agents.items() if agent["org"] == org]
        ids = [value_at(row, "metadata.id") for row in exchange.value("items", [])]
        return answered(exchange, "OK") or equal("listed agents", exchange, wanted, ids)
