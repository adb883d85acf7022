/**
 * The server events that a voice client acts on, as types. Events come as the protocol has them; every other type passes
 * through untouched. Source: OpenAI's Realtime API, server events; those of voxfleet come where `extensions` is on.
 *
 * @typedef {{type: "session.created" | "session.updated", session: object}} SessionEvent
 * @typedef {{type: "input_audio_buffer.speech_started", item_id: string, audio_start_ms: number}} SpeechStarted
 * @typedef {{type: "input_audio_buffer.speech_stopped", item_id: string, audio_end_ms: number}} SpeechStopped
 * @typedef {{type: "conversation.item.input_audio_transcription.completed", item_id: string, transcript: string}}
 *   TranscriptionCompleted
 * @typedef {{id: string, type: string, role: "user" | "assistant" | "system", status: string,
 *   content: {type: string, text?: string, transcript?: string}[]}} Item
 * @typedef {{type: "conversation.item.added" | "conversation.item.done", item: Item}} ItemEvent
 * @typedef {{type: "response.created", response: {id: string, status: string}}} ResponseCreated
 * @typedef {{type: "response.output_audio.delta" | "response.output_audio_transcript.delta"
 *   | "response.output_text.delta", response_id: string, item_id: string, delta: string}} ReplyDelta
 * @typedef {{type: "response.done", response: {id: string, status: "completed" | "cancelled" | "failed" | "incomplete",
 *   status_details: {reason?: string} | null}}} ResponseDone
 * @typedef {{type: "error", error: {type: string, code: string | null, message: string, param: string | null,
 *   event_id: string | null}}} ErrorEvent
 * @typedef {{type: "voxfleet.transcript.partial", item_id: string, stable: string, unstable: string}} PartialTranscript
 * @typedef {{type: "voxfleet.turn.marks", response_id: string, user_item_id: string, language: string,
 *   draft: "kept" | "none", marks: Record<string, number>}} TurnMarks
 * @typedef {{type: "voxfleet.playout.paused" | "voxfleet.playout.resumed", response_id: string, item_id: string}}
 *   PlayoutEvent
 * @typedef {SessionEvent | SpeechStarted | SpeechStopped | TranscriptionCompleted | ItemEvent | ResponseCreated
 *   | ReplyDelta | ResponseDone | ErrorEvent | PartialTranscript | TurnMarks | PlayoutEvent} ServerEvent
 */

export {};
