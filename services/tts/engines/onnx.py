"""onnxruntime sessions, and models that also give a tensor from their inside."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import onnxruntime

Provider: TypeAlias = Literal["cpu", "cuda"]
_PROVIDERS: Mapping[Provider, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

# Field numbers of onnx.proto3.
_MODEL_GRAPH, _GRAPH_OUTPUT, _VALUE_NAME = 7, 12, 1


def open_session(model: bytes, threads: int, provider: Provider = "cpu") -> onnxruntime.InferenceSession:
    """A session of a serialised model. Raises RuntimeError where `provider` cannot be had: it is never replaced."""
    wanted = _PROVIDERS[provider]
    if wanted not in onnxruntime.get_available_providers():
        raise RuntimeError(
            f"VOXFLEET_TTS_ONNX_PROVIDER: this onnxruntime has no {wanted}; for cuda install onnxruntime-gpu in place "
            "of onnxruntime"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads that spin would take the cores from the other stages.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model, options, providers=[wanted])
    if session.get_providers()[0] != wanted:
        # Without its libraries, onnxruntime falls back to the CPU and only says so in a log.
        raise RuntimeError(f"VOXFLEET_TTS_ONNX_PROVIDER: {wanted} did not start; are CUDA and cuDNN installed?")
    return session


def with_output(model: bytes, tensor: str) -> bytes:
    """A serialised model with its inner tensor as one more output, the last.

    Protobuf messages that are written one after the other are read as one, their repeated fields joined: a graph with
    nothing but that output, appended, declares it.
    """
    return model + _field(_MODEL_GRAPH, _field(_GRAPH_OUTPUT, _field(_VALUE_NAME, tensor.encode())))


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
