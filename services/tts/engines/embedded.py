"""The default: Hibari where it can speak, Kokoro for all else, behind one list of voices."""

import asyncio

from hibari.voices import VOICES as HIBARI_VOICES

from chassis.workers import Workers
from services.tts.engines import hibari
from services.tts.engines.base import Session
from services.tts.engines.kokoro import KokoroEngine
from services.tts.settings import Settings
from services.tts.voices import VoiceBook


class EmbeddedEngine:
    """See `base.Engine`.

    English in a voice of Hibari is Hibari's; everything else is Kokoro's. Hibari's voices were trained on Kokoro's:
    asked for another language, they speak it through Kokoro as the same person.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # One pool for both, so that the first piece of a stream waits for no later piece, whichever engine speaks it.
        self._workers = Workers("tts", settings.threads, settings.max_pending)
        self._hibari = hibari.HibariEngine(settings, self._workers)
        self._kokoro = KokoroEngine(
            settings,
            self._workers,
            lambda: self._hibari.phonemizer,
            {name: HIBARI_VOICES[name]["kokoro"] for name in hibari.BUNDLED},
        )
        self.voices = VoiceBook(
            [*self._hibari.voices.voices, *self._kokoro.voices.voices], self._kokoro.voices.languages
        )

    async def start(self) -> None:
        """See `base.Engine`. Kokoro takes Hibari's phonemizer, so it comes second."""
        await self._hibari.start()
        if self._settings.preload:
            await self._kokoro.start()

    async def close(self) -> None:
        """See `base.Engine`."""
        await self._workers.close()
        await asyncio.gather(self._hibari.close(), self._kokoro.close())

    def session(self, voice: str, language: str, speed: float) -> Session:
        """See `base.Engine`."""
        if voice in hibari.BUNDLED and language == hibari.LANGUAGE:
            return self._hibari.session(voice, language, speed)
        return self._kokoro.session(voice, language, speed)
