// Runs before the scripts of a page. Its microphone hears, over what the browser captures, what the test says with
// `say(base64)`: PCM s16le, 24 kHz, mono.
const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);

navigator.mediaDevices.getUserMedia = async (constraints) => {
  const context = new AudioContext();
  const microphone = context.createMediaStreamDestination();
  context.createMediaStreamSource(await capture(constraints)).connect(microphone);
  await context.resume();
  window.say = (base64) => {
    const samples = new Int16Array(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer);
    const words = context.createBuffer(1, samples.length, 24_000);
    words.copyToChannel(Float32Array.from(samples, (sample) => sample / 32768), 0);
    const mouth = context.createBufferSource();
    mouth.buffer = words;
    mouth.connect(microphone);
    mouth.start();
  };
  return microphone.stream;
};
