// node plain_client.mjs ws://localhost:8000/realtime question.wav …   (WAV: 16 kHz, 16 bits, mono)
// Node before 22 needs --experimental-websocket. In a browser the WebSocket part is the same.
import { readFileSync, writeFileSync } from "node:fs";

const [url, ...questions] = process.argv.slice(2);
const socket = new WebSocket(url);
socket.binaryType = "arraybuffer";
let said = Buffer.alloc(0), reply = [], started = 0, sent = 0;

function microphone() { // 20 ms of sound every 20 ms: what there is to say, else silence
  for (; sent * 20 < performance.now() - started; sent++) {
    socket.send(Buffer.concat([said, Buffer.alloc(640)]).subarray(0, 640));
    said = said.subarray(640);
  }
}

socket.onopen = () => {
  started = performance.now();
  setInterval(microphone, 20);
  said = readFileSync(questions[0]).subarray(44); // behind the header of the file
};

socket.onmessage = ({ data }) => {
  if (typeof data !== "string") return reply.push(Buffer.from(data)); // or play it
  const event = JSON.parse(data);
  if (["transcript", "reply_text", "error"].includes(event.type)) console.log(event.type, event.text ?? event.message);
  if (event.type !== "reply_done") return; // if it is "cancelled": play no more of it
  writeFileSync(`${questions.shift()}.reply.pcm`, Buffer.concat(reply.splice(0))); // 24 kHz, 16 bits, mono
  if (!questions.length) process.exit();
  said = readFileSync(questions[0]).subarray(44);
};

socket.onclose = ({ code }) => process.exit(code === 1000 ? 0 : 1);
