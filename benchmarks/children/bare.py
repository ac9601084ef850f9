"""A bare gRPC server to compare with: asyncio, uvloop, raw bytes, no work at all.

`/parity.bench.Bare/echo` answers with the request, `/parity.bench.Bare/fixed` with the bytes of a file.
"""

import asyncio
import signal
import sys
from pathlib import Path

import grpc
import uvloop

SERVICE = "parity.bench.Bare"
MESSAGE_BYTES_MAX = 16 * 1024 * 1024


async def serve(fixed: bytes) -> None:
    """Serve on a free loopback port until SIGTERM, and say which."""

    async def echo(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:  # noqa: ARG001
        return request

    async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:  # noqa: ARG001
        return fixed

    options = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 0)]
    server = grpc.aio.server(options=options)
    handlers = {"echo": grpc.unary_unary_rpc_method_handler(echo), "fixed": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"listening on 127.0.0.1:{port}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]).read_bytes()))
