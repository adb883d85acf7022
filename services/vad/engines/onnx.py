"""ONNX Runtime sessions as the stage's engines use them."""

from pathlib import Path

import onnxruntime


def load_onnx(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """The model on the CPU with `threads` threads in all; blocks while it loads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads would otherwise spin, at the cost of every other stage on the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
