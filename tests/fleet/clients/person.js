// Mouth and ears of the person at a page. Audio is PCM s16le, 24 kHz, mono. `tell` is the test.
const RATE = 24_000;
const BLOCK = 480;
const LOUD = 300;
const QUIET_MS = 500;

// For clients that take blocks of audio: calls `send(ArrayBuffer)` at the pace of time. Silence, and what the test says
// with `say(base64)`.
export function speakInBlocks(send) {
  let words = new Int16Array(0);
  let sent = 0;
  const start = performance.now();
  window.say = (base64) => {
    words = new Int16Array(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer);
  };
  setInterval(() => {
    for (const due = ((performance.now() - start) * RATE) / 1000; sent + BLOCK <= due; sent += BLOCK) {
      const block = new Int16Array(BLOCK);
      block.set(words.subarray(0, BLOCK));
      words = words.subarray(BLOCK);
      send(block.buffer);
    }
  }, 20);
}

// For clients that hand over blocks of audio: plays them one after the other, until it is stopped.
export function loudspeaker() {
  const context = new AudioContext({ sampleRate: RATE });
  const output = context.createMediaStreamDestination();
  const playing = new Set();
  let playhead = 0;
  listen(output.stream);
  return {
    play(data) {
      const samples = Float32Array.from(new Int16Array(data), (sample) => sample / 32768);
      const buffer = context.createBuffer(1, samples.length, RATE);
      buffer.copyToChannel(samples, 0);
      const node = context.createBufferSource();
      node.buffer = buffer;
      node.connect(output);
      node.onended = () => playing.delete(node);
      playing.add(node);
      playhead = Math.max(playhead, context.currentTime);
      node.start(playhead);
      playhead += buffer.duration;
    },
    stop() {
      for (const node of playing) node.stop();
      playhead = 0;
    },
  };
}

// Hears what a MediaStream plays, as it plays it: tells how much of it is sound and when it falls quiet, and hands the
// last of it over with `takeAudio()`.
export async function listen(stream) {
  const context = new AudioContext({ sampleRate: RATE });
  await context.audioWorklet.addModule("recorder.js");
  const recorder = new AudioWorkletNode(context, "recorder", { channelCount: 1, channelCountMode: "explicit" });
  const heard = [];
  let quiet = QUIET_MS;
  recorder.port.onmessage = ({ data }) => {
    heard.push(data);
    const ms = (data.length * 1000) / RATE;
    if (data.some((sample) => Math.abs(sample) > LOUD)) {
      quiet = 0;
      tell({ type: "sound", ms });
    } else if (quiet < QUIET_MS) {
      quiet += ms;
      if (quiet >= QUIET_MS) tell({ type: "quiet" });
    }
  };
  context.createMediaStreamSource(stream).connect(recorder);
  await context.resume();
  window.takeAudio = async () => {
    const bytes = new Uint8Array(await new Blob(heard.splice(0)).arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(text);
  };
}
