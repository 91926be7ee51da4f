// @ts-check
/** Controls made from the rows of the property table: those of the active layer with its tools, and those of the scene. */
import { el, iconButton, words } from "./dom.js";
import { choice, editorOf, limits } from "./editors.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./editors.js").Editor & {showAll?: (values: Record<string, any>) => void}} OwnEditor */

/** What is always in sight, in this order, if the layer has it; all else is below, by itself. */
const FIRST = [
  "opacity", "contrast_limits", "gamma", "colormap", "blending", "rendering", "iso_threshold", "attenuation",
  "interpolation2d", "interpolation3d", "depiction", "projection_mode", "shading", "selected_label", "brush_size",
  "contour", "show_selected_label", "preserve_labels", "size", "symbol", "face_color", "border_color", "edge_color", "edge_width",
  "vector_style", "length", "color_by", "tail_width", "tail_length", "head_length", "current_size", "current_face_color",
];
const IN_3D = new Set(["rendering", "iso_threshold", "attenuation", "interpolation3d", "depiction"]);
const IN_2D = new Set(["interpolation2d"]);
/** In the list itself, or above it all as tools. */
const IN_LIST = new Set(["name", "visible", "mode"]);
/** Of the scene: what has its own place, or moves by hand. */
const NOT_LISTED = new Set(["size", "ndisplay", "grid.enabled"]);
/** What each tool looks like; a tool that is not here has its name only. */
const TOOLS = /** @type {Record<string, string>} */ ({
  pan_zoom: "hand", transform: "transform", paint: "brush", erase: "eraser", fill: "bucket", pick: "dropper", polygon: "polygon",
  add: "plus", select: "arrow", direct: "vertices", add_rectangle: "square", add_ellipse: "ellipse", add_line: "line", add_polyline: "polyline",
  add_path: "freehand", add_polygon: "polygon", add_polygon_lasso: "lasso", vertex_insert: "plus", vertex_remove: "minus",
});
/** Buttons for actions on data, of those that the layer has. */
const ACTIONS = [
  ["undo", "undo", "Undo"], ["redo", "redo", "Redo"], ["new_label", "plus", "New label"],
  ["select_all_in_slice", "all", "Select all in this slice"], ["select_shapes_in_slice", "all", "Select all in this slice"],
  ["delete_selected_points", "trash", "Delete selected points"], ["delete_selected_shapes", "trash", "Delete selected shapes"],
];

/** Lines with an editor each, of one object: a layer, the view. */
class Sheet {
  /** @type {[string, OwnEditor][]} */ #editors = [];

  /** @param {App} app @param {string} target @param {AbortSignal} signal */
  constructor(app, target, signal) {
    this.app = app;
    this.target = target;
    this.signal = signal;
  }

  /** @param {Record<string, any>} values */
  show(values) {
    for (const [name, editor] of this.#editors) {
      if (editor.showAll) editor.showAll(values);
      else editor.show(values[name]);
    }
  }

  /**
   * Add the line of a property, if its kind of value has an editor.
   * @param {HTMLElement} parent @param {any} row @param {string} [name]
   */
  add(parent, row, name = row.name) {
    const label = words(name);
    const around = { signal: this.signal, colormaps: this.app.facts.colormaps, label };
    const set = (/** @type {any} */ value) => this.app.set(this.target, row.name, value);
    /** @type {OwnEditor | null} */
    let editor = null;
    if (row.name === "contrast_limits") editor = this.#contrast(set, around);
    else if (row.name === "colormap" && row.type.type === "colormap_value") editor = colormap(set, around);
    else editor = editorOf(row.type, set, around);
    if (editor === null) return;
    const line = el("div", { class: "nc-control", "data-property": row.name }, el("span", { class: "nc-label", title: row.name }, label), editor.node);
    if (this.app.viewOnly) for (const field of line.querySelectorAll("input, select, button")) field.disabled = true;
    parent.append(line);
    this.#editors.push([row.name, editor]);
  }

