// Hands on what it hears as PCM s16le, 100 ms at a time.
registerProcessor("recorder", class extends AudioWorkletProcessor {
  samples = [];

  process([[channel]]) {
    for (const value of channel ?? []) this.samples.push(Math.max(-1, Math.min(1, value)) * 32767);
    if (this.samples.length >= sampleRate / 10) this.port.postMessage(Int16Array.from(this.samples.splice(0)));
    return true;
  }
});
