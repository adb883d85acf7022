/** The console: joins the client to what the page shows. */

import { microphones, RealtimeClient } from "../voxfleet.js";
import { activityOf, Ear } from "./activity.js";
import { bindControls } from "./controls.js";
import { Conversation, textOf } from "./conversation.js";
import { ConversationView } from "./conversation_view.js";
import { DockView } from "./dock_view.js";
import { asJson, asText, download } from "./download.js";
import { FleetWatch, isReady } from "./fleet_watch.js";
import { KeyDialog } from "./key_dialog.js";
import { showLatency } from "./latency_view.js";
import { NoticesView } from "./notices_view.js";
import { Panel } from "./panel.js";
import { describe, describeEvent, describeStages } from "./problems.js";
import { load, LOCAL, sessionOf, store } from "./settings.js";
import { SettingsView } from "./settings_view.js";
import { Talk } from "./talk.js";
import { Theme } from "./theme.js";

/** Gaps in the sound that are shorter than this are part of the speech: while more of it is to come, and at its end. */
const BREATH_MS = 1_500;
const LAST_BREATH_MS = 350;
const LOCAL_ERRORS = new Set(["key_missing", "key_wrong"]);

export class Console {
  client;
  talk;
  conversation = new Conversation();
  #base;
  #settings = load(localStorage);
  #ear = new Ear();
  #dock = new DockView();
  #notices = new NoticesView(document.getElementById("notices"));
  #panel = new Panel();
  #view;
  #settingsView;
  #watch;
  #keys;
  #announcer = document.getElementById("announcer");
  #serverInstructions = "";
  #selected;
  #speechEnd;
  #playedAt = 0;
  #status = "closed";
  #breath;

