// @ts-check
/** What is under the cursor, as the server reads it from the data; never a value of another place. */
import { basisOf } from "./camera.js";
import { displayedOf } from "./dims.js";
import { el } from "./dom.js";

/** @typedef {import("./app.js").App} App */

const INTERVAL_MS = 1000 / 60;

export class Cursor {
  node = el("output", { class: "nc-value", "aria-label": "Value under the cursor" });
  #query = 0;
  #dueMs = 0;
  #timer = 0;
  /** On the canvas, in pixels; null while the pointer is elsewhere. @type {number[] | null} */ #place = null;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    app.signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** @param {number[] | null} place */
  at(place) {
    this.#place = place;
    if (place === null) {
      this.#query += 1; // what is on its way is of no interest
      this.say("");
    } else this.lookAgain();
  }

  /** Another value may be at the same place. */
  lookAgain() {
    if (this.#place === null || this.#timer) return;
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      this.#dueMs = performance.now() + INTERVAL_MS;
      this.#ask();
    }, Math.max(0, this.#dueMs - performance.now()));
  }

  /** @param {Record<string, any>} answer */
  answered({ query, status }) {
    if (query !== this.#query || status === null || status === undefined) return;
    this.say(typeof status === "string" ? status : `${status.layer_name ?? ""} ${status.coordinates ?? ""}`.trim());
  }

  /** @param {string} text */
  say(text) {
    this.node.textContent = text;
  }

  #ask() {
    const { app } = this;
    const view = app.stage.view();
    if (this.#place === null || view === null || !app.control.ready || app.control.specs.size === 0) return;
    app.flush();
    const dims = app.control.known("dims");
    const displayed = displayedOf(dims, view.ndisplay);
    const { right, down, view: away } = basisOf(view.camera, view.ndisplay);
    const { canvas } = app.stage.screen;
    const [height, width] = app.control.known("view").size;
    const scale = view.camera.zoom * (view.own ? 1 : Math.min(canvas.width / width, canvas.height / height));
    const [x, y] = [(this.#place[0] - canvas.width / 2) / scale, (this.#place[1] - canvas.height / 2) / scale];
    const world = view.camera.center.map((value, index) => value + x * right[index] + y * down[index]).slice(-displayed.length);
    const position = [...dims.point];
    const direction = position.map(() => 0);
    displayed.forEach((axis, index) => {
      position[axis] = world[index];
      direction[axis] = away[index];
    });
    this.#query += 1;
    app.session.send({
      type: "cursor.query", query: this.#query, position, dims_displayed: displayed,
      view_direction: view.ndisplay === 3 ? direction : null, after: app.control.awaited,
    });
  }
}
