"""Noise reduction with RNNoise, a small recurrent network (Valin, A Hybrid DSP/Deep Learning Approach to Real-Time
Full-Band Speech Enhancement, 2018); the library and its weights are those inside the package `pyrnnoise`."""

import ctypes
import importlib.util
import sys
import weakref
from enum import StrEnum
from pathlib import Path

import numpy as np

from chassis.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, Float32, Framer
from chassis.resampling import Resampler


class NoiseReduction(StrEnum):
    """Where the microphone is, as the OpenAI Realtime protocol names it.

    `FAR_FIELD` also raises the level of quiet speech; `NEAR_FIELD` leaves the level as it is, so that what is said in
    the distance stays in the distance.
    """

    NEAR_FIELD = "near_field"
    FAR_FIELD = "far_field"


# RNNoise takes frames of 10 ms at 48 kHz and gives each back two frames later: its windows overlap by half, and its
# network looks one frame ahead.
_RATE = 48_000
_FRAME = 480
_NETWORK_DELAY = 2 * _FRAME * SAMPLE_RATE // _RATE
# Each of the two resamplers lags by 16 samples of the lower rate.
_RESAMPLING_DELAY = 2 * 16
DELAY = _NETWORK_DELAY + _RESAMPLING_DELAY
"""Samples that `NoiseReducer` needs to have taken after a sample before that one comes out. Its frames have to be
whole, which makes it up to 10 ms more."""

# A frame with this probability or more is speech: nine of ten frames of speech, one of several hundred of noise.
_SPEECH = 0.95
# Root mean square of the speech that quiet speech is raised to, of full scale in 16 bits: -30 dB, below that of a
# microphone at arm's length.
_TARGET_LEVEL = 32_768 * 10 ** (-30 / 20)
_MAX_GAIN = 10 ** (30 / 20)
# Share of the last frame's estimate in the next one where the speech becomes quieter: half in 70 ms of speech.
_FALL = 0.9

_LIBRARIES = {"linux": "librnnoise.so", "darwin": "librnnoise.dylib", "win32": "rnnoise.dll"}


def _load() -> ctypes.CDLL | None:
    # Importing the package itself would import its file readers and progress bars, a tenth of a second of modules.
    spec, name = importlib.util.find_spec("pyrnnoise"), _LIBRARIES.get(sys.platform)
    if spec is None or spec.origin is None or name is None:
        return None
    library = ctypes.CDLL(str(Path(spec.origin).with_name(name)))
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_destroy.restype = None
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    library.rnnoise_process_frame.restype = ctypes.c_float
    return library


# Loaded with the module, because a session that asks for it must not wait for a file in the event loop.
_LIBRARY = _load()


def available() -> bool:
    """Whether the library is installed (the extra `noise`)."""
    return _LIBRARY is not None


class NoiseReducer:
    """One stream of PCM s16le mono at 16 kHz with less noise; sample n out is sample n in.

    What comes out does not depend on the pieces that went in. Half a millisecond of work for 20 ms of audio. Raises
    RuntimeError where the library is not `available`.
    """

    def __init__(self, kind: NoiseReduction) -> None:
        if _LIBRARY is None:
            raise RuntimeError("expected the package pyrnnoise (voxfleet[noise]), it is not installed")
        self._process_frame = _LIBRARY.rnnoise_process_frame
        self._state = _LIBRARY.rnnoise_create(None)
        weakref.finalize(self, _LIBRARY.rnnoise_destroy, self._state)
        self._leveller = _Leveller() if kind is NoiseReduction.FAR_FIELD else None
        self._up = Resampler(SAMPLE_RATE, _RATE)
        self._down = Resampler(_RATE, SAMPLE_RATE)
        self._framer = Framer(_FRAME)
        self._early = DELAY * BYTES_PER_SAMPLE
        self._pending = bytearray()

    @property
    def rest(self) -> bytes:
        """The end of the input, that has not come out yet, as it went in."""
        return bytes(self._pending)

    def process(self, pcm: bytes) -> bytes:
        """The output that `pcm`, whole samples, makes possible: all but the last 22 to 32 ms."""
        self._pending += pcm
        reduced = self._down.push(self._reduce(b"".join(self._framer.push(self._up.push(pcm)))))
        early = min(self._early, len(reduced))
        self._early -= early
        del self._pending[: len(reduced) - early]
        return reduced[early:]

    def _reduce(self, pcm: bytes) -> bytes:
        frames: Float32 = np.frombuffer(pcm, "<i2").astype(np.float32).reshape(-1, _FRAME)
        for frame in frames:
            address = frame.ctypes.data
            probability = self._process_frame(self._state, address, address)
            if self._leveller is not None:
                self._leveller.level(frame, probability)
        reduced: bytes = np.clip(np.rint(frames), -32_768, 32_767).astype("<i2").tobytes()
        return reduced


class _Leveller:
    """Automatic gain: never below one, up fast when speech is found to be quiet, down at once when it is not.

    It follows the level of speech only, so that a pause does not raise what is left of the noise.
    """

    def __init__(self) -> None:
        self._power = _TARGET_LEVEL**2
        self._gain = 1.0

    def level(self, frame: Float32, probability: float) -> None:
        """Amplifies `frame`, in place, by what its speech and that before it needs."""
        if probability >= _SPEECH:
            power = float(np.mean(np.square(frame)))
            self._power = max(power, _FALL * self._power + (1 - _FALL) * power)
        before, self._gain = self._gain, min(_MAX_GAIN, max(1.0, _TARGET_LEVEL / self._power**0.5))
        frame *= np.linspace(before, self._gain, len(frame), dtype=np.float32)
