/** The talk button, the message field and the keys. */

const TYPING = "input:not([type=radio]):not([type=range]), textarea, select, [contenteditable]";
const ACTIVE = "button, a, input, select, textarea, summary";

/**
 * @param {import("./talk.js").Talk} talk
 * @param {Record<"latency" | "settings" | "shortcuts" | "theme", () => void>} actions
 */
export function bindControls(talk, actions) {
  bindButton(document.getElementById("talk"), talk);
  bindComposer(document.getElementById("composer"), talk);
  bindKeys(talk, actions);
  for (const idea of document.querySelectorAll(".idea")) {
    idea.addEventListener("click", () => talk.say(idea.textContent));
  }
}

function bindButton(button, talk) {
  button.addEventListener("click", () => talk.isPush || talk.toggle());
  button.addEventListener("pointerdown", (event) => {
    if (!talk.isPush || event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    talk.press();
  });
  for (const kind of ["pointerup", "pointercancel"]) button.addEventListener(kind, () => talk.isPush && talk.release());
  button.addEventListener("contextmenu", (event) => talk.isPush && event.preventDefault());
}

function bindComposer(form, talk) {
  const input = form.querySelector("input");
  const send = form.querySelector("button");
  input.addEventListener("input", () => {
    send.disabled = !input.value.trim();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = "";
    send.disabled = true;
    if (await talk.say(text)) return;
    // What could not be said is not lost.
    input.value ||= text;
    send.disabled = false;
  });
}

function bindKeys(talk, actions) {
  const keys = { l: actions.latency, s: actions.settings, d: actions.theme, "?": actions.shortcuts };
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      if (event.target.matches(TYPING)) event.target.blur();
      else talk.stop();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(TYPING)) return;
    if (event.key === " ") space(event, talk);
    else if (event.key === "/") {
      event.preventDefault();
      document.getElementById("message").focus();
    } else keys[event.key.toLowerCase()]?.();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && talk.isPush) talk.release();
  });
  // A key that is let go in another window says nothing here.
  window.addEventListener("blur", () => talk.release());
}

function space(event, talk) {
  const isTalk = event.target.id === "talk";
  if (!isTalk && event.target.matches(ACTIVE)) return;
  // The button itself is clicked by the browser when the key is let go.
  if (isTalk && !talk.isPush) return;
  event.preventDefault();
  if (event.repeat) return;
  if (talk.isPush) talk.press();
  else talk.toggle();
}
