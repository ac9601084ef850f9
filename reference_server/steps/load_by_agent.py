"""LoadByAgent: the instances of an agent that the caller may view, by page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceList
from reference_server.authorization.model import SYSTEM
from reference_server.authorization.policies import StoredPolicies
from reference_server.identity import message_of
from reference_server.paging import page_of
from reference_server.pipeline import State
from reference_server.steps.list_resources import judged
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Record


def load_by_agent(state: State, work: UnitOfWork) -> State:
    """Answer a page and the number of all; nothing is filtered for who may view everything."""
    kind = state.operation.kind.name
    skip, size = page_of(state.request.page_info)
    key = (state.request.agent_id,)
    records: Iterator[Record] = work.scan(kind, "agent", key)
    if _sees_all(state, work):
        total = work.count(kind, "agent", key)
        page = list(islice(records, skip, skip + size))
    else:
        visible = [record for record, is_viewable in judged(state, work, records) if is_viewable]
        total = len(visible)
        page = visible[skip : skip + size]
    items = [message_of(state, record) for record in page]
    return state.with_response(AgentInstanceList(total_count=total, items=items))


def _sees_all(state: State, work: UnitOfWork) -> bool:
    caller = state.actor
    return caller is SYSTEM or state.context.authorizer.is_operator(caller.ref, StoredPolicies(work))
