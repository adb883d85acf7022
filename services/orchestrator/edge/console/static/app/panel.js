/** The panel beside the conversation: two tabs, and on a narrow screen a sheet that is opened and closed. */

const NAMES = ["latency", "settings"];

export class Panel {
  #panel = document.getElementById("panel");
  #opener = document.getElementById("open-panel");
  #tabs = NAMES.map((name) => document.getElementById(`tab-${name}`));

  constructor() {
    this.#tabs.forEach((tab, at) => {
      tab.addEventListener("click", () => this.#select(at));
      tab.addEventListener("keydown", (event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        this.#select(1 - at);
        this.#tabs[1 - at].focus();
      });
    });
    this.#opener.addEventListener("click", () => this.#toggle(this.#panel.dataset.open !== "true"));
    document.getElementById("close-panel").addEventListener("click", () => this.#toggle(false));
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.#panel.dataset.open !== "true") return;
      event.stopPropagation();
      this.#toggle(false);
    });
  }

  /** Shows a tab. @param {"latency" | "settings"} name */
  show(name) {
    this.#select(NAMES.indexOf(name));
    this.#panel.dataset.open = "true";
    this.#opener.setAttribute("aria-expanded", "true");
  }

  #toggle(open) {
    this.#panel.dataset.open = String(open);
    this.#opener.setAttribute("aria-expanded", String(open));
    if (open) this.#tabs.find((tab) => tab.tabIndex === 0).focus();
    else this.#opener.focus();
  }

  #select(chosen) {
    this.#tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(at === chosen));
      tab.tabIndex = at === chosen ? 0 : -1;
      document.getElementById(NAMES[at]).hidden = at !== chosen;
    });
  }
}
