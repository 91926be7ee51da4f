// @ts-check
/** For the script that a server runs: which of its viewers is seen, and a button that interrupts it. */
import { el } from "./dom.js";

/** @typedef {import("./app.js").App} App */

export class ScriptControls {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    const { signal } = app;
    this.viewers = el("select", {
      class: "nc-field nc-viewers", "aria-label": "Viewer of the script", hidden: true, signal,
      onchange: () => app.command("script.show_viewer", { viewer: this.viewers.value }),
    });
    this.interrupt = el("button", { type: "button", class: "nc-button nc-interrupt", textContent: "Interrupt", signal, onclick: () => this.#interrupt() });
  }

  /** All pages and windows of a session see the same viewer. @param {Record<string, any>} message */
  show({ viewers, shown }) {
    this.viewers.replaceChildren(
      ...viewers.map((/** @type {any} */ entry, /** @type {number} */ index) =>
        el("option", { value: entry.viewer, textContent: `${index + 1}: ${entry.title}` }),
      ),
    );
    this.viewers.value = shown;
    this.viewers.disabled = this.app.viewOnly;
    this.viewers.hidden = viewers.length < 2;
  }

  /** Have what keeps the server end, as Ctrl+C would there. */
  async #interrupt() {
    try {
      await this.app.transport.post("interrupt");
    } catch (error) {
      this.app.notes.say(error instanceof Error ? error.message : String(error));
    }
  }
}
