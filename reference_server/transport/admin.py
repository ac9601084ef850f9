"""`parity.v1.AdminService`: what operators of a server do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc
from google.protobuf.message import DecodeError

from protos.parity.v1.admin_pb2 import DESCRIPTOR as ADMIN_FILE
from protos.parity.v1.admin_pb2 import BackupRequest, BackupResponse
from reference_server.authorization.model import SYSTEM
from reference_server.authorization.policies import StoredPolicies
from reference_server.backup import Backups
from reference_server.errors import (
    ApiError,
    MalformedRequest,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from reference_server.execution.executor import Executor
from reference_server.telemetry import log
from reference_server.transport.servicers import SEND_SECONDS_MAX, CallerOf, Context, abort
from reference_server.unit_of_work import UnitOfWork
from stores.contract import StoreError

ADMIN_SERVICE = ADMIN_FILE.services_by_name["AdminService"].full_name


class AdminServicer:
    """The service over one executor."""

    def __init__(self, executor: Executor, caller_of: CallerOf, send_seconds_max: float = SEND_SECONDS_MAX) -> None:
        self._executor = executor
        self._caller_of = caller_of
        self._send_seconds_max = send_seconds_max
        self._backups = Backups(executor)
        self._stopping = False

    def stop(self) -> None:
        """End the backup under way, so that it doesn't hold up the drain."""
        self._stopping = True

    def handler(self) -> grpc.GenericRpcHandler[bytes, bytes]:
        """Return the generic handler of the service."""
        backup = grpc.unary_stream_rpc_method_handler(self.backup)
        return grpc.method_handlers_generic_handler(ADMIN_SERVICE, {"Backup": backup})

    async def backup(self, data: bytes, context: Context) -> None:
        """Send a backup, as fast as the client reads."""
        try:
            async with asyncio.timeout(None) as limit:
                async with aclosing(self._responses(data, context)) as responses:
                    async for response in responses:
                        limit.reschedule(asyncio.get_running_loop().time() + self._send_seconds_max)
                        await context.write(response)
                        limit.reschedule(None)
        except ApiError as error:
            await abort(context, error, "backup")
        except StoreError as error:
            await abort(context, self._executor.health.answer(error), "backup")
        except TimeoutError:
            slow = ResourceExhausted("the client reads too slowly; take the backup from nearer by")
            await abort(context, slow, "backup")

    async def _responses(self, data: bytes, context: Context) -> AsyncGenerator[bytes]:
        caller = self._caller_of(context.invocation_metadata() or ())
        if caller is None:
            raise Unauthenticated("the backup has no valid credentials; send metadata 'authorization: Bearer <token>'")
        policies = StoredPolicies(UnitOfWork(self._executor.store))
        is_operator = self._executor.context.authorizer.is_operator
        if caller is not SYSTEM and not await self._executor.reading(lambda: is_operator(caller.ref, policies)):
            raise PermissionDenied("only an operator of the platform may take a backup")
        try:
            since = BackupRequest.FromString(data).since_position
        except DecodeError:
            raise MalformedRequest("the request is no parity.v1.BackupRequest") from None
        sent = 0
        async with aclosing(self._backups.pieces(since)) as pieces:
            async for piece in pieces:
                if self._stopping:
                    raise Unavailable("the server is shutting down; take the backup again")
                yield BackupResponse(data=piece).SerializeToString()
                sent += len(piece)
        log().info("a backup was taken", caller=caller.id, since_position=since, bytes=sent)
