"""What every stage RPC goes through: admission, call context, error mapping, counting. Servicers hold none of it.

A stream that is admitted is told so at once, before it sends anything, by its initial metadata:

    x-voxfleet-stage: llm     the stage, which is what says that the stream is in
    x-voxfleet-load: 5/16     how much of its limit the stage uses now, this stream included (`chassis.load.Load`)
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import grpc
import grpc.aio

from chassis import context as call_context
from chassis.errors import Code, StageError
from chassis.grpc_errors import to_status
from chassis.load import Load
from chassis.metrics import ADMISSION_REFUSED, STAGE_ERRORS, STREAMS, STREAMS_ACTIVE

log = logging.getLogger(__name__)

ADMITTED_KEY = "x-voxfleet-stage"
"""Initial metadata of every stream that was admitted; its value is the stage's name."""
LOAD_KEY = "x-voxfleet-load"
"""Initial metadata beside it: the stage's load."""

if TYPE_CHECKING:
    # Generic in the stubs only.
    Handler = grpc.RpcMethodHandler[Any, Any]

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]]
Behaviour = Callable[..., AsyncGenerator[Any, None]]


class StageInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the bidirectional streams of services under `service_prefix`; health and reflection pass untouched.

    At most `max_streams` run at once: one more is RESOURCE_EXHAUSTED. (grpcio's own `maximum_concurrent_rpcs` counts
    health checks too, so a full server would look dead.)

    `engine_load` is asked at every admission for the load of what else is scarce in the stage, None where nothing is.
    """

    def __init__(
        self,
        stage: str,
        max_streams: int,
        engine_load: Callable[[], Load | None] = lambda: None,
        service_prefix: str = "/voxfleet.",
    ) -> None:
        self._stage = stage
        self._max_streams = max_streams
        self._engine_load = engine_load
        self._service_prefix = service_prefix
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def active(self) -> int:
        """Streams being served now."""
        return self._active

    @property
    def load(self) -> Load:
        """Streams or what else is scarce, whichever is nearer to its limit."""
        loads = Load(self._active, self._max_streams), self._engine_load()
        return max((load for load in loads if load is not None), key=lambda load: load.share)

    async def idle(self) -> None:
        """Returns once no stream is being served."""
        await self._idle.wait()

    def _count(self, change: int) -> None:
        self._active += change
        STREAMS_ACTIVE.labels(self._stage).set(self._active)
        if self._active:
            self._idle.clear()
        else:
            self._idle.set()

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "Handler | None":
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(self._service_prefix):
            return handler
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                # The stubs type the handler of a synchronous server; under aio it is an async generator function.
                self._guard(cast("Behaviour", handler.stream_stream)),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            )
        return handler

    def _guard(self, behaviour: Behaviour) -> Behaviour:
        async def guarded(requests: AsyncIterator[Any], context: Any) -> AsyncGenerator[Any, None]:
            call_context.current.set(call_context.CallContext.from_metadata(context.invocation_metadata()))
            if self._active >= self._max_streams:
                ADMISSION_REFUSED.labels(self._stage).inc()
                refusal = StageError.exhausted("STREAMS_EXHAUSTED", f"{self._stage} serves {self._max_streams} streams")
                await context.abort_with_status(to_status(refusal))
            self._count(+1)
            outcome = "OK"
            try:
                # Tells the caller that it is in before it sends anything: a write that meets a refusal hides why.
                await context.send_initial_metadata(((ADMITTED_KEY, self._stage), (LOAD_KEY, str(self.load))))
                # A stream that is cancelled while a response waits to be written frees what it holds at once.
                async with aclosing(behaviour(requests, context)) as responses:
                    async for response in responses:
                        yield response
            except StageError as error:
                outcome = error.code.name
                STAGE_ERRORS.labels(self._stage, error.reason).inc()
                log.warning("stream refused", extra={"reason": error.reason, "field": error.field or ""})
                await context.abort_with_status(to_status(error))
            except (asyncio.CancelledError, GeneratorExit):
                outcome = Code.CANCELLED.name
                raise
            except grpc.aio.AbortError:
                outcome = Code.UNKNOWN.name
                raise
            except Exception:
                outcome = Code.INTERNAL.name
                STAGE_ERRORS.labels(self._stage, "INTERNAL").inc()
                log.exception("stream failed")
                failure = StageError(Code.INTERNAL, "INTERNAL", f"{self._stage} failed; its log says why")
                await context.abort_with_status(to_status(failure))
            finally:
                self._count(-1)
                STREAMS.labels(self._stage, outcome).inc()

        return guarded
