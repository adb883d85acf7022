// A page with an agent of @openai/agents-realtime, written as its guide says. `tell` is the test.
import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import { z } from "zod";
import { listen, loudspeaker, speakInBlocks } from "./person.js";

window.start = async ({ transport, url, apiKey, instructions, weather }) => {
  const getWeather = tool({
    name: "get_weather",
    description: "Tells the weather of a city.",
    parameters: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      tell({ type: "tool", city });
      return weather;
    },
  });
  const agent = new RealtimeAgent({ name: "Forecaster", instructions, tools: [getWeather] });
  const session = new RealtimeSession(agent, { transport });
  watch(session);
  window.session = session;
  await session.connect({ url, apiKey });
  if (transport === "websocket") {
    const speaker = loudspeaker();
    session.on("audio", ({ data }) => speaker.play(data));
    session.on("audio_interrupted", () => speaker.stop());
    speakInBlocks((block) => session.sendAudio(block));
  } else {
    const [receiver] = session.transport.connectionState.peerConnection.getReceivers();
    await listen(new MediaStream([receiver.track]));
  }
};

function watch(session) {
  session.on("audio_interrupted", () => tell({ type: "audio_interrupted" }));
  session.on("error", ({ error }) => tell({ type: "error", error: error?.error ?? String(error?.message ?? error) }));

  // The client hands on each event under its own name, unless it is not what the client expects of that name.
  const names = new Set();
  let unclaimed = null;
  window.misunderstood = new Set();
  session.transport.on("*", (event) => {
    tell(event);
    if (unclaimed !== null) window.misunderstood.add(unclaimed);
    unclaimed = event.type;
    if (names.has(event.type)) return;
    names.add(event.type);
    session.transport.on(event.type, () => { unclaimed = null; });
  });
}
