/**
 * The loudspeaker: 24 kHz up to the device's rate, with a count of every sample that was played.
 *
 * Takes `{type: "push", item, pcm}` (PCM s16le mono, 24 kHz), `"flush"`, `"hold"` and `"resume"`; the last three take
 * effect with the next block of 128 frames, faded over it so that nothing clicks. At most 43 s wait; what comes on top
 * is dropped and counted.
 *
 * Posts `started` with the first sample of an item, and `progress` about 25 times a second and with every change:
 * `{item, played, waiting, playing, held, rms, time, total, underruns, dropped}`, counts in samples at 24 kHz. `played`
 * is that of `item`, `total` that of all items.
 */

import { SincReader } from "./sinc.js";

const RATE = 24_000;
const RING = 1 << 20;
/** What has to be there before a sound begins, or begins again after it ran dry: the network is not that even. */
const PREBUFFER = RATE * 0.04;
const REMEMBERED_ITEMS = 8;
const REPORT_S = 0.04;

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.reader = new SincReader(RATE, sampleRate);
    this.ring = new Float32Array(RING);
    this.head = 0;
    this.first = 0;
    this.at = 0;
    this.total = 0;
    /** @type {{item: string, start: number, end: number, started: boolean}[]} Where each item lies; a flush ends it. */
    this.items = [];
    this.running = false;
    this.held = false;
    this.flushTo = -1;
    this.waitedFrames = 0;
    this.energy = 0;
    this.energyFrames = 0;
    this.reportedAt = 0;
    this.underruns = 0;
    this.dropped = 0;
    this.gain = 0;
    this.port.onmessage = ({ data }) => this.receive(data);
  }

  receive(message) {
    switch (message.type) {
      case "push":
        this.push(message.item, new Int16Array(message.pcm));
        break;
      case "flush":
        this.flushTo = this.head;
        break;
      case "hold":
        this.held = true;
        break;
      case "resume":
        this.held = false;
        break;
    }
  }

  push(item, pcm) {
    const latest = this.items.at(-1);
    if (latest?.item !== item) {
      this.items.push({ item, start: this.head, end: Infinity, started: false });
      if (this.items.length > REMEMBERED_ITEMS) this.items.shift();
    } else if (latest.started && this.at >= this.head && latest.end === Infinity) {
      this.underruns += 1;
    }
    // What lies just behind the position still has a part in the values to come.
    const room = RING - 2 * this.reader.reach - (this.head - Math.floor(this.at));
    const taken = Math.min(pcm.length, room);
    this.dropped += pcm.length - taken;
    for (let i = 0; i < taken; i += 1) {
      this.ring[(this.head + i) & (RING - 1)] = pcm[i] / 32_768;
    }
    this.head += taken;
  }

  process(_inputs, [output]) {
    const [channel] = output;
    const flushing = this.flushTo >= 0;
    const open = !this.held && !flushing;
    if (!this.running && open) this.begin(channel.length);
    if (this.running || this.gain > 0) this.render(channel, open);
    for (const other of output.slice(1)) other.set(channel);
    if (flushing) this.flush();
    if (this.held && this.running) this.stop();
    else if (currentTime - this.reportedAt >= REPORT_S && this.running) this.report();
    return true;
  }

  begin(frames) {
    const waiting = this.head - this.at;
    if (waiting <= 0) return;
    this.waitedFrames += frames;
    if (waiting < PREBUFFER && this.waitedFrames / sampleRate < PREBUFFER / RATE) return;
    this.waitedFrames = 0;
    this.running = true;
  }

  render(channel, open) {
    const slope = 1 / channel.length;
    const before = this.at;
    for (let i = 0; i < channel.length; i += 1) {
      if (this.at >= this.head) {
        this.at = this.head;
        this.total += this.at - before;
        this.announce(currentTime + i / sampleRate);
        this.stop();
        return;
      }
      this.gain = open ? Math.min(1, this.gain + slope) : Math.max(0, this.gain - slope);
      const value = this.reader.value(this.ring, this.at, this.first, this.head) * this.gain;
      channel[i] = value;
      this.energy += value * value;
      this.energyFrames += 1;
      this.at += this.reader.step;
    }
    this.total += this.at - before;
    this.announce(currentTime + channel.length / sampleRate);
  }

  announce(endTime) {
    for (const entry of this.items) {
      if (!entry.started && entry.start < this.at) {
        entry.started = true;
        const late = (this.at - entry.start) / RATE;
        this.port.postMessage({ type: "started", item: entry.item, time: endTime - late });
      }
    }
  }

  flush() {
    const playing = this.items.findLast((each) => each.start < this.at);
    if (playing) playing.end = Math.min(playing.end, Math.floor(this.at));
    this.at = Math.max(this.at, this.flushTo);
    this.first = this.flushTo;
    this.flushTo = -1;
    this.held = false;
    this.stop();
  }

  stop() {
    this.running = false;
    this.gain = 0;
    this.waitedFrames = 0;
    this.report();
  }

  report() {
    const entry = this.items.findLast((each) => each.start < this.at || each === this.items[0]);
    this.port.postMessage({
      type: "progress",
      item: entry?.item ?? "",
      played: entry ? Math.min(Math.floor(this.at), entry.end) - entry.start : 0,
      waiting: Math.ceil(this.head - this.at),
      playing: this.running,
      held: this.held,
      rms: this.energyFrames ? Math.sqrt(this.energy / this.energyFrames) : 0,
      time: currentTime,
      total: Math.floor(this.total),
      underruns: this.underruns,
      dropped: this.dropped,
    });
    this.energy = 0;
    this.energyFrames = 0;
    this.reportedAt = currentTime;
  }
}

registerProcessor("voxfleet-playback", Playback);
