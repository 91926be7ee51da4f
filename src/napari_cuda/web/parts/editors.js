// @ts-check
/** Controls for the values of the property table: one for each kind of value. */
import { same } from "./control.js";
import { el, shown, words } from "./dom.js";

/** @typedef {Record<string, any> & {type: string}} Schema */
/**
 * @typedef {object} Editor
 * @property {HTMLElement} node
 * @property {(value: any) => void} show
 */
/** @typedef {{signal: AbortSignal, colormaps: Record<string, number[][]>, label: string}} Around */

const MOST_FIELDS = 6;

/**
 * Return a control for values of `schema`, or null if there is none for that kind.
 * @param {Schema} schema @param {(value: any) => void} set @param {Around} around
 * @returns {Editor | null}
 */
export function editorOf(schema, set, around) {
  switch (schema.type) {
    case "bool":
      return toggle(set, around);
    case "number":
      return schema.low === 0 && schema.high !== null && schema.high <= 1 ? slider(schema, set, around) : numeric(schema, set, around);
    case "text":
      return written(schema, set, around);
    case "choice":
      return choice(schema.options, set, around);
    case "color":
      return colored(set, around);
    case "colormap_value":
      return choice(Object.keys(around.colormaps), set, around);
    case "or_null":
      return optional(schema, set, around);
    case "per_element":
      return editorOf(schema.item, set, around);
    case "list_of":
      return schema.item.type === "number" || schema.item.type === "text" ? listed(schema, set, around) : null;
    default:
      return null;
  }
}

/** @param {(value: any) => void} set @param {Around} around @returns {Editor} */
function toggle(set, { signal, label }) {
  const node = el("input", { type: "checkbox", class: "nc-check", "aria-label": label, signal, onchange: () => set(node.checked) });
  return {
    node,
    show: (value) => {
      node.checked = value === true;
      node.indeterminate = value === null;
    },
  };
}

/** @param {Schema} schema @param {(value: any) => void} set @param {Around} around @returns {Editor} */
export function slider(schema, set, { signal, label }) {
  const step = schema.integer ? 1 : (schema.high - schema.low) / 100;
  const bounds = { min: schema.low, max: schema.high, step };
  const range = el("input", { type: "range", class: "nc-range", "aria-label": label, ...bounds, signal, oninput: () => set(Number(range.value)) });
  const told = el("output", { class: "nc-told" });
  return {
    node: el("span", { class: "nc-with-told" }, range, told),
    show: (value) => {
      if (Number(range.value) !== value) range.value = String(value);
      told.value = shown(value);
    },
  };
}

/** @param {Schema} schema @param {(value: any) => void} set @param {Around} around @returns {Editor} */
function numeric(schema, set, { signal, label }) {
  const within = (/** @type {number} */ value) => Math.min(schema.high ?? Infinity, Math.max(schema.low ?? -Infinity, value));
  const node = el("input", {
    type: "number", class: "nc-field nc-number", "aria-label": label, step: schema.integer ? 1 : "any",
    min: schema.low ?? undefined, max: schema.high ?? undefined, signal,
    onchange: () => node.value !== "" && Number.isFinite(node.valueAsNumber) && set(within(node.valueAsNumber)),
  });
  return { node, show: (value) => showIn(node, value === null || value === undefined ? "" : shown(value)) };
}

/** @param {Schema} schema @param {(value: any) => void} set @param {Around} around @returns {Editor} */
function written(schema, set, { signal, label }) {
  const node = el("input", {
    type: "text", class: "nc-field", "aria-label": label, maxLength: schema.longest, signal, onchange: () => set(node.value),
  });
  return { node, show: (value) => showIn(node, value ?? "") };
}

/** @param {string[]} options @param {(value: any) => void} set @param {Around} around @returns {Editor} */
export function choice(options, set, { signal, label }) {
  const node = el("select", { class: "nc-field", "aria-label": label, signal, onchange: () => set(node.value) });
  node.append(...options.map((option) => el("option", { value: option, textContent: words(option) })));
  return {
    node,
    show: (value) => {
      const name = typeof value === "string" ? value : (value?.name ?? "");
      if (name && !options.includes(name) && ![...node.options].some((option) => option.value === name)) {
        node.append(el("option", { value: name, textContent: name }));
      }
      node.value = name;
    },
  };
}

