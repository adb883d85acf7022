"""`voxfleet talk`: one spoken conversation with a running fleet, from a text, a WAV file or the microphone."""

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from client.errors import RealtimeError, UnreachableError
from client.realtime import DEFAULT_URL, RealtimeClient
from client.reconnecting import Reconnect
from client.sound.devices import Device, load_sounddevice, parse_device, quiet_libraries, usable_rate
from client.sound.devices import devices as list_all
from client.sound.microphone import open_audio
from client.sound.speech import TTS_TARGET, SpeechError, read_wav, synthesise
from client.terminal.dialogue import hold_turn, talk_freely
from client.terminal.report import make_console

app = typer.Typer(add_completion=False)


@app.command()
def talk(
    say: Annotated[str | None, typer.Option(metavar="TEXT", help="Ask this: the fleet's own voice speaks it.")] = None,
    wav: Annotated[Path | None, typer.Option(metavar="FILE", help="Ask what is spoken in this WAV file.")] = None,
    url: Annotated[str, typer.Option(help="Where the fleet is.")] = DEFAULT_URL,
    language: Annotated[
        str | None, typer.Option(metavar="xx", help="Language you speak, ISO 639-1; otherwise it is detected.")
    ] = None,
    voice: Annotated[str | None, typer.Option(metavar="NAME", help="Voice of the reply.")] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where --say and --wav save the reply.")] = Path(
        "reply.wav"
    ),
    api_key: Annotated[
        str | None, typer.Option(envvar="VOXFLEET_API_KEY", help="Key of the fleet, if it has one.")
    ] = None,
    input_device: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="Microphone: its number or a part of its name.")
    ] = None,
    output_device: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="Loudspeaker: its number or a part of its name.")
    ] = None,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="Show the sound devices and exit.")] = False,
    tts: Annotated[str, typer.Option(metavar="HOST:PORT", help="Text-to-speech stage that speaks --say.")] = TTS_TARGET,
) -> None:
    """Speaks with a running fleet: through the microphone, or one question with --say or --wav.

    With a question it exits with status 0 only if a reply was heard.
    """
    if say is not None and wav is not None:
        raise typer.BadParameter("--say and --wav are two questions: give one of them")
    console = make_console()
    try:
        if list_devices:
            print_devices(console, load_sounddevice())
            return
        if say is None and wav is None:
            devices = (parse_device(input_device), parse_device(output_device))
            asyncio.run(_converse(load_sounddevice(), devices, url, language, voice, api_key))
            return
        pcm = read_wav(wav) if wav is not None else None
        asked = say if say is not None else str(wav)
        heard = asyncio.run(_ask_once(console, asked, pcm, url, language, voice, out, api_key, tts))
    except (RealtimeError, SpeechError, OSError) as error:
        hint = " — is the fleet up? make run" if isinstance(error, UnreachableError) else ""
        make_console(stderr=True).print(Text(f"voxfleet talk: {error}{hint}", "red"), soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as stopped:
        raise typer.Exit(0 if say is None and wav is None else 130) from stopped
    raise typer.Exit(0 if heard else 1)


async def _ask_once(
    console: Console,
    asked: str,
    pcm: bytes | None,
    url: str,
    language: str | None,
    voice: str | None,
    out: Path,
    api_key: str | None,
    tts: str,
) -> bool:
    async with RealtimeClient.connect(url, api_key=api_key) as client:
        await client.update(language=language, voice=voice)
        if pcm is None:
            pcm = await synthesise(asked, language=language, target=tts)
        return await hold_turn(client, console, asked=asked, pcm=pcm, out=out)


async def _converse(
    sounddevice: ModuleType,
    devices: tuple[int | str | None, int | str | None],
    url: str,
    language: str | None,
    voice: str | None,
    api_key: str | None,
) -> None:
    input_device, output_device = devices
    console = Console(highlight=False)
    async with (
        open_audio(sounddevice, input_device=input_device, output_device=output_device) as audio,
        RealtimeClient.connect(url, api_key=api_key, reconnect=Reconnect()) as client,
    ):
        await client.update(language=language, voice=voice)
        await talk_freely(client, console, audio)


def print_devices(console: Console, sounddevice: ModuleType) -> None:
    """A table of the sound devices, and how each would be used. Raises SpeechError."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "device", "system", "microphone", "loudspeaker"):
        table.add_column(heading, overflow="fold")
    with quiet_libraries():
        for device in list_all(sounddevice):
            uses = [
                _use(sounddevice, "input", device, device.inputs, device.default_input),
                _use(sounddevice, "output", device, device.outputs, device.default_output),
            ]
            table.add_row(str(device.index), device.name, device.system, *uses)
    if not table.row_count:
        raise SpeechError("this machine has no sound devices")
    console.print(Padding(table, (0, 0, 0, 2)))


def _use(sounddevice: ModuleType, kind: str, device: Device, channels: int, default: bool) -> str:
    if not channels:
        return "–"
    try:
        rate = usable_rate(sounddevice, kind, device)
    except SpeechError:
        return "in use or refused"
    return f"{rate / 1000:g} kHz" + (", default" if default else "")
