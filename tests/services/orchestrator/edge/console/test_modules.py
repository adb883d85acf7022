"""The console's pure modules and its audio worklets in Node, where samples can be counted."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from client.terminal import waterfall
from services.orchestrator.edge.console import routes

STATIC = Path(routes.__file__).parent / "static"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no node on the PATH")

# A worklet's surroundings: blocks of 128 frames are asked for one by one, messages are kept.
_WORKLET = """
  import { pathToFileURL } from "node:url";
  globalThis.sampleRate = given.rate;
  globalThis.currentTime = 0;
  globalThis.AudioWorkletProcessor = class { port = { told: [], postMessage(data) { this.told.push(data); } }; };
  let Processor;
  globalThis.registerProcessor = (_, processor) => { Processor = processor; };
  await import(pathToFileURL(given.static + given.module).href);
  const worklet = new Processor();
  const render = (inputs, outputs) => {
    worklet.process(inputs, outputs);
    globalThis.currentTime += 128 / sampleRate;
  };
"""
_PLAYBACK = (
    _WORKLET
    + """
  const send = (message) => worklet.port.onmessage({ data: message });
  const play = (blocks) => {
    const heard = [];
    for (let i = 0; i < blocks; i += 1) {
      const block = new Float32Array(128);
      render([], [[block]]);
      heard.push(...block);
    }
    return heard;
  };
  const push = (item, samples, value) => send({ type: "push", item, pcm: new Int16Array(samples).fill(value).buffer });
  const progress = () => worklet.port.told.filter(({ type }) => type === "progress").at(-1);
  const played = () => worklet.at;
"""
)


def node(program: str, **given: Any) -> Any:
    """Runs a module in Node; gives what it leaves in `result`."""
    assert NODE is not None
    known = json.dumps({"static": f"{STATIC}/", **given})
    source = f"const given = {known}; let result;\n{program}\nconsole.log(JSON.stringify(result));"
    done = subprocess.run(
        [NODE, "--input-type=module"], input=source, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def module(path: str, *names: str) -> str:
    """An import of one of the console's modules."""
    return f"const {{ {', '.join(names)} }} = await import(given.static + {json.dumps(path)});\n"


MARKS: list[dict[str, float]] = [
    {"endpoint": 300, "flush": 100, "transcript": 180, "generate": 181, "first_token": 250, "audio_sent": 301},
    {"endpoint": 300, "flush": 100, "transcript": 420, "generate": 421, "first_token": 500, "first_audio": 700},
    {"transcript": 90, "first_token": 120, "first_clause": 130, "first_audio": 150, "audio_sent": 150},
    {"endpoint": -20, "transcript": 40, "generate": 41, "first_token": 90, "first_clause": 95, "audio_sent": 200},
    {"first_audio": 10},
    {},
]


def test_the_page_s_waterfall_has_the_terminal_s_steps() -> None:
    told = node(
        module("app/latency.js", "steps")
        + "result = given.marks.map(marks => steps(marks).map(({startMs, endMs}) => [startMs, endMs]));",
        marks=MARKS,
    )
    assert told == [[[step.start_ms, step.end_ms] for step in waterfall.steps(marks)] for marks in MARKS]


def test_quantiles_are_of_the_nearest_rank() -> None:
    told = node(
        module("app/latency.js", "quantile")
        + "result = [quantile([], .5) ?? null, quantile([3], .5), quantile([4, 1, 3, 2], .5), quantile([1, 2, 9], .9)];"
    )
    assert told == [None, 3, 2, 9]


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
def test_every_sample_is_played_once_and_counted(rate: int) -> None:
    told = node(
        _PLAYBACK
        + """
        push("a", 2400, 8192); push("b", 1200, 8192);
        const heard = play(Math.ceil(0.3 * sampleRate / 128));
        const started = worklet.port.told.filter(({ type }) => type === "started").map(({ item }) => item);
        result = { ...progress(), started, loud: heard.filter(x => Math.abs(x - 0.25) < 0.01).length };
        """,
        rate=rate,
        module="worklets/playback.js",
    )
    assert told["total"] == 3600
    assert (told["item"], told["played"], told["waiting"], told["playing"]) == ("b", 1200, 0, False)
    assert told["started"] == ["a", "b"]
    assert told["underruns"] == 0
    # All but the fade in at its head and the filter's slopes at both ends.
    assert told["loud"] == pytest.approx(3600 * rate / 24_000, abs=128 + 3 * 40 * max(1, rate / 24_000))


def test_a_hold_stops_within_a_block_and_goes_on_at_the_same_sample() -> None:
    told = node(
        _PLAYBACK
        + """
        push("a", 24000, 8192);
        play(50);
        const before = played();
        send({ type: "hold" });
        const fading = play(1);
        const held = played();
        const quiet = play(50);
        const stood = played();
        const report = progress();
        send({ type: "resume" });
        play(1);
        result = { before, held, stood, resumed: played(), report, fading, silent: quiet.every(x => x === 0) };
        """,
        rate=48_000,
        module="worklets/playback.js",
    )
    assert told["held"] - told["before"] == 64  # one block of 128 frames is 64 samples at 24 kHz
    assert told["stood"] == told["held"]
    assert told["resumed"] == told["held"] + 64
    assert told["silent"]
    assert told["fading"][0] == pytest.approx(0.25, abs=0.01)
    assert abs(told["fading"][-1]) < 0.01
    assert (told["report"]["held"], told["report"]["played"]) == (True, int(told["held"]))


