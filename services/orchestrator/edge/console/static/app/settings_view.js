/** The settings on the page. Every change is told at once. */

import { h, icon } from "./dom.js";
import { grouped } from "./voices.js";

const LANGUAGES = "en zh ja es fr de it pt hi ko ru ar nl pl tr uk sv vi id cs".split(" ");
/** Typing pauses for so long before new instructions are told. */
const PAUSE_MS = 700;

/**
 * What can be chosen from beside what is fixed.
 *
 * @typedef {object} Offer
 * @property {string[]} voices
 * @property {{id: string, label: string}[]} microphones
 * @property {boolean} noiseReduction
 * @property {string} instructions the server's own
 */

export class SettingsView {
  #pane;
  #settings;
  #change;
  #offer = { voices: [], microphones: [], noiseReduction: true, instructions: "" };
  #saves = [];
  #fields = {};

  /**
   * @param {HTMLElement} pane
   * @param {import("./settings.js").Settings} settings
   * @param {(change: Partial<import("./settings.js").Settings>) => void} change
   * @param {Record<"text" | "json" | "fresh", () => void>} actions
   */
  constructor(pane, settings, change, actions) {
    this.#pane = pane;
    this.#settings = settings;
    this.#change = change;
    this.#build(actions);
    this.offer({});
  }

  /** There is something else to choose from. @param {Partial<Offer>} offer */
  offer(offer) {
    const before = JSON.stringify(this.#offer);
    this.#offer = { ...this.#offer, ...offer };
    if (JSON.stringify(this.#offer) === before && this.#fields.voice.length) return;
    const { voices, microphones, noiseReduction, instructions } = this.#offer;
    const groups = [...grouped(voices)].map(([label, each]) =>
      h("optgroup", { label }, ...each.map(({ name, label: text }) => option(name, text))),
    );
    fill(this.#fields.voice, [option("", "Automatic, by language"), ...groups], this.#settings.voice);
    const devices = microphones.map(({ id, label }, at) => option(id, label || `Microphone ${at + 1}`));
    fill(this.#fields.microphone, [option("", "The browser's default"), ...devices], this.#settings.microphone);
    for (const input of this.#fields.noise.querySelectorAll("input")) input.disabled = !noiseReduction && input.value;
    this.#fields.noiseNote.textContent = noiseReduction
      ? "On the server, beside the browser's own."
      : "This server is installed without it.";
    this.#fields.instructions.placeholder = instructions || "The server's own";
  }

  /** Whether there is a conversation to be saved. @param {boolean} can */
  canSave(can) {
    for (const button of this.#saves) button.disabled = !can;
  }

  #build(actions) {
    const settings = this.#settings;
    const names = new Intl.DisplayNames(["en"], { type: "language" });
    const languages = LANGUAGES.map((code) => option(code, names.of(code)));
    this.#fields.voice = this.#select("voice");
    this.#fields.microphone = this.#select("microphone");
    const language = this.#select("language");
    fill(language, [option("", "Detect in every turn"), ...languages], settings.language);
    this.#fields.noise = this.#choices("noise", { "": "Off", near_field: "Near", far_field: "Far" });
    this.#fields.noiseNote = h("p", { class: "note" });
    this.#fields.instructions = this.#instructions();
    const save = (label, run) => {
      const button = h("button", { type: "button", disabled: true, onclick: run }, icon("download"), label);
      this.#saves.push(button);
      return button;
    };
    const fresh = h("button", { type: "button", disabled: true, onclick: actions.fresh }, "New conversation");
    this.#saves.push(fresh);
    this.#pane.append(
      field("voice", "Voice", this.#fields.voice),
      field("language", "You speak", language),
      this.#turnTaking(),
      field("instructions", "Instructions", this.#fields.instructions),
      field("microphone", "Microphone", this.#fields.microphone),
      group("Noise reduction", this.#fields.noise, this.#fields.noiseNote),
      group(
        "Connection",
        this.#choices("transport", { websocket: "WebSocket", webrtc: "WebRTC" }),
        h("p", { class: "note" }, "WebRTC rides out a poor network better; a change connects anew."),
      ),
      group("Conversation", h("div", { class: "saves" }, save("Text", actions.text), save("JSON", actions.json), fresh)),
    );
  }

  #turnTaking() {
    const eagerness = this.#choices("eagerness", { auto: "Auto", low: "Patient", medium: "Medium", high: "Eager" });
    const silence = this.#range();
    const parts = {
      meaning: [eagerness, note("Answers soon after a finished sentence, and waits where you are still thinking.")],
      silence: [silence, note("Answers after this much silence, whatever was said.")],
      push: [note("Hold Space or the button while you talk, and let go to get an answer.")],
    };
    const sub = h("div", { class: "sub" });
    const show = () => sub.replaceChildren(...parts[this.#settings.turns]);
    const choices = this.#choices("turns", { meaning: "By meaning", silence: "By silence", push: "Push to talk" }, show);
    show();
    return group("Your turn ends", choices, sub);
  }

  #instructions() {
    const area = h("textarea", { id: "set-instructions", rows: 5, maxlength: 8000 });
    area.value = this.#settings.instructions;
    let timer;
    const tell = () => {
      clearTimeout(timer);
      if (area.value !== this.#settings.instructions) this.#set({ instructions: area.value });
    };
    area.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(tell, PAUSE_MS);
    });
    area.addEventListener("change", tell);
    return area;
  }

  #range() {
    const value = h("output", { for: "set-silence" }, `${this.#settings.silenceMs} ms`);
    const input = h("input", { id: "set-silence", type: "range", min: 200, max: 2000, step: 50, "aria-label": "Silence" });
    input.value = this.#settings.silenceMs;
    input.addEventListener("input", () => {
      value.textContent = `${input.value} ms`;
    });
    input.addEventListener("change", () => this.#set({ silenceMs: Number(input.value) }));
    return h("div", { class: "range" }, input, value);
  }

  #select(name) {
    const select = h("select", { id: `set-${name}` });
    select.addEventListener("change", () => this.#set({ [name]: select.value }));
    return select;
  }

  #choices(name, labels, changed = () => {}) {
    const inputs = Object.entries(labels).map(([value, label]) => {
      const input = h("input", { type: "radio", name: `set-${name}`, value });
      input.checked = this.#settings[name] === value;
      input.addEventListener("change", () => {
        this.#set({ [name]: value });
        changed();
      });
      return h("label", {}, input, label);
    });
    return h("div", { class: "choices", role: "radiogroup" }, ...inputs);
  }

  #set(change) {
    Object.assign(this.#settings, change);
    this.#change(change);
  }
}

function option(value, label) {
  return h("option", { value }, label);
}

/** A choice that is not offered any more is the first one. */
function fill(select, options, value) {
  select.replaceChildren(...options);
  select.value = value;
  if (select.selectedIndex < 0) select.selectedIndex = 0;
}

function field(name, label, control) {
  return h("div", { class: "field" }, h("label", { for: `set-${name}` }, label), control);
}

function group(label, choices, ...more) {
  choices.setAttribute("aria-label", label);
  return h("div", { class: "field" }, h("span", { class: "label" }, label), choices, ...more);
}

function note(text) {
  return h("p", { class: "note" }, text);
}
