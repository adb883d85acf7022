"""A tiny server for the tests of the supervisor, told by its arguments how to behave. Run as a module.

It warms up for `--warm-s`, then says that it is ready over gRPC health (`--grpc PORT`) or `GET /readyz`
(`--http PORT`), and ends on SIGTERM unless `--ignore-sigterm`.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time


async def _answer_http(port: int, ready: asyncio.Event) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        status = b"200 OK" if ready.is_set() else b"503 Service Unavailable"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def _answer_grpc(port: int, ready: asyncio.Event) -> None:
    import grpc.aio
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc

    servicer = health.aio.HealthServicer()
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    await server.start()
    try:
        await ready.wait()
        await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        await server.wait_for_termination()
    finally:
        await server.stop(0)


async def _warm_up(seconds: float, ready: asyncio.Event) -> None:
    await asyncio.sleep(seconds)
    ready.set()


async def _serve(options: argparse.Namespace) -> None:
    stopping, ready = asyncio.Event(), asyncio.Event()
    on_term = (lambda: print("ignoring SIGTERM")) if options.ignore_sigterm else stopping.set
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, on_term)
    async with asyncio.TaskGroup() as tasks:
        serving = _answer_grpc(options.grpc, ready) if options.grpc else _answer_http(options.http, ready)
        running = [tasks.create_task(serving), tasks.create_task(_warm_up(options.warm_s, ready))]
        await stopping.wait()
        for task in running:
            task.cancel()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int, default=0)
    parser.add_argument("--grpc", type=int, default=0)
    parser.add_argument("--warm-s", type=float, default=0.0)
    parser.add_argument("--exit-with", type=int)
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--flood-lines", type=int, default=0)
    parser.add_argument("--descendant", action="store_true")
    options = parser.parse_args()
    if options.exit_with is not None:
        sys.stderr.write("VOXFLEET_X_PORT: cannot be like this\n")
        sys.exit(options.exit_with)
    if options.descendant:
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(f"descendant {sleeper.pid}")
    for number in range(options.flood_lines):
        # Half a line at a time on both streams, as a process with several writers would.
        print(f"line {number} ", end="", flush=True)
        print("ends")
    print(f"pid {os.getpid()} group {os.getpgrp()} setting {os.environ.get('SCRIPTED', '')}")
    asyncio.run(_serve(options))
    print(f"stopped at {time.monotonic()}")


if __name__ == "__main__":
    main()