def test_a_flush_is_silent_within_a_block_and_counts_only_what_was_played() -> None:
    told = node(
        _PLAYBACK
        + """
        push("a", 24000, 8192);
        play(50);
        send({ type: "flush" });
        push("b", 24000, -8192);  // the next reply may follow at once
        play(1);
        const report = progress();
        const next = play(40);
        result = { report, heard: next.at(-1), positive: next.some(x => x > 0.01), later: progress() };
        """,
        rate=48_000,
        module="worklets/playback.js",
    )
    # 50 blocks less those that waited for nothing, and the block that faded.
    assert told["report"]["item"] == "a"
    assert told["report"]["played"] == told["report"]["total"] == 51 * 64
    assert told["heard"] == pytest.approx(-0.25, abs=0.01)
    assert not told["positive"]
    assert told["later"]["item"] == "b"


def test_what_finds_no_room_is_dropped_and_counted() -> None:
    told = node(
        _PLAYBACK + 'for (let i = 0; i < 50; i += 1) push("a", 24000, 100); play(20); result = progress();',
        rate=48_000,
        module="worklets/playback.js",
    )
    assert told["dropped"] > 0
    assert told["dropped"] + told["waiting"] + told["total"] == pytest.approx(50 * 24_000, abs=1)


def test_a_reply_that_runs_dry_is_an_underrun_and_the_end_of_one_is_none() -> None:
    told = node(
        _PLAYBACK
        + """
        push("a", 2400, 8192); play(100); const ended = progress().underruns;
        push("a", 2400, 8192); play(100); const dry = progress().underruns;
        push("b", 2400, 8192); play(100);
        result = [ended, dry, progress().underruns];
        """,
        rate=48_000,
        module="worklets/playback.js",
    )
    assert told == [0, 1, 1]


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_the_microphone_keeps_its_pitch_and_loses_what_24_khz_cannot_hold(rate: int) -> None:
    told = node(
        _WORKLET
        + """
        const level = (hertz) => {
          worklet.port.told = [];
          for (let block = 0; block * 128 < sampleRate; block += 1) {
            const input = Float32Array.from({ length: 128 }, (_, i) =>
              0.5 * Math.sin(2 * Math.PI * hertz * (block * 128 + i) / sampleRate));
            render([[input]], []);
          }
          const blocks = worklet.port.told.slice(5);
          const samples = blocks.flatMap(({ pcm }) => [...new Int16Array(pcm)]);
          let crossings = 0;
          for (let i = 1; i < samples.length; i += 1) if (samples[i - 1] < 0 && samples[i] >= 0) crossings += 1;
          return { rms: Math.max(...blocks.map(({ rms }) => rms)), hertz: crossings / (samples.length / 24000),
            blocks: blocks.length, bytes: blocks[0].pcm.byteLength };
        };
        result = { speech: level(1000), hiss: given.rate > 24000 ? level(15000) : { rms: 0 } };
        """,
        rate=rate,
        module="worklets/capture.js",
    )
    assert told["speech"]["hertz"] == pytest.approx(1000, abs=5)
    assert told["speech"]["rms"] == pytest.approx(0.5 / 2**0.5, rel=0.02)
    assert told["speech"]["bytes"] == 960
    assert told["speech"]["blocks"] == pytest.approx(45, abs=1)
    assert told["hiss"]["rms"] < 0.001


def conversation(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries after these server events."""
    entries: list[dict[str, Any]] = node(
        module("app/conversation.js", "Conversation")
        + "const c = new Conversation(); for (const e of given.events) c.receive(e); result = [...c.entries.values()];",
        events=events,
    )
    return entries


def reply(heard: str, sent: str, status: str) -> list[dict[str, Any]]:
    """A reply from its beginning to its end, the way the server tells it."""
    item = {"id": "item_1", "type": "message", "role": "assistant"}
    at = {"response_id": "resp_1", "item_id": "item_1"}
    content = [{"type": "output_audio", "transcript": heard}]
    return [
        {"type": "response.output_item.added", "response_id": "resp_1", "item": item | {"content": []}},
        {"type": "response.output_audio_transcript.delta", "delta": sent} | at,
        {"type": "response.output_audio_transcript.done", "transcript": sent} | at,
        {"type": "conversation.item.done", "item": item | {"content": content}},
        {"type": "response.done", "response": {"id": "resp_1", "status": status, "status_details": None}},
    ]


def test_what_was_sent_and_not_heard_is_cut() -> None:
    (entry,) = conversation(reply("The sea is", "The sea is deep and blue.", "cancelled"))
    assert (entry["heard"], entry["cut"].strip()) == ("The sea is", "deep and blue.")
    (entry,) = conversation(reply("The sea.", "The sea.", "completed"))
    assert (entry["heard"], entry["cut"]) == ("The sea.", "")


def test_a_reply_of_which_nothing_came_leaves_nothing() -> None:
    assert conversation(reply("", "", "cancelled")) == []


def test_speech_that_turns_out_to_be_nothing_leaves_nothing() -> None:
    began = {"type": "input_audio_buffer.speech_started", "item_id": "item_1"}
    partial = {"type": "voxfleet.transcript.partial", "item_id": "item_1", "stable": "mm", "unstable": "-hm"}
    resumed = {"type": "voxfleet.playout.resumed", "response_id": "resp_1", "item_id": "item_0"}
    completed = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "item_1", "transcript": ""}
    assert len(conversation([began, partial])) == 1
    assert conversation([began, partial, resumed]) == []
    assert conversation([began, partial, completed]) == []
