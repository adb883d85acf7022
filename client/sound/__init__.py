"""Microphone, loudspeaker, recorded and synthesised speech: PCM s16le, 24 kHz, mono."""