/** @param {(value: any) => void} set @param {Around} around @returns {Editor} */
function colored(set, { signal, label }) {
  /** @type {number[]} */
  let known = []; // nothing is shown yet: the element would say black
  const send = () => {
    const hex = pick.value.match(/[0-9a-f]{2}/gi) ?? [];
    set([...hex.map((/** @type {string} */ part) => Number((parseInt(part, 16) / 255).toFixed(6))), Number(alpha.value)]);
  };
  const pick = el("input", { type: "color", class: "nc-color", "aria-label": label, signal, oninput: send });
  const alpha = el("input", { type: "range", class: "nc-range", min: 0, max: 1, step: 0.01, "aria-label": `${label}, opacity`, signal, oninput: send });
  return {
    node: el("span", { class: "nc-with-told" }, pick, alpha),
    show: (value) => {
      if (!Array.isArray(value) || same(value, known)) return;
      known = value;
      pick.value = `#${value.slice(0, 3).map((part) => Math.round(255 * part).toString(16).padStart(2, "0")).join("")}`;
      alpha.value = String(value[3]);
    },
  };
}

/** @param {Schema} schema @param {(value: any) => void} set @param {Around} around @returns {Editor} */
function optional(schema, set, around) {
  const inner = editorOf(schema.item, set, around);
  /** @type {any} */
  let newest = schema.item.type === "color" ? [1, 1, 1, 1] : schema.item.type === "number" ? (schema.item.low ?? 0) : null;
  const on = el("input", {
    type: "checkbox", class: "nc-check", "aria-label": `${around.label}: set`, title: "set, or leave it to napari",
    signal: around.signal, onchange: () => set(on.checked ? newest : null),
  });
  const box = el("span", { class: "nc-with-told" }, on, inner?.node);
  return {
    node: box,
    show: (value) => {
      on.checked = value !== null;
      on.disabled = value === null && newest === null;
      if (inner) inner.node.hidden = value === null;
      if (value !== null) inner?.show((newest = value));
    },
  };
}

/** @param {Schema} schema @param {(value: any) => void} set @param {Around} around @returns {Editor} */
function listed(schema, set, around) {
  const node = el("span", { class: "nc-list" });
  /** @type {Editor[]} */ let fields = [];
  /** @type {any[]} */ let known = [];
  return {
    node,
    show: (value) => {
      if (!Array.isArray(value)) return;
      known = value;
      if (fields.length !== Math.min(value.length, MOST_FIELDS)) {
        fields = value.slice(0, MOST_FIELDS).flatMap((_, index) => {
          const label = `${around.label} ${index + 1}`;
          const field = editorOf(schema.item, (one) => set(known.map((old, at) => (at === index ? one : old))), { ...around, label });
          return field ? [field] : [];
        });
        node.replaceChildren(...fields.map((field) => field.node));
      }
      fields.forEach((field, index) => field.show(value[index]));
    },
  };
}

/**
 * Two handles on one track, the lower never above the upper.
 * @param {(value: number[]) => void} set @param {Around} around
 * @returns {{node: HTMLElement, show: (value: number[], range: number[]) => void}}
 */
export function limits(set, { signal, label }) {
  const handle = (/** @type {string} */ which) =>
    el("input", { type: "range", class: "nc-range", step: "any", "aria-label": `${label}, ${which}`, signal, oninput: () => moved(which) });
  const low = handle("lower");
  const high = handle("upper");
  const told = [el("output", { class: "nc-told" }), el("output", { class: "nc-told nc-end" })];
  const track = el("span", { class: "nc-limits" }, low, high);
  const moved = (/** @type {string} */ which) => {
    const gap = (Number(low.max) - Number(low.min)) / 1000;
    if (which === "lower") low.value = String(Math.min(Number(low.value), Number(high.value) - gap));
    else high.value = String(Math.max(Number(high.value), Number(low.value) + gap));
    set([Number(low.value), Number(high.value)]);
  };
  return {
    node: el("span", { class: "nc-limits-box" }, track, el("span", { class: "nc-told-row" }, ...told)),
    show: (value, range) => {
      const bounds = [Math.min(range[0], value[0]), Math.max(range[1], value[1])];
      for (const end of [low, high]) [end.min, end.max] = bounds.map(String);
      [low.value, high.value] = value.map(String);
      told.forEach((output, index) => (output.value = shown(value[index])));
      const share = value.map((one) => (100 * (one - bounds[0])) / (bounds[1] - bounds[0] || 1));
      track.style.setProperty("--from", `${share[0]}%`);
      track.style.setProperty("--to", `${share[1]}%`);
    },
  };
}

/** Never under the hand. @param {HTMLInputElement} field @param {string} text */
function showIn(field, text) {
  if (field.getRootNode() instanceof Document && field === document.activeElement) return;
  if (field.value !== text) field.value = text;
}