  /** @param {URL} base the server */
  constructor(base) {
    this.#base = base;
    this.client = new RealtimeClient({ url: base, session: sessionOf(this.#settings) });
    this.#keys = new KeyDialog(base, sessionStorage);
    this.talk = new Talk({
      client: this.client,
      settings: this.#settings,
      keys: this.#keys,
      changed: () => this.#refresh(),
      problem: (error) => this.#problem(error),
    });
    this.#view = new ConversationView(this.conversation, {
      list: document.getElementById("turns"),
      scroller: document.getElementById("conversation"),
      empty: document.getElementById("empty"),
      onselect: (id) => this.#select(id),
    });
    this.#settingsView = new SettingsView(
      document.getElementById("settings"),
      this.#settings,
      (change) => this.#configure(change),
      { text: () => this.#save("txt"), json: () => this.#save("json"), fresh: () => this.#startAnew() },
    );
    const theme = new Theme(document.getElementById("theme"), () => this.#dock.recolour());
    const shortcuts = () => document.getElementById("shortcuts").showModal();
    document.getElementById("open-shortcuts").addEventListener("click", shortcuts);
    bindControls(this.talk, {
      latency: () => this.#panel.show("latency"),
      settings: () => this.#panel.show("settings"),
      theme: () => theme.toggle(),
      shortcuts,
    });
    this.#watch = new FleetWatch(base, (fleet) => this.#showFleet(fleet));
    this.#follow();
  }

  /** Begins to look after the fleet. */
  async start() {
    this.#refresh();
    this.#showLatency();
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#offerMicrophones());
    await Promise.all([this.#watch.look(), this.#offerMicrophones()]);
    if (this.#watch.fleet?.key_needed && !this.#keys.key) await this.#keys.ask();
  }

  #follow() {
    const { client } = this;
    client.on("*", (event) => this.#receive(event));
    client.on("status", (status) => this.#showStatus(status));
    client.on("level", ({ rms, sent }) => this.#dock.heard(rms, this.#ear.hearing || (this.talk.held && sent)));
    client.on("progress", (progress) => this.#showProgress(progress));
    client.on("started", ({ item, atMs }) => this.#measure(item, atMs));
    client.microphone.on("ended", () => {
      this.#notices.show("microphone", describe({ reason: "microphone_missing" }));
      this.#refresh();
    });
  }

  #receive(event) {
    if (event.type === "session.created") this.#begin(event.session);
    if (event.type === "error") this.#notices.show(`error ${event.error.code}`, describeEvent(event.error));
    if (event.type === "input_audio_buffer.speech_stopped") {
      this.#speechEnd = this.client.speechClock.timeOf(event.audio_end_ms);
    }
    this.#ear.receive(event);
    const received = event.item_id ? (this.client.loudspeaker?.receivedMs(event.item_id) ?? 0) : 0;
    const changed = this.conversation.receive(event, received);
    this.#view.update(changed);
    if (event.type === "voxfleet.turn.marks") this.#view.update(event.user_item_id);
    if (event.type === "conversation.item.input_audio_transcription.completed") this.#announce("You", event.transcript);
    if (event.type === "response.done") {
      const reply = this.conversation.entries.get(changed);
      if (reply) this.#announce("voxfleet", reply.heard);
    }
    if (["voxfleet.turn.marks", "response.done"].includes(event.type)) this.#showLatency();
    this.#refresh();
  }

  #begin(session) {
    this.#serverInstructions ||= session.instructions;
    this.#settingsView.offer({ instructions: this.#serverInstructions });
    this.#ear.reset();
  }

  #showProgress({ item, rms, playing }) {
    this.#dock.spoken(rms);
    if (playing) this.#playedAt = performance.now();
    const position = this.client.loudspeaker?.position();
    const heardMs = position?.itemId === item ? position.audioMs : (this.client.loudspeaker?.receivedMs(item) ?? 0);
    this.#view.update(this.conversation.played(item, heardMs));
    this.#refresh();
  }

  /** The reply's first sound reaches the ear: what the person waited for. */
  #measure(item, atMs) {
    const reply = this.conversation.entries.get(item);
    if (reply?.kind !== "reply" || reply.marks.audio_sent === undefined || this.#speechEnd === undefined) return;
    const ms = atMs - this.#speechEnd;
    this.#speechEnd = undefined;
    this.#view.update(this.conversation.mark(item, "heard", ms));
    this.#showLatency();
  }

  #refresh() {
    const { client, talk } = this;
    const breath = this.#ear.awaiting && client.isReplying ? BREATH_MS : LAST_BREATH_MS;
    const playing = performance.now() - this.#playedAt < breath && client.status === "open";
    clearTimeout(this.#breath);
    if (playing) this.#breath = setTimeout(() => this.#refresh(), breath);
    const activity = activityOf({
      status: client.status,
      microphone: talk.isOn,
      sending: talk.held,
      push: talk.isPush,
      hearing: this.#ear.hearing,
      awaiting: this.#ear.awaiting,
      paused: this.#ear.paused,
      playing,
    });
    this.#dock.show({ activity, on: talk.isOn, push: talk.isPush });
    this.#settingsView.canSave(this.conversation.entries.size > 0);
  }

  #showStatus({ status, error }) {
    if (status === "open") for (const name of ["connection", "microphone"]) this.#notices.hide(name);
    if (status === "open") void this.#offerMicrophones();
    if (status === "reconnecting") {
      this.#ear.reset();
      const text = error.reason === "closed" ? "Trying again; what was said so far is kept." : describe(error).title;
      this.#notices.show("connection", { kind: "warning", title: "The connection was lost", text });
    }
    // What a connect that was asked for comes to is told by who asked.
    if (status === "closed" && error && (error.reason === "closed" || this.#status === "reconnecting")) {
      this.client.microphone.close();
      this.#notices.show("connection", describe(error));
    }
    this.#status = status;
    if (status !== "connecting") void this.#watch.look();
    this.#refresh();
  }

  #problem(error) {
    if (error.name !== "RealtimeError") throw error;
    if (LOCAL_ERRORS.has(error.reason)) return;
    const name = error.reason.startsWith("microphone") || error.reason === "insecure" ? "microphone" : "connection";
    const again = { label: "Try again", run: () => this.talk.toggle() };
    this.#notices.show(name, { ...describe(error), ...(name === "connection" && { action: again }) });
  }

  #showFleet(fleet) {
    const place = document.getElementById("fleet");
    const down = fleet && Object.keys(fleet.stages).filter((stage) => fleet.stages[stage] !== "ready");
    place.dataset.state = !fleet ? "gone" : down.length ? "partly" : "ready";
    const text = !fleet ? "Server unreachable" : down.length ? `${down.join(", ")} not ready` : "All four stages ready";
    const words = place.querySelector(".text");
    if (words.textContent !== text) words.textContent = text;
    if (!fleet && this.client.status !== "reconnecting") this.#notices.show("fleet", describe({ reason: "unreachable" }));
    else if (fleet && !isReady(fleet)) this.#notices.show("fleet", describeStages(fleet.stages));
    else this.#notices.hide("fleet");
    if (fleet) this.#settingsView.offer({ voices: fleet.voices, noiseReduction: fleet.noise_reduction });
  }

  async #offerMicrophones() {
    this.#settingsView.offer({ microphones: await microphones() });
  }

  async #configure(change) {
    store(localStorage, this.#settings);
    const names = Object.keys(change);
    if (names.includes("microphone") || names.includes("turns")) await this.talk.reopen();
    if (names.includes("transport")) await this.talk.reconnect();
    if (names.every((name) => LOCAL.includes(name))) return;
    try {
      await this.client.update(sessionOf(this.#settings, this.#serverInstructions));
    } catch (error) {
      // The server's own `error` event is on the page already.
      if (error.reason !== "request") this.#problem(error);
    }
    this.#refresh();
  }

  #select(id) {
    this.#selected = id;
    this.#view.select(id);
    this.#panel.show("latency");
    this.#showLatency();
  }

  #showLatency() {
    const entries = [...this.conversation.entries.values()];
    const replies = entries.filter((entry) => entry.kind === "reply");
    const turns = replies
      .filter(({ marks }) => marks.audio_sent !== undefined)
      .map((reply) => ({ ...reply, question: question(entries, reply) }));
    const interrupted = replies.filter(({ status, reason }) => status === "cancelled" && reason === "turn_detected");
    const pane = document.getElementById("latency");
    showLatency(pane, turns, this.#selected, interrupted.length, (id) => this.#select(id));
  }

  #announce(who, words) {
    if (words) this.#announcer.textContent = `${who}: ${words}`;
  }

  #save(kind) {
    const entries = [...this.conversation.entries.values()];
    if (kind === "json") download("conversation.json", asJson(entries), "application/json");
    else download("conversation.txt", asText(entries), "text/plain");
  }

  async #startAnew() {
    this.conversation.clear();
    this.#view.clear();
    this.#selected = undefined;
    this.client.forget();
    await this.talk.reconnect();
    this.#showLatency();
    this.#refresh();
  }
}

/** What a reply answers. */
function question(entries, reply) {
  const before = entries.slice(0, entries.indexOf(reply)).findLast(({ kind }) => kind === "user");
  return before ? before.stable + before.unstable : textOf(reply);
}
