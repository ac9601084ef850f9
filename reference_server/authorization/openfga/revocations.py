"""Revocations: policies that a batch removes are written down in the same batch, as nothing else of them is left."""

from __future__ import annotations

from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.parity.v1.event_pb2 import Revocation
from reference_server.authorization.policies import KIND as POLICY
from reference_server.unit_of_work import stored_message
from stores.contract import Batch, BatchOperation, Delete, Put, Store

KIND = "revocation"


def revocations_in(batch: Batch, store: Store) -> list[BatchOperation]:
    """Return what has to stand before a batch, so that what it takes away comes before what it grants."""
    found: list[BatchOperation] = []
    for each in batch:
        if isinstance(each, Delete) and each.kind == POLICY:
            data = store.get_bytes(POLICY, each.id)
            if data is not None:
                policy: IamPolicy = stored_message(POLICY, each.id, data)
                found.append(Put(KIND, each.id, Revocation(policy=policy.spec), "absent"))
    return found
