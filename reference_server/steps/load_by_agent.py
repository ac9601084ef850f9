"""LoadByAgent: the instances of an agent that the caller may view, by page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceList
from protos.kinds import AGENT
from reference_server.authorization.model import SYSTEM, Ref
from reference_server.authorization.policies import StoredPolicies
from reference_server.identity import message_of
from reference_server.paging import page_of
from reference_server.pipeline import State
from reference_server.steps.list_resources import judged
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Record


def load_by_agent(state: State, work: UnitOfWork) -> State:
    """Answer a page and the number of all; nothing is filtered for who may view the agent, and so its instances."""
    kind, agent_id = state.operation.kind.name, state.request.agent_id
    skip, size = page_of(state.request.page_info)
    key = (agent_id,)
    records: Iterator[Record] = work.scan(kind, "agent", key)
    if _sees_all(state, work, agent_id):
        total = work.count(kind, "agent", key)
        page = list(islice(records, skip, skip + size))
    else:
        visible = [record for record, is_viewable in judged(state, work, records) if is_viewable]
        total = len(visible)
        page = visible[skip : skip + size]
    items = [message_of(state, record) for record in page]
    return state.with_response(AgentInstanceList(total_count=total, items=items))


def _sees_all(state: State, work: UnitOfWork, agent_id: str) -> bool:
    caller = state.actor
    if caller is SYSTEM:
        return True
    return state.context.authorizer.allows(caller.ref, "can_view", Ref(AGENT.name, agent_id), StoredPolicies(work))
