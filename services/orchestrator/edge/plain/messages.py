"""What the server says in text frames of the plain protocol. Pure."""

import json
from typing import Any

from chassis.audio import SAMPLE_RATE
from services.orchestrator import events
from services.orchestrator.edge.plain.commands import MAX_TEXT_CHARACTERS
from services.orchestrator.edge.plain.framing import Framing
from services.orchestrator.edge.plain.intake import MAX_GAP_MS, Ack, Dropped, Gap, Report
from services.orchestrator.edge.realtime.client_events import MAX_APPEND_BYTES
from services.orchestrator.endpointing import FixedSilence, SemanticEndpointing
from services.orchestrator.session_config import SessionConfig
from services.orchestrator.settings import Settings

OUTPUT_RATE = 24_000
"""Samples a second of audio to the client, in hertz."""


def frame(kind: str, **fields: Any) -> str:
    """One text frame."""
    return json.dumps({"type": kind} | fields, ensure_ascii=False)


def error(code: str, message: str, field: str | None = None, stage: str | None = None) -> str:
    """`error`: what the client sent, or asked for, could not be done; the session goes on."""
    return frame("error", code=code, message=message, field=field, stage=stage)


def greeting(session_id: str, framing: Framing, window_ms: int, config: SessionConfig, settings: Settings) -> str:
    """`session`: formats, limits and configuration."""
    return frame(
        "session",
        session_id=session_id,
        audio={
            "encoding": "pcm_s16le",
            "channels": 1,
            "input_sample_rate": SAMPLE_RATE,
            "output_sample_rate": OUTPUT_RATE,
            "framing": framing.value,
        },
        limits={
            "window_ms": window_ms,
            "queue_ms": settings.plain_queue_ms,
            "gap_ms": MAX_GAP_MS,
            "frame_bytes": MAX_APPEND_BYTES,
            "text_characters": MAX_TEXT_CHARACTERS,
            "ping_interval_s": settings.plain_ping_interval_s,
            "idle_timeout_s": settings.session_idle_timeout_s,
        },
        config=configuration(config),
    )


def configuration(config: SessionConfig) -> dict[str, Any]:
    """What `configure` sets, as it is now; all but the instructions, which may be long and are the server's own."""
    ends = config.turn.endpointing
    return {
        "voice": config.voice,
        "speed": config.speed,
        "language": config.language,
        "hint": config.hint,
        "detection": config.turn.detection,
        "silence_ms": round(ends.silence_s * 1000) if isinstance(ends, FixedSilence) else None,
        "eagerness": ends.eagerness.value if isinstance(ends, SemanticEndpointing) else None,
        "noise_reduction": config.noise_reduction,
    }


def of_report(report: Report, window_ms: int) -> str:
    """What became of the client's audio."""
    match report:
        case Ack(sequence, position):
            return frame("ack", sequence=sequence, position=position, window_ms=window_ms)
        case Dropped(reason, samples):
            return frame("audio_dropped", reason=reason.value, ms=_ms(samples))
        case Gap(silence, skipped):
            return frame("audio_gap", silence_ms=_ms(silence), skipped_ms=_ms(skipped))


def of_event(event: events.Event) -> list[str]:
    """The text frames that tell of `event`; its audio is not among them."""
    match event:
        case events.SpeechBegan(_, offset_ms):
            return [frame("speech_started", at_ms=offset_ms)]
        case events.SpeechEnded(_, offset_ms):
            return [frame("speech_stopped", at_ms=offset_ms)]
        case events.PartialTranscript(_, stable, unstable):
            return [frame("partial", stable=stable, unstable=unstable)]
        case events.UserTurn(item, failure=failure):
            transcript = frame("transcript", item_id=item.id, text=item.text, language=item.language)
            if failure is None:
                return [transcript]
            return [error(failure.reason.lower(), failure.message, stage=failure.stage), transcript]
        case events.ReplyBegan(response_id, item_id):
            return [frame("reply_started", reply_id=response_id, item_id=item_id)]
        case events.ReplyText(response_id, _, text):
            return [frame("reply_text", reply_id=response_id, text=text)]
        case events.ReplyPaused(response_id):
            return [frame("reply_paused", reply_id=response_id)]
        case events.ReplyResumed(response_id):
            return [frame("reply_resumed", reply_id=response_id)]
        case events.ReplyDone(response_id, item, cancelled=cancelled, error=failure):
            status = "completed" if cancelled is None else "failed" if failure is not None else "cancelled"
            reason = None if cancelled is None else cancelled.value
            return [frame("reply_done", reply_id=response_id, status=status, reason=reason, heard=item.text)]
        case events.TurnMeasured(response_id, _, language, draft, marks):
            return [frame("marks", reply_id=response_id, language=language, draft=draft, marks=marks)]
        case events.SessionError(code, message, stage):
            return [error(code, message, stage=stage)]
        case _:
            return []


def _ms(samples: int) -> float:
    return round(samples * 1000 / SAMPLE_RATE, 1)
