// @ts-check
/** A slider for each dimension that is not displayed. */
import { el, iconButton, setIcon, shown } from "./dom.js";

/** @typedef {import("./app.js").App} App */

const FRAMES_PER_S = 10;

/** The dimensions that are displayed, in order. @param {Record<string, any>} dims @param {number} ndisplay @returns {number[]} */
export function displayedOf(dims, ndisplay) {
  return (dims.order ?? []).slice(-ndisplay);
}

/** How many steps a range has. @param {number[]} range */
function stepsOf([start, stop, step]) {
  return step > 0 ? Math.max(0, Math.round((stop - start) / step)) : 0;
}

export class DimsBar {
  /** @type {Map<number, {node: HTMLElement, show: (step: number, steps: number, point: number, label: string) => void, play: HTMLElement}>} */
  #rows = new Map();
  /** The dimension in use: that of keys and wheel. */
  #used = -1;
  /** @type {{axis: number, nextMs: number, direction: number} | null} */ #playing = null;
  #asked = 0;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.node = el("section", { class: "nc-dims", "aria-label": "Dimensions" });
    app.signal.addEventListener("abort", () => cancelAnimationFrame(this.#asked));
  }

  render() {
    const dims = this.app.control.known("dims");
    const displayed = displayedOf(dims, this.app.ndisplay);
    /** @type {number[]} */
    const axes = (dims.order ?? []).filter((/** @type {number} */ axis) => !displayed.includes(axis) && stepsOf(dims.range[axis]) > 0);
    for (const [axis, row] of this.#rows) {
      if (!axes.includes(axis)) {
        row.node.remove();
        this.#rows.delete(axis);
        if (this.#playing?.axis === axis) this.#playing = null;
      }
    }
    if (!axes.includes(this.#used)) this.#used = axes[0] ?? -1;
    for (const axis of axes) {
      if (!this.#rows.has(axis)) this.#rows.set(axis, this.#make(axis));
      const row = this.#rows.get(axis);
      if (!row) continue;
      const range = dims.range[axis];
      const label = dims.axis_labels?.[axis] || `${axis}`;
      row.show(Math.round((dims.point[axis] - range[0]) / range[2]), stepsOf(range), dims.point[axis], label);
      row.node.classList.toggle("nc-used", axis === this.#used && axes.length > 1);
      setIcon(row.play, this.#playing?.axis === axis ? "pause" : "play", this.#playing?.axis === axis ? "Pause" : `Play ${label}`);
    }
    const nodes = axes.map((axis) => this.#rows.get(axis)?.node);
    // Moving a slider in the document would take it out of the hand.
    if (nodes.some((node, index) => node !== this.node.children[index])) this.node.replaceChildren(.../** @type {Node[]} */ (nodes));
    this.node.hidden = axes.length === 0;
  }

  /** Take steps of the dimension in use. @param {number} steps */
  step(steps) {
    if (this.#used >= 0) this.#move(this.#used, steps);
  }

  /** Use the next slider, or the one before. @param {number} by */
  use(by) {
    const axes = [...this.#rows.keys()];
    this.#used = axes[(axes.indexOf(this.#used) + by + axes.length) % axes.length] ?? -1;
    this.render();
  }

  /** @param {number} [axis] */
  togglePlay(axis = this.#used) {
    if (axis < 0) return;
    this.#playing = this.#playing?.axis === axis ? null : { axis, nextMs: performance.now(), direction: 1 };
    this.#used = axis;
    this.render();
    if (this.#playing !== null && !this.#asked) this.#turn();
  }

  /** Play one step when its time has come and the one before is acknowledged: nothing piles up. */
  #turn() {
    this.#asked = requestAnimationFrame((now) => {
      this.#asked = 0;
      if (this.#playing === null) return;
      if (now >= this.#playing.nextMs && this.app.control.settled && this.app.control.ready) {
        this.#playing.nextMs = Math.max(now, this.#playing.nextMs + 1000 / FRAMES_PER_S);
        const { axis } = this.#playing;
        const { range, point } = this.app.control.known("dims");
        const [start, , step] = range[axis];
        const next = Math.round((point[axis] - start) / step) + 1;
        this.#set(axis, next > stepsOf(range[axis]) ? 0 : next);
      }
      this.#turn();
    });
  }

  /** @param {number} axis @param {number} by */
  #move(axis, by) {
    const { range, point } = this.app.control.known("dims");
    this.#set(axis, Math.round((point[axis] - range[axis][0]) / range[axis][2]) + by);
  }

  /** @param {number} axis @param {number} step */
  #set(axis, step) {
    const { range, point } = this.app.control.known("dims");
    const [start, , size] = range[axis];
    const within = Math.min(stepsOf(range[axis]), Math.max(0, step));
    this.app.set("dims", "point", point.map((/** @type {number} */ value, /** @type {number} */ at) => (at === axis ? start + within * size : value)));
  }

  /** @param {number} axis */
  #make(axis) {
    const { signal } = this.app;
    const play = iconButton("play", "Play", () => this.togglePlay(axis), signal);
    const name = el("span", { class: "nc-axis" });
    const range = el("input", {
      type: "range", class: "nc-range", min: 0, step: 1, signal, "data-axis": axis,
      oninput: () => {
        this.#used = axis;
        this.#set(axis, Number(range.value));
      },
    });
    const field = el("input", { type: "number", class: "nc-field nc-step", min: 0, step: 1, signal, onchange: () => field.value !== "" && this.#set(axis, field.valueAsNumber) });
    const of = el("span", { class: "nc-told" });
    const node = el("div", { class: "nc-row nc-dim" }, name, play, range, field, of);
    return {
      node,
      play,
      show: (/** @type {number} */ step, /** @type {number} */ steps, /** @type {number} */ point, /** @type {string} */ label) => {
        name.textContent = label;
        range.max = field.max = String(steps);
        range.value = String(step);
        range.setAttribute("aria-label", `Dimension ${label}`);
        range.setAttribute("aria-valuetext", shown(point));
        field.setAttribute("aria-label", `Step of dimension ${label}`);
        if (field !== document.activeElement) field.value = String(step);
        of.textContent = `/ ${steps}`;
      },
    };
  }
}
