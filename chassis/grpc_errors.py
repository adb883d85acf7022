"""A StageError on the wire.

It is a gRPC status with a `google.rpc.ErrorInfo` detail (AIP-193): a machine-readable `reason` and, where the fault is
in one field of a request, the field's name under the metadata key `field`.
"""

from collections.abc import Iterable

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from chassis.errors import Code, StageError

DOMAIN = "voxfleet"

_DETAILS_KEY = "grpc-status-details-bin"
# What grpc.aio reports where a write meets a stream that the peer has just ended; the peer's own status is lost.
_WRITE_FAILED = "Internal error from Core"


def to_status(error: StageError) -> object:
    """The error as the status that `context.abort_with_status` takes."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    if error.field is not None:
        info.metadata["field"] = error.field
    detail = any_pb2.Any()
    detail.Pack(info)
    status: object = rpc_status.to_status(status_pb2.Status(code=error.code, message=error.message, details=[detail]))
    return status


def from_rpc_error(error: grpc.aio.AioRpcError, stage: str) -> StageError:
    """The error that the server of `stage` sent, or the transport's own (its `reason` is then the status' name)."""
    return from_status(error.code(), error.details(), error.trailing_metadata(), stage)


def from_status(
    code: grpc.StatusCode,
    details: str | None,
    trailers: Iterable[tuple[str, str | bytes]] | None,
    stage: str,
) -> StageError:
    """The error that a finished call of `stage` carries. A call that ended well, though more was asked of it, is
    UNAVAILABLE."""
    if code is grpc.StatusCode.OK or (code is grpc.StatusCode.INTERNAL and details == _WRITE_FAILED):
        return StageError(Code.UNAVAILABLE, "STREAM_BROKEN", f"{stage} ended the stream", stage=stage)
    info = _error_info(trailers or ())
    return StageError(
        Code[code.name],
        info.reason or code.name,
        details or code.name,
        field=info.metadata.get("field"),
        stage=stage,
    )


def _error_info(trailers: Iterable[tuple[str, str | bytes]]) -> error_details_pb2.ErrorInfo:
    """The ErrorInfo among the trailers; an empty one where there is none that can be read: anybody may have written
    them, a proxy for one."""
    info = error_details_pb2.ErrorInfo()
    for key, value in trailers:
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        try:
            if any(detail.Unpack(info) for detail in status_pb2.Status.FromString(value).details):
                return info
        except DecodeError:
            return error_details_pb2.ErrorInfo()
    return info
