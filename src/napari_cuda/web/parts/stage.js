// @ts-check
/** The canvas and what a hand does to it: camera, size, tools; and the exact picture saved. */
import { dragged, fitted, turned, zoomed } from "./camera.js";
import { displayedOf } from "./dims.js";
import { el } from "./dom.js";
import { watchHands } from "./hands.js";
import { Screen } from "./screen.js";

/** @typedef {import("./app.js").App} App */

const EXACT_WITHIN_MS = 30000;
const RESIZE_MS = 120;
const SMALLEST_PX = 16;
const LARGEST_PX = 8192;
const BRUSHES = new Set(["paint", "erase"]);
const LOCAL_TOOLS = new Set([undefined, "pan_zoom", "transform"]);

export class Stage {
  #size = [0, 0];
  #sized = false;
  /** Where the pointer is on the canvas. @type {number[] | null} */ #hand = null;
  #brush = el("div", { class: "nc-brush", hidden: true, "aria-hidden": "true" });

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.screen = new Screen(app.signal);
    this.screen.view = () => this.view();
    this.node = el("div", { class: "nc-stage" }, this.screen.canvas, this.#brush);
  }

  /** What the hand does, and what the layout does to the canvas. */
  watch() {
    const { app } = this;
    const { signal } = app;
    const middle = () => [this.screen.canvas.width / 2, this.screen.canvas.height / 2];
    const offset = (/** @type {number[]} */ place) => place.map((value, index) => value - middle()[index]);
    watchHands(
      this.screen.canvas,
      {
        pan: (dx, dy) => this.#move((camera) => ({ center: dragged(camera, app.ndisplay, dx, dy) })),
        turn: (dx, dy, roll) => this.#move((camera) => ({ angles: turned(camera, dx, dy, roll) })),
        zoom: (factor, place) => this.#move((camera) => zoomed(camera, app.ndisplay, factor, offset(place))),
        turns: () => app.ndisplay === 3,
        step: (steps) => app.dims.step(steps),
        hover: (place) => {
          this.#hand = place;
          app.cursor.at(place);
          this.render();
        },
        tool: (event, action, place) => this.#tool(event, action, place),
        toolInUse: () => !app.viewOnly && !LOCAL_TOOLS.has(app.control.known(`layer:${app.layers.active}`).mode),
      },
      signal,
    );
    let timer = 0;
    const observer = new ResizeObserver(() => {
      clearTimeout(timer);
      // The first size at once, those of a drag at its end.
      timer = window.setTimeout(() => this.resized(), this.#size[0] ? RESIZE_MS : 0);
    });
    observer.observe(this.node);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      observer.disconnect();
    });
  }

  /** The brush, around the pointer: as large as what it paints. */
  render() {
    const { control, layers } = this.app;
    const { mode, brush_size: size, scale } = control.known(`layer:${layers.active}`);
    const view = this.#hand !== null && BRUSHES.has(mode) && size ? this.view() : null;
    this.#brush.hidden = view === null;
    if (view === null || this.#hand === null) return;
    const { canvas } = this.screen;
    const [height, width] = control.known("view").size;
    const fit = view.own ? 1 : Math.min(canvas.width / width, canvas.height / height);
    const across = size * Math.abs(scale?.at(-1) ?? 1) * view.camera.zoom * fit;
    const [x, y] = this.#hand;
    const { style } = this.#brush;
    style.width = style.height = `${across}px`;
    style.transform = `translate(${x - across / 2}px, ${y - across / 2}px)`;
  }

  /** About the middle. @param {number} factor */
  zoom(factor) {
    this.#move((camera) => zoomed(camera, this.app.ndisplay, factor, [0, 0]));
  }

  /** @param {(camera: any) => Record<string, any>} change */
  #move(change) {
    const values = change(this.app.control.known("camera"));
    if (this.app.viewOnly) return;
    let changed = false;
    for (const [name, value] of Object.entries(values)) changed = this.app.control.set("camera", name, value) || changed;
    if (changed) this.app.flushSoon();
  }

  home() {
    const dims = this.app.control.known("dims");
    const view = this.app.control.known("view");
    const ranges = displayedOf(dims, this.app.ndisplay).map((axis) => dims.range[axis]);
    if (ranges.length) this.#move((camera) => fitted(camera, this.app.ndisplay, ranges, this.#cellSize(view)));
  }

  /** [width, height] of a cell of the grid, or of the canvas. @param {Record<string, any>} view */
  #cellSize(view) {
    const [height, width] = view.size ?? [1, 1];
    const count = Math.ceil(this.app.control.specs.size / Math.max(1, Math.abs(view["grid.stride"] ?? 1)));
    if (!view["grid.enabled"] || count < 2) return [width, height];
    let [rows, columns] = view["grid.shape"];
    if (rows === -1 && columns === -1) columns = Math.ceil(Math.sqrt(count));
    if (columns === -1) columns = Math.ceil(count / rows);
    if (rows === -1) rows = Math.ceil(count / columns);
    return [width / columns, height / rows];
  }

  /** Save the picture as the server rendered it; waits until it is at rest. */
  async screenshot() {
    const until = performance.now() + EXACT_WITHIN_MS;
    while (this.screen.exactPicture === null || !this.app.control.settled) {
      if (performance.now() > until || this.app.signal.aborted) return this.app.notes.say("The picture did not come to rest: no screenshot was taken.");
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    const blob = await this.screen.exactPicture.convertToBlob({ type: "image/png" });
    const address = URL.createObjectURL(blob);
    el("a", { href: address, download: `${this.app.session.known?.title || "napari"} r${this.screen.header?.revision}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  /** @returns {import("./screen.js").View | null} */
  view() {
    const camera = this.app.control.known("camera");
    const view = this.app.control.known("view");
    if (camera.center === undefined) return null;
    const { canvas } = this.screen;
    const [red, green, blue] = view.background_color ?? (view["rendering.theme"] === "light" ? [1, 1, 1] : [0, 0, 0]);
    return {
      camera: /** @type {any} */ (camera),
      ndisplay: this.app.ndisplay,
      own: view.size[0] === canvas.height && view.size[1] === canvas.width,
      gridded: view["grid.enabled"] === true,
      background: `rgb(${[red, green, blue].map((part) => Math.round(255 * part)).join(" ")})`,
    };
  }

  /** The canvas has another size: have the server draw that. The first time what it showed is kept in view. */
  sendSize() {
    const [width, height] = this.#size;
    if (this.app.viewOnly || !this.app.control.ready) return;
    const view = this.app.control.known("view");
    const dims = this.app.control.known("dims");
    if (!this.#sized && view.size) {
      const [tall, wide] = displayedOf(dims, 2).map((axis) => dims.range[axis][1] - dims.range[axis][0] + dims.range[axis][2] || 1);
      const fit = Math.min(height / tall, width / wide) / Math.min(view.size[0] / tall, view.size[1] / wide);
      this.#move((camera) => ({ zoom: camera.zoom * fit }));
    }
    this.#sized = true;
    this.app.set("view", "size", [height, width]);
  }

  resized() {
    const box = this.node.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) return; // hidden, in a notebook's folded output: what is drawn stays
    const size = [box.width, box.height].map((side) => Math.min(LARGEST_PX, Math.max(SMALLEST_PX, Math.floor(side))));
    if (size[0] === this.#size[0] && size[1] === this.#size[1]) return;
    this.#size = size;
    [this.screen.canvas.width, this.screen.canvas.height] = size;
    this.screen.draw();
    if (this.app.control.ready) this.sendSize();
  }

  /** @param {PointerEvent} event @param {string} action @param {number[]} place */
  #tool(event, action, place) {
    const buttons = [1, 2, 4].flatMap((bit, index) => (event.buttons & bit ? [index + 1] : []));
    const modifiers = ["shift", "ctrl", "alt", "meta"].filter((name) => /** @type {any} */ (event)[`${name}Key`]);
    const { canvas } = this.screen;
    this.app.control.point({
      action,
      position: place.map(Math.round),
      canvas: [canvas.width, canvas.height],
      button: action === "move" ? 0 : [1, 3, 2][event.button],
      buttons,
      modifiers: modifiers.map((name) => (name === "ctrl" ? "control" : name)),
    });
    this.app.flushSoon();
  }
}