  /**
   * Add rows below headings, by what stands before the last dot of their names.
   * @param {HTMLElement} parent @param {any[]} rows
   */
  addGrouped(parent, rows) {
    /** @type {Map<string, any[]>} */
    const groups = new Map();
    for (const row of rows) {
      const group = row.name.includes(".") ? row.name.slice(0, row.name.lastIndexOf(".")) : "";
      groups.set(group, [...(groups.get(group) ?? []), row]);
    }
    for (const [group, members] of groups) {
      const box = group ? el("details", { class: "nc-group", "data-group": group }, el("summary", {}, words(group))) : el("div", {});
      for (const row of members) this.add(box, row, row.name.slice(group ? group.length + 1 : 0));
      if (box.querySelector(".nc-control")) parent.append(box);
    }
  }

  /** @param {(value: any) => void} set @param {import("./editors.js").Around} around @returns {OwnEditor} */
  #contrast(set, around) {
    const layer = this.target.slice("layer:".length);
    const track = limits(set, around);
    const auto = el("button", {
      type: "button", class: "nc-button nc-small", textContent: "Autoscale", title: "Contrast limits from the data", signal: around.signal,
      onclick: () => this.app.command("layer.reset_contrast_limits", { layer }),
    });
    return {
      node: el("span", { class: "nc-contrast" }, track.node, auto),
      show: () => undefined,
      showAll: (values) => {
        if (values.contrast_limits) track.show(values.contrast_limits, values.contrast_limits_range ?? values.contrast_limits);
      },
    };
  }
}

/** @param {(value: any) => void} set @param {import("./editors.js").Around} around @returns {OwnEditor} */
function colormap(set, around) {
  const select = choice(Object.keys(around.colormaps), set, around);
  const strip = el("canvas", { class: "nc-strip", width: 128, height: 8, "aria-hidden": "true" });
  return {
    node: el("span", { class: "nc-colormap" }, select.node, strip),
    show: () => undefined,
    showAll: ({ colormap: value }) => {
      select.show(value);
      paintStrip(strip, typeof value === "string" ? around.colormaps[value] : value?.colors?.map((/** @type {number[]} */ color) => color.map((part) => 255 * part)));
    },
  };
}

