import asyncio
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from client.commands.talk import app
from client.sound.speech import read_wav, write_wav
from tests.support.audio import silence, tone
from tests.support.realtime import Peer, scripted_server
from tests.support.sounddevice import ScriptedDevices
from tests.support.tts import ScriptedTts, serving_tts, speech

MARKS = {"endpoint": 500, "transcript": 600, "first_token": 700, "first_audio": 800, "audio_sent": 810}


async def talk(*args: str) -> Result:
    """`voxfleet talk`, in a thread with an event loop of its own, as in a process of its own."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, args))


async def greet(peer: Peer) -> None:
    await peer.greet()
    update = await peer.receive()
    assert update["type"] == "session.update"
    await peer.send("session.updated", session=update["session"])


async def answer_paris(peer: Peer) -> None:
    await greet(peer)
    await peer.hear_question()
    await peer.send(
        "conversation.item.input_audio_transcription.completed", item_id="item_1", transcript="Capital of France?"
    )
    await peer.send(
        "voxfleet.turn.marks", response_id="resp_1", user_item_id="item_1", language="en", draft="none", marks=MARKS
    )
    await peer.reply(tone(0.5), "It is [Paris].")
    await peer.connection.wait_closed()


@pytest.fixture
def question(tmp_path: Path) -> Path:
    path = tmp_path / "question.wav"
    write_wav(path, tone(0.2))
    return path


async def test_a_wav_file_is_asked_and_its_reply_saved(question: Path, tmp_path: Path) -> None:
    reply = tmp_path / "reply.wav"
    async with scripted_server(answer_paris) as url:
        result = await talk("--wav", str(question), "--url", url, "--out", str(reply))
    assert result.exit_code == 0, result.output
    assert await asyncio.to_thread(read_wav, reply) == tone(0.5)
    assert "understood  Capital of France?" in result.output
    assert "answered    It is [Paris]." in result.output
    assert "end of turn" in result.output
    assert "500 ms" in result.output
    assert "language en" in result.output


async def test_text_is_spoken_by_the_fleets_own_voice(tmp_path: Path) -> None:
    servicer = ScriptedTts(speech(tone(0.2), 24_000))
    async with scripted_server(answer_paris) as url, serving_tts(servicer) as tts:
        # A process of its own: gRPC serves one event loop of a process only.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from client.commands.talk import app; app()"),
            *("--say", "首都", "--url", url, "--tts", tts, "--out", str(tmp_path / "reply.wav")),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        )
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert [request.text for request in servicer.requests] == ["", "首都"]
    assert "asked       首都" in output.decode()


async def test_language_and_voice_reach_the_session(question: Path, tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        audio = (await peer.receive())["session"]["audio"]
        assert audio["input"]["transcription"] == {"language": "zh"}
        assert audio["output"]["voice"] == "zf_xiaobei"
        await peer.connection.close()

    async with scripted_server(script) as url:
        await talk("--wav", str(question), "--url", url, "--language", "zh", "--voice", "zf_xiaobei")


async def test_every_line_fits_80_columns(question: Path, tmp_path: Path) -> None:
    async with scripted_server(answer_paris) as url:
        result = await talk("--wav", str(question), "--url", url, "--out", str(tmp_path / "r.wav"))
    lines = [line for line in result.output.splitlines() if str(tmp_path) not in line]
    assert max(map(len, lines)) <= 80


async def test_a_silent_reply_was_not_heard(question: Path, tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.hear_question()
        await peer.reply(silence(0.5), "It is Paris.")
        await peer.connection.wait_closed()

    async with scripted_server(script) as url:
        result = await talk("--wav", str(question), "--url", url, "--out", str(tmp_path / "r.wav"))
    assert result.exit_code == 1
    assert "not heard   the reply is silent" in result.output


async def test_error_events_are_printed_with_code_and_field(question: Path, tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        error = {"type": "invalid_request_error", "code": "bad_audio", "message": "odd length", "param": "audio"}
        await peer.send("error", error=error)
        await peer.hear_question()
        await peer.reply(b"", "", status="failed", error={"message": "no audio"})
        await peer.connection.wait_closed()

    async with scripted_server(script) as url:
        result = await talk("--wav", str(question), "--url", url, "--out", str(tmp_path / "r.wav"))
    assert result.exit_code == 1
    assert "error       bad_audio: audio: odd length" in result.output
    assert "the reply was failed: no audio" in result.output
    assert not await asyncio.to_thread((tmp_path / "r.wav").exists)


async def test_a_fleet_that_is_down_is_one_clear_line(question: Path) -> None:
    result = await talk("--wav", str(question), "--url", "ws://127.0.0.1:9/v1/realtime")
    assert result.exit_code == 1
    assert result.output == ("voxfleet talk: no server at ws://127.0.0.1:9/v1/realtime — is the fleet up? make run\n")


async def test_a_lost_connection_is_one_clear_line(question: Path) -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.hear(4800)
        await peer.connection.close(1001, "draining")

    async with scripted_server(script) as url:
        result = await talk("--wav", str(question), "--url", url)
    assert result.exit_code == 1
    assert result.stderr.startswith("voxfleet talk: the server closed the connection (1001 draining)")


async def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    result = await talk("--wav", str(tmp_path / "none.wav"))
    assert result.exit_code == 1
    assert result.stderr == f"voxfleet talk: {tmp_path / 'none.wav'}: No such file or directory\n"


async def test_two_questions_at_once_are_refused(question: Path) -> None:
    result = await talk("--wav", str(question), "--say", "Hello")
    assert result.exit_code == 2
    assert "--say and --wav are two questions" in result.output


async def test_without_a_question_and_a_microphone_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = await talk()
    assert result.exit_code == 1
    assert result.stderr == "voxfleet talk: the microphone needs a package: pip install 'voxfleet[microphone]'\n"


async def test_sound_devices_are_listed_with_the_rates_they_would_be_used_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", ScriptedDevices(rates=(16_000, 44_100), own_rate=44_100))
    result = await talk("--list-devices")
    assert result.exit_code == 0
    assert [line.split() for line in result.output.splitlines()] == [
        ["device", "system", "microphone", "loudspeaker"],
        ["0", "desk", "scripted", "16", "kHz,", "default", "44.1", "kHz,", "default"],
        ["1", "headset", "scripted", "16", "kHz", "44.1", "kHz"],
    ]


async def test_a_machine_without_sound_devices_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", ScriptedDevices(names=()))
    result = await talk("--list-devices")
    assert result.exit_code == 1
    assert result.stderr == "voxfleet talk: this machine has no sound devices\n"


async def test_a_conversation_through_the_chosen_devices_ends_with_the_servers_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    devices = ScriptedDevices()
    monkeypatch.setitem(sys.modules, "sounddevice", devices)

    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.reply(tone(0.1), "Hello.")
        await peer.connection.close(1000, "enough")

    async with scripted_server(script) as url:
        result = await talk("--url", url, "--input-device", "headset", "--output-device", "0")
    assert (devices.recorder.device, devices.player.device) == (1, 0)
    assert "microphone  headset, 24 kHz, 20 ms" in result.output
    assert "voxfleet    Hello." in result.output
    assert result.exit_code == 1
    assert result.stderr == "voxfleet talk: the server closed the connection (1000 enough)\n"
