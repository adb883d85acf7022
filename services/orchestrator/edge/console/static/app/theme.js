/** Light or dark: what the system says, until the person says otherwise. */

const KEY = "voxfleet.theme";

export class Theme {
  #system = matchMedia("(prefers-color-scheme: dark)");
  #button;
  #changed;

  /** @param {HTMLButtonElement} button @param {() => void} changed */
  constructor(button, changed) {
    this.#button = button;
    this.#changed = changed;
    this.#system.addEventListener("change", () => this.#apply());
    button.addEventListener("click", () => this.toggle());
    this.#apply();
  }

  get isDark() {
    const chosen = localStorage.getItem(KEY);
    return chosen ? chosen === "dark" : this.#system.matches;
  }

  /** The other one; where that is what the system says, its lead is followed again. */
  toggle() {
    const dark = !this.isDark;
    if (dark === this.#system.matches) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, dark ? "dark" : "light");
    this.#apply();
  }

  #apply() {
    const dark = this.isDark;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    this.#button.setAttribute("aria-label", dark ? "Light appearance" : "Dark appearance");
    this.#button.querySelector("use").setAttribute("href", dark ? "#icon-sun" : "#icon-moon");
    this.#changed();
  }
}
