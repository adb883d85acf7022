"""The fleet's one error: what a stage raises, how gRPC carries it, how the other side reads it.

On the wire it is a gRPC status with a `google.rpc.ErrorInfo` detail (AIP-193): a machine-readable `reason` and, where
the fault is in one field of a request, the field's name under the metadata key `field`.
"""

from collections.abc import Iterable
from typing import Self

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

DOMAIN = "voxfleet"

# What grpc.aio reports where a write meets a stream that the peer has just ended; the peer's own status is lost.
_WRITE_FAILED = "Internal error from Core"


class StageError(Exception):
    """A request that a stage cannot serve.

    `code` is the gRPC status, `reason` an UPPER_SNAKE_CASE constant that programs match on, `message` a sentence for
    people, `field` the request field at fault (None where no single field is), `stage` the stage that raised it as the
    caller sees it (None on the server itself).
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        field: str | None = None,
        stage: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.field = field
        self.stage = stage

    @classmethod
    def invalid(cls, field: str, expected: str, *, reason: str = "INVALID_FIELD") -> Self:
        """INVALID_ARGUMENT: `field` is not what was `expected` (a phrase such as "16000, got 8000")."""
        return cls(grpc.StatusCode.INVALID_ARGUMENT, reason, f"{field}: expected {expected}", field=field)

    @classmethod
    def exhausted(cls, reason: str, message: str) -> Self:
        """RESOURCE_EXHAUSTED: a limit is reached; the same request may succeed later."""
        return cls(grpc.StatusCode.RESOURCE_EXHAUSTED, reason, message)

    def to_status(self) -> object:
        """The error as the status that `context.abort_with_status` takes."""
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN)
        if self.field is not None:
            info.metadata["field"] = self.field
        detail = any_pb2.Any()
        detail.Pack(info)
        code: int = self.code.value[0]
        status: object = rpc_status.to_status(status_pb2.Status(code=code, message=self.message, details=[detail]))
        return status

    @classmethod
    def from_rpc_error(cls, error: grpc.aio.AioRpcError, stage: str) -> Self:
        """The error that the server of `stage` sent, or the transport's own (its `reason` is then the status' name)."""
        return cls.from_status(error.code(), error.details(), error.trailing_metadata(), stage)

    @classmethod
    def from_status(
        cls,
        code: grpc.StatusCode,
        details: str | None,
        trailers: Iterable[tuple[str, str | bytes]] | None,
        stage: str,
    ) -> Self:
        """The error that a finished call of `stage` carries."""
        if code is grpc.StatusCode.INTERNAL and details == _WRITE_FAILED:
            message = f"{stage} ended the stream"
            return cls(grpc.StatusCode.UNAVAILABLE, "STREAM_BROKEN", message, stage=stage)
        reason, field = code.name, None
        for key, value in trailers or ():
            if key != "grpc-status-details-bin" or not isinstance(value, bytes):
                continue
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    reason, field = info.reason, info.metadata.get("field")
        return cls(code, reason, details or code.name, field=field, stage=stage)

    @classmethod
    def first_of(cls, group: BaseExceptionGroup["StageError"]) -> "StageError":
        """The first error of a group of them, as `except*` hands it over."""
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        assert isinstance(error, StageError)
        return error
