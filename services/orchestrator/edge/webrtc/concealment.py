"""Speech over the gaps that lost packets leave: the last pitch period goes on and fades. Pure.

Waveform substitution as in ITU-T G.711 Appendix I, with one search for the period at a lower rate. A recogniser hears a
sudden silence as the end of a sound; a vowel that goes on for 20 ms it does not notice.
"""

import numpy as np

from chassis.audio import Float32, Int16

RATE = 48_000
"""Samples a second, in hertz."""

_STEP = 6  # the search looks at every sixth sample, 8 kHz
_SHORTEST, _LONGEST = RATE // 400, RATE // 66
_TEMPLATE = RATE // 100
_HISTORY = _LONGEST + _TEMPLATE
_STEADY, _FADE = RATE // 100, RATE // 20
_SEAM = RATE // 400


class Concealment:
    """One stream, PCM s16le mono at 48 kHz."""

    def __init__(self) -> None:
        self._history: Float32 = np.zeros(_HISTORY, np.float32)
        self._overlap: Float32 = np.zeros(0, np.float32)

    def push(self, pcm: bytes) -> bytes:
        """Audio that has come; after a gap its first 2.5 ms are blended with what filled the gap."""
        received: Int16 = np.frombuffer(pcm, "<i2")
        samples: Float32 = received.astype(np.float32)
        seam = min(len(self._overlap), len(samples))
        if seam:
            rising = np.linspace(0, 1, seam, endpoint=False, dtype=np.float32)
            samples[:seam] = samples[:seam] * rising + self._overlap[:seam] * (1 - rising)
            self._overlap = self._overlap[:0]
        self._remember(samples)
        return _to_pcm(samples)

    def fill(self, samples: int) -> bytes:
        """`samples` samples for audio that has not come; silent from 60 ms on."""
        period = self._history[-self._period() :]
        length = min(samples, _STEADY + _FADE)
        spoken = np.resize(period, length + _SEAM)
        spoken *= np.clip(1 - (np.arange(len(spoken), dtype=np.float32) - _STEADY) / _FADE, 0, 1)
        self._overlap = spoken[length:] if length == samples else spoken[:0]
        filled = np.zeros(samples, np.float32)
        filled[:length] = spoken[:length]
        self._remember(filled)
        return _to_pcm(filled)

    def _remember(self, samples: Float32) -> None:
        self._history = np.concatenate((self._history, samples[-_HISTORY:]))[-_HISTORY:]

    def _period(self) -> int:
        """Samples after which the last 10 ms look most like what was before them."""
        past = self._history[::_STEP]
        template = past[-_TEMPLATE // _STEP :]
        windows = np.lib.stride_tricks.sliding_window_view(past, len(template))[: -_SHORTEST // _STEP]
        likeness = windows @ template / np.sqrt(np.einsum("nt,nt->n", windows, windows) + 1.0)
        lag = len(past) - len(template) - int(np.argmax(likeness))
        return max(lag * _STEP, _SHORTEST)


def _to_pcm(samples: Float32) -> bytes:
    pcm: bytes = np.clip(np.rint(samples), -32_768, 32_767).astype("<i2").tobytes()
    return pcm
