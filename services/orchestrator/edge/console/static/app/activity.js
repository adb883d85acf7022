/** What the conversation is doing now, from what is known of it. Pure. */

export const Activity = Object.freeze({
  OFF: "off",
  CONNECTING: "connecting",
  RECONNECTING: "reconnecting",
  READY: "ready",
  LISTENING: "listening",
  HEARING: "hearing",
  THINKING: "thinking",
  SPEAKING: "speaking",
  PAUSED: "paused",
});

/** What each is called on the page. */
export const LABELS = Object.freeze({
  off: "Ready when you are",
  connecting: "Connecting",
  reconnecting: "Reconnecting",
  ready: "Microphone off",
  listening: "Listening",
  hearing: "Hearing you",
  thinking: "Thinking",
  speaking: "Speaking",
  paused: "Paused",
});

/**
 * @typedef {object} Facts
 * @property {"closed" | "connecting" | "open" | "reconnecting"} status
 * @property {boolean} microphone whether it is on (push-to-talk: whether it is open)
 * @property {boolean} sending push-to-talk: whether the button is held
 * @property {boolean} push whether push-to-talk is on
 * @property {boolean} hearing whether the server hears speech
 * @property {boolean} awaiting whether a reply is to come
 * @property {boolean} paused whether a reply stands still
 * @property {boolean} playing whether the loudspeaker plays
 */

/**
 * @param {Facts} facts
 * @returns {string} an Activity
 */
export function activityOf({ status, microphone, sending, push, hearing, awaiting, paused, playing }) {
  if (status === "closed") return Activity.OFF;
  if (status !== "open") return status === "connecting" ? Activity.CONNECTING : Activity.RECONNECTING;
  if (push && sending) return Activity.HEARING;
  if (paused) return Activity.PAUSED;
  if (hearing && microphone) return Activity.HEARING;
  if (playing) return Activity.SPEAKING;
  if (awaiting) return Activity.THINKING;
  return microphone && !push ? Activity.LISTENING : Activity.READY;
}

/** Follows the server's events as far as they matter here. */
export class Ear {
  hearing = false;
  awaiting = false;
  paused = false;

  /** A new session. */
  reset() {
    this.hearing = this.awaiting = this.paused = false;
  }

  receive(event) {
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        this.hearing = true;
        break;
      case "input_audio_buffer.speech_stopped":
        this.hearing = false;
        this.awaiting = true;
        break;
      case "conversation.item.input_audio_transcription.completed":
        this.hearing = false;
        if (!event.transcript) this.awaiting = false;
        break;
      case "response.created":
        this.awaiting = true;
        break;
      case "voxfleet.playout.paused":
        this.paused = true;
        break;
      case "voxfleet.playout.resumed":
        this.paused = this.hearing = false;
        break;
      case "response.done":
        this.paused = this.awaiting = false;
        break;
      case "error":
        if (event.error.type === "server_error") this.awaiting = false;
        break;
    }
  }
}
