"""`/v1/audio/transcriptions` through OpenAI's own client, stages scripted."""

import asyncio
import io
import wave
from typing import Any

import httpx
import openai
import pytest

from chassis.errors import Code, StageError
from tests.services.orchestrator.edge.single.clients import freed, openai_client, serving
from tests.support.edge import scripted_edge
from tests.support.scripted import Script, speech

Upload = tuple[str, bytes]


def wav(seconds: float = 1.0, rate: int = 44_100, channels: int = 2) -> Upload:
    """A WAV file of something loud."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(speech(seconds * channels, rate))
    return "question.wav", buffer.getvalue()


async def test_a_file_of_any_rate_and_channels_is_transcribed() -> None:
    async with openai_client(Script()) as client:
        told = await client.audio.transcriptions.create(model="whisper-1", file=wav())
        assert told.text == "what time is it"
        assert told.usage is not None
        assert told.usage.type == "duration"
        assert told.usage.seconds == pytest.approx(1.0, abs=0.01)


async def test_a_large_file_is_transcribed() -> None:
    async with openai_client(Script()) as client:
        told = await client.audio.transcriptions.create(model="whisper-1", file=wav(60, 44_100, 2))
        assert told.text == "what time is it"


async def test_plain_text_and_subtitles() -> None:
    async with openai_client(Script()) as client:
        create = client.audio.transcriptions.create
        assert await create(model="whisper-1", file=wav(), response_format="text") == "what time is it\n"
        srt = await create(model="whisper-1", file=wav(), response_format="srt")
        assert srt == "1\n00:00:00,000 --> 00:00:01,000\nwhat time is it\n\n"
        vtt = await create(model="whisper-1", file=wav(), response_format="vtt")
        assert vtt == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nwhat time is it\n\n"


async def test_verbose_json_has_the_language_the_length_and_the_pieces() -> None:
    async with openai_client(Script()) as client:
        told = await client.audio.transcriptions.create(
            model="whisper-1",
            file=wav(),
            language="fr",
            prompt="Ada",
            temperature=0,
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
    assert (told.text, told.language) == ("what time is it", "french")
    assert told.duration == pytest.approx(1.0, abs=0.01)
    assert told.words == []  # the scripted stage knows no times
    assert told.segments is not None
    assert [segment.text for segment in told.segments] == ["what time is it"]


async def test_a_streamed_transcription_is_its_text_and_its_end() -> None:
    async with openai_client(Script()) as client:
        stream = await client.audio.transcriptions.create(model="gpt-4o-transcribe", file=wav(), stream=True)
        events = [event async for event in stream]
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[1].type == "transcript.text.done"
    assert events[1].text == "what time is it"


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"file": ("song.mp3", b"ID3" + bytes(500))}, "file", "expected a WAV file"),
    ({"file": wav(0.0)}, "file", "without any"),
    ({"file": wav(3.0)}, "file", "at most 2 s"),
    ({"language": "english"}, "language", "match pattern"),
    ({"prompt": "x" * 1_001}, "prompt", "at most 1000"),
    ({"response_format": "diarized_json"}, "response_format", "'json'"),
    ({"response_format": "text", "stream": True}, "response_format", "json where stream is true"),
    ({"include": ["logprobs"]}, "include", "not permitted"),
]


@pytest.mark.parametrize(("wish", "param", "message"), BAD)
async def test_a_bad_field_is_named(wish: dict[str, Any], param: str, message: str) -> None:
    async with openai_client(Script(), max_file_s=2.0) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.audio.transcriptions.create(**({"model": "whisper-1", "file": wav()} | wish))
    assert refused.value.param == param
    assert message in str(refused.value)


async def test_bodies_that_are_no_such_form_are_refused() -> None:
    async with (
        scripted_edge(Script(), max_upload_bytes=100_000) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as http,
    ):
        path = "/v1/audio/transcriptions"
        plain = await http.post(path, content=b"hello")
        assert (plain.status_code, plain.json()["error"]["code"]) == (400, "invalid_content_type")
        form = {"Content-Type": "multipart/form-data; boundary=x"}
        broken = await http.post(path, content=b"no boundary here", headers=form)
        assert (broken.status_code, broken.json()["error"]["code"]) == (400, "invalid_form")
        nameless = await http.post(path, content=b"hello", headers={"Content-Type": "multipart/form-data"})
        assert nameless.status_code == 400
        missing = await http.post(path, data={"model": "m"}, files={"other": wav(0.1)})
        assert missing.json()["error"]["param"] == "other"
        text = await http.post(path, files={"model": (None, "m"), "file": (None, "abc")})
        assert (text.status_code, text.json()["error"]["param"]) == (400, "file")
        none = await http.post(path, files={"model": (None, "m")})
        assert none.json()["error"]["code"] == "missing_required_parameter"
        large = await http.post(path, data={"model": "m"}, files={"file": wav(2.0)})
        assert (large.status_code, large.json()["error"]["code"]) == (413, "request_too_large")


async def test_a_body_that_grows_too_large_without_saying_so_is_refused() -> None:
    async def body() -> Any:
        for _ in range(20):
            yield bytes(10_000)
            await asyncio.sleep(0)

    async with (
        scripted_edge(Script(), max_upload_bytes=20_000) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as http,
    ):
        form = {"Content-Type": "multipart/form-data; boundary=x"}
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'

        async def whole() -> Any:
            yield head
            async for piece in body():
                yield piece

        large = await http.post("/v1/audio/transcriptions", content=whole(), headers=form)
        assert large.status_code == 413


async def test_a_client_that_leaves_frees_the_stream() -> None:
    script = Script(text_delay_s=30)
    async with openai_client(script) as client:
        asking = asyncio.create_task(client.audio.transcriptions.create(model="whisper-1", file=wav()))
        await serving(script, "stt")
        asking.cancel()
        await freed(script)


async def test_a_text_that_takes_too_long_is_a_timeout() -> None:
    async with openai_client(Script(text_delay_s=30), file_timeout_s=0.2) as client:
        with pytest.raises(openai.InternalServerError) as late:
            await client.audio.transcriptions.create(model="whisper-1", file=wav())
    assert (late.value.status_code, late.value.code) == (504, "too_late")


async def test_what_the_stage_refuses_names_the_api_s_field() -> None:
    script = Script(failures={"stt": StageError.invalid("hint", "fewer words")})
    async with openai_client(script) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.audio.transcriptions.create(model="whisper-1", file=wav())
        assert refused.value.param == "prompt"
        assert "prompt: expected fewer words" in str(refused.value)
        script.failures["stt"] = StageError(Code.UNAVAILABLE, "GONE", "the stage is gone")
        with pytest.raises(openai.InternalServerError) as down:
            await client.audio.transcriptions.create(model="whisper-1", file=wav())
        assert down.value.status_code == 503