/** The controls and tools of the active layer. */
export class LayerControls {
  #shownFor = "";
  /** @type {Sheet | null} */ #sheet = null;
  #body = el("div", { class: "nc-controls" });
  #tools = el("div", { class: "nc-row nc-tools", role: "toolbar", "aria-label": "Tools of the layer" });
  /** @type {Map<string, HTMLElement>} */ #modes = new Map();
  /** @type {AbortController} */ #life = new AbortController();

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    app.signal.addEventListener("abort", () => this.#life.abort());
    this.title = el("h2", {}, "Controls");
    this.node = el("section", { class: "nc-section nc-control-section", "aria-label": "Controls of the layer" }, this.title, this.#tools, this.#body);
  }

  render() {
    const { control } = this.app;
    const active = control.known("scene").active ?? "";
    const spec = control.specs.get(active);
    const shownFor = spec ? `${active} ${spec.kind} ${control.known("view").ndisplay}` : "";
    if (shownFor !== this.#shownFor) this.#make(active, spec?.kind ?? "", shownFor);
    const values = control.known(`layer:${active}`);
    this.title.textContent = spec ? values.name : "Controls";
    this.#sheet?.show(values);
    for (const [mode, button] of this.#modes) button.setAttribute("aria-pressed", String(values.mode === mode));
  }

  /** Take another tool, if the active layer has it. @param {string} mode */
  use(mode) {
    if (this.#modes.has(mode)) this.app.set(`layer:${this.app.layers.active}`, "mode", mode);
  }

  /** Act on the active layer's data, if it knows that. @param {string} action */
  act(action) {
    const layer = this.app.layers.active;
    const kind = this.app.control.specs.get(layer)?.kind ?? "";
    if (this.app.facts.actions[kind]?.includes(action)) this.app.command("layer.action", { layer, action });
  }

  /** @param {string} layer @param {string} kind @param {string} shownFor */
  #make(layer, kind, shownFor) {
    this.#shownFor = shownFor;
    this.#life.abort();
    this.#life = new AbortController();
    this.#sheet = null;
    this.#body.replaceChildren();
    const rows = this.app.rows(kind).filter((row) => row.writable);
    this.#makeTools(kind, rows.find((row) => row.name === "mode")?.type.options ?? []);
    if (!kind) return this.#body.append(el("p", { class: "nc-hint" }, "Select a layer to see its controls."));
    const sheet = new Sheet(this.app, `layer:${layer}`, this.#life.signal);
    this.#sheet = sheet;
    const hidden = this.app.ndisplay === 2 ? IN_3D : IN_2D;
    const shown = rows.filter((row) => !IN_LIST.has(row.name));
    for (const name of FIRST) for (const row of shown) if (row.name === name && !hidden.has(name)) sheet.add(this.#body, row);
    const more = el("details", { class: "nc-more" }, el("summary", {}, "All properties"));
    sheet.addGrouped(more, shown.filter((row) => !FIRST.includes(row.name)));
    this.#body.append(more);
  }

  /** @param {string} kind @param {string[]} modes */
  #makeTools(kind, modes) {
    const { signal } = this.#life;
    this.#modes.clear();
    this.#tools.replaceChildren();
    this.#tools.hidden = !kind;
    for (const mode of modes) {
      const button = iconButton(TOOLS[mode] ?? "transform", words(mode), () => this.use(mode), signal);
      button.dataset.mode = mode;
      this.#modes.set(mode, button);
      this.#tools.append(button);
    }
    const known = this.app.facts.actions[kind] ?? [];
    const actions = ACTIONS.filter(([action]) => known.includes(action));
    if (actions.length) this.#tools.append(el("span", { class: "nc-rule" }));
    for (const [action, picture, name] of actions) this.#tools.append(iconButton(picture, name, () => this.act(action), signal));
    if (this.app.viewOnly) for (const button of this.#tools.querySelectorAll("button")) button.disabled = true;
  }
}

/** What belongs to no layer: scale bar, axes, texts, grid, camera. Made when it is first looked at. */
export class SceneControls {
  #life = new AbortController();
  /** @type {Sheet[]} */ #sheets = [];

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    app.signal.addEventListener("abort", () => this.#life.abort());
    this.node = el("details", { class: "nc-section nc-scene-section", signal: app.signal, ontoggle: () => this.render() }, el("summary", {}, "Scale bar, axes and view"));
  }

  render() {
    if (!this.node.open || !this.app.control.ready) return;
    if (this.#sheets.length === 0) this.#make();
    for (const sheet of this.#sheets) sheet.show(this.app.control.known(sheet.target));
  }

  #make() {
    for (const scope of ["view", "camera"]) {
      const sheet = new Sheet(this.app, scope, this.#life.signal);
      const rows = this.app.facts.properties.filter((row) => row.scope === scope && row.writable && !NOT_LISTED.has(row.name));
      const box = el("div", {});
      const first = rows.filter((row) => ["scale_bar.visible", "axes.visible", "text.visible"].includes(row.name));
      for (const row of first) sheet.add(box, row, row.name.split(".")[0]);
      sheet.addGrouped(box, rows.filter((row) => !first.includes(row)));
      this.node.append(box);
      this.#sheets.push(sheet);
    }
  }
}

/** @param {HTMLCanvasElement} strip @param {number[][] | undefined} colors */
function paintStrip(strip, colors) {
  const context = strip.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, strip.width, strip.height);
  if (!colors?.length) return;
  const gradient = context.createLinearGradient(0, 0, strip.width, 0);
  colors.forEach((color, index) => {
    gradient.addColorStop(colors.length > 1 ? index / (colors.length - 1) : 0, `rgb(${color.slice(0, 3).map(Math.round).join(" ")})`);
  });
  context.fillStyle = gradient;
  context.fillRect(0, 0, strip.width, strip.height);
}
