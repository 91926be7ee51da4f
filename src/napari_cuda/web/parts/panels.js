// @ts-check
/** What is around the scene: notes, jobs, figures over the picture, the help sheet. */
import { el, iconButton } from "./dom.js";

const NOTE_MS = 8000;
const MOST_NOTES = 4;

export const KEYS = [
  ["Drag", "move the scene; in 3D turn it, with Shift move it"],
  ["Wheel, pinch", "zoom about the pointer"],
  ["Right drag", "zoom"],
  ["Two fingers", "move and zoom; in 3D turn about the line of sight"],
  ["Alt + wheel", "step the slider in use"],
  ["← →", "step the slider in use"],
  ["↑ ↓", "use another slider"],
  ["Space", "play, pause"],
  ["+ −", "zoom"],
  ["R", "show everything"],
  ["Y", "2D, 3D"],
  ["G", "grid"],
  ["V", "hide or show the active layer"],
  ["Delete", "remove the active layer"],
  ["Esc", "put the layer's tool away"],
  ["Ctrl + Z", "undo what a tool did to the labels; with Shift do it again"],
  ["O", "open data"],
  ["S", "save the exact picture"],
  ["F", "full screen"],
  ["I", "figures of the stream"],
  ["L", "panels"],
  ["?", "this sheet"],
];

/** Lines that come and go, and jobs with their progress. */
export class Notes {
  node = el("div", { class: "nc-notes", role: "status", "aria-live": "polite" });
  /** @type {Map<string, {node: HTMLElement, bar: HTMLProgressElement, line: HTMLElement}>} */ #jobs = new Map();

  /** @param {AbortSignal} signal @param {(job: string) => void} cancel */
  constructor(signal, cancel) {
    this.signal = signal;
    this.cancel = cancel;
  }

  /** @param {string} text */
  say(text) {
    const last = [...this.node.querySelectorAll(".nc-note:not(.nc-job) span")].at(-1);
    if (last?.textContent === text) return; // each step of a slider may be refused
    const note = el("div", { class: "nc-note" }, el("span", {}, text));
    note.append(iconButton("close", "Dismiss", () => note.remove(), this.signal));
    this.node.append(note);
    while (this.node.querySelectorAll(".nc-note:not(.nc-job)").length > MOST_NOTES) this.node.querySelector(".nc-note:not(.nc-job)")?.remove();
    const timer = setTimeout(() => note.remove(), NOTE_MS);
    this.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }

  /** @param {Record<string, any>} update */
  job(update) {
    let job = this.#jobs.get(update.job);
    if (update.state !== "running") {
      job?.node.remove();
      this.#jobs.delete(update.job);
      if (update.state === "failed") this.say(`${update.title}: ${update.error}`);
      return;
    }
    if (job === undefined) {
      const bar = el("progress", { max: 1, "aria-label": update.title });
      const line = el("span", {});
      const node = el("div", { class: "nc-note nc-job" }, line, bar, update.can_cancel !== false && iconButton("close", "Cancel", () => this.cancel(update.job), this.signal));
      job = { node, bar, line };
      this.#jobs.set(update.job, job);
      this.node.append(node);
    }
    job.line.textContent = update.title;
    if (update.fraction === null || update.fraction === undefined) job.bar.removeAttribute("value");
    else job.bar.value = update.fraction;
  }
}

/** The figures over the picture. */
export class Hud {
  node = el("pre", { class: "nc-hud", hidden: true, "aria-label": "Figures of the stream" });
  #timer = 0;
  #before = { shown: 0, bytes: 0, atMs: 0 };

  /** @param {() => {counts: import("./stream.js").StreamCounts, lines: string[]} | null} look @param {AbortSignal} signal */
  constructor(look, signal) {
    this.look = look;
    signal.addEventListener("abort", () => clearInterval(this.#timer));
  }

  toggle() {
    this.node.hidden = !this.node.hidden;
    clearInterval(this.#timer);
    if (!this.node.hidden) {
      this.#timer = window.setInterval(() => this.#show(), 500);
      this.#show();
    }
  }

  #show() {
    const now = this.look();
    if (now === null) return;
    const { counts, lines } = now;
    const atMs = performance.now();
    const seconds = (atMs - this.#before.atMs) / 1000;
    const rate = (counts.shown - this.#before.shown) / seconds;
    const bits = (8e-6 * (counts.bytes - this.#before.bytes)) / seconds;
    this.#before = { shown: counts.shown, bytes: counts.bytes, atMs };
    const losses = `dropped ${counts.dropped}, skipped ${counts.skipped}, keyframes asked for ${counts.keyframeRequests}`;
    this.node.textContent = [`${rate.toFixed(1)} pictures/s, ${bits.toFixed(2)} Mbit/s, ${counts.stills} exact`, losses, ...lines].join("\n");
  }
}

/** @param {AbortSignal} signal @returns {HTMLDialogElement} */
export function helpSheet(signal) {
  const rows = KEYS.map(([keys, what]) => el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, keys)), el("td", {}, what)));
  const sheet = el(
    "dialog",
    { class: "nc-dialog", "aria-label": "Keys and gestures" },
    el("div", { class: "nc-row nc-head" }, el("h2", {}, "Keys and gestures"), iconButton("close", "Close", () => sheet.close(), signal, "nc-push")),
    el("table", { class: "nc-keys" }, el("tbody", {}, ...rows)),
  );
  return sheet;
}

/**
 * Why the pictures are JPEG in this browser, and how to leave that, in one line.
 * @param {boolean} secure whether the page is one where browsers decode video
 * @param {string} host that the page came from @param {number} port where the server listens there
 */
export function whyCompatible(secure, host, port) {
  if (secure) {
    return (
      "Compatibility mode, JPEG pictures: this browser decodes no H.264 (WebCodecs). " +
      "To leave it, use a current Chrome, Edge, Safari or Firefox; on Linux, Firefox needs libavcodec."
    );
  }
  return (
    "Compatibility mode, JPEG pictures: browsers decode video on secure pages only, and this one came over plain HTTP. " +
    `To leave it, run ssh -L ${port}:127.0.0.1:${port} ${host} and open the address that the server printed; or start the server with --tls CERT KEY.`
  );
}
