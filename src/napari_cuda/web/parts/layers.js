// @ts-check
/** The layer list, and the controls of the layer that is active. */
import { el, iconButton, setIcon, words } from "./dom.js";
import { choice, editorOf, limits } from "./editors.js";

/** @typedef {import("./app.js").App} App */

/** What is always in sight, in this order, if the layer has it; all else is below, by itself. */
const FIRST = [
  "opacity", "contrast_limits", "gamma", "colormap", "blending", "rendering", "iso_threshold", "attenuation",
  "interpolation2d", "interpolation3d", "depiction", "projection_mode", "shading", "mode", "selected_label", "brush_size",
  "contour", "show_selected_label", "preserve_labels", "size", "symbol", "face_color", "border_color", "edge_color", "edge_width",
  "vector_style", "length", "color_by", "tail_width", "tail_length", "head_length", "current_size", "current_face_color",
];
const IN_3D = new Set(["rendering", "iso_threshold", "attenuation", "interpolation3d", "depiction"]);
const IN_2D = new Set(["interpolation2d"]);
/** In the list itself. */
const IN_LIST = new Set(["name", "visible"]);
const GLYPHS = /** @type {Record<string, string>} */ ({
  image: "image", labels: "labels", points: "points", shapes: "shapes", surface: "surface", tracks: "tracks", vectors: "vectors",
});

/** The list, top layer first. */
export class LayerList {
  /** @type {Map<string, Row>} */ #rows = new Map();
  #list;
  #tools;
  /** @type {string | null} */ #dragged = null;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    const { signal } = app;
    this.#list = el("ul", { class: "nc-layers", "aria-label": "Layers" });
    const act = (/** @type {(layer: string) => void} */ done) => () => this.active && done(this.active);
    this.#tools = el(
      "div",
      { class: "nc-row nc-list-tools" },
      iconButton("up", "Move layer up", act((layer) => this.move(layer, 1)), signal),
      iconButton("down", "Move layer down", act((layer) => this.move(layer, -1)), signal),
      iconButton("rename", "Rename layer", act((layer) => this.#rows.get(layer)?.rename()), signal),
      iconButton("trash", "Remove layer", act((layer) => this.remove(layer)), signal, "nc-push"),
    );
    this.empty = el("p", { class: "nc-hint" }, "No layers. Open data with the folder at the top.");
    this.node = el("section", { class: "nc-section nc-layer-section" }, el("h2", {}, "Layers"), this.#list, this.empty, this.#tools);
  }

  get active() {
    return this.app.control.known("scene").active ?? null;
  }

  /** @returns {string[]} bottom first */
  get order() {
    return (this.app.control.known("scene").order ?? []).filter((/** @type {string} */ id) => this.app.control.specs.has(id));
  }

  render() {
    const { control } = this.app;
    const scene = control.known("scene");
    const order = [...this.order].reverse();
    for (const [id, row] of this.#rows) {
      if (!order.includes(id)) {
        row.node.remove();
        this.#rows.delete(id);
      }
    }
    order.forEach((id, index) => {
      let row = this.#rows.get(id);
      if (row === undefined) {
        row = new Row(this, id);
        this.#rows.set(id, row);
      }
      row.render(control.known(`layer:${id}`), (scene.selection ?? []).includes(id));
      if (this.#list.children[index] !== row.node) this.#list.insertBefore(row.node, this.#list.children[index] ?? null);
    });
    this.empty.hidden = order.length > 0;
    for (const button of this.#tools.children) button.disabled = !this.active || this.app.viewOnly;
  }

  /** @param {string} layer @param {number} by */
  move(layer, by) {
    const order = [...this.order];
    const at = order.indexOf(layer);
    const to = Math.min(order.length - 1, Math.max(0, at + by));
    if (at < 0 || to === at) return;
    order.splice(to, 0, ...order.splice(at, 1));
    this.app.set("scene", "order", order);
  }

  /** @param {string} layer */
  select(layer) {
    this.app.set("scene", "selection", [layer]);
    this.app.set("scene", "active", layer);
  }

  /** @param {string} layer */
  remove(layer) {
    this.app.command("layer.remove", { layer });
  }

  /** @param {string} layer */
  toggle(layer) {
    this.app.set(`layer:${layer}`, "visible", !this.app.control.known(`layer:${layer}`).visible);
  }

  /** @param {string} layer */
  drag(layer) {
    this.#dragged = layer;
  }

  /** @param {string} onto */
  drop(onto) {
    const [from, to] = [this.order.indexOf(this.#dragged ?? ""), this.order.indexOf(onto)];
    if (this.#dragged !== null && from >= 0 && to >= 0) this.move(this.#dragged, to - from);
    this.#dragged = null;
  }

  /** @param {Record<string, any>} message */
  thumbnail(message) {
    this.#rows.get(message.layer)?.thumbnail(message);
  }
}

class Row {
  #eye;
  #pick;
  #name;
  #thumb;

  /** @param {LayerList} list @param {string} id */
  constructor(list, id) {
    this.list = list;
    this.id = id;
    const { signal } = list.app;
    const kind = list.app.control.specs.get(id)?.kind ?? "";
    this.#eye = iconButton("eye", "Hide", () => list.toggle(id), signal, "nc-eye");
    this.#thumb = el("canvas", { class: "nc-thumb", width: 32, height: 32, "aria-hidden": "true" });
    this.#name = el("input", {
      class: "nc-field nc-name", type: "text", "aria-label": "Layer name", hidden: true, signal,
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Escape") this.#name.value = list.app.control.known(`layer:${id}`).name;
        if (event.key === "Enter" || event.key === "Escape") this.#renamed();
      },
      onblur: () => this.#renamed(),
    });
    this.#pick = el("button", {
      type: "button", class: "nc-pick", signal, ondblclick: () => this.rename(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    });
    this.node = el(
      "li",
      {
        class: "nc-layer", draggable: true, "data-layer": id, signal,
        onclick: (/** @type {MouseEvent} */ event) => {
          if (!(/** @type {HTMLElement} */ (event.target).closest(".nc-eye, input"))) list.select(id);
        },
        ondragstart: () => list.drag(id),
        ondragover: (/** @type {DragEvent} */ event) => event.preventDefault(),
        ondrop: (/** @type {DragEvent} */ event) => {
          event.preventDefault();
          list.drop(id);
        },
      },
      this.#eye,
      this.#thumb,
      this.#pick,
      this.#name,
      el("span", { class: `nc-kind nc-kind-${kind}`, title: GLYPHS[kind] ?? kind }, words(kind)),
    );
  }

  /** @param {Record<string, any>} values @param {boolean} selected */
  render(values, selected) {
    this.node.classList.toggle("nc-selected", selected);
    this.#pick.setAttribute("aria-pressed", String(selected));
    this.node.classList.toggle("nc-off", !values.visible);
    setIcon(this.#eye, values.visible ? "eye" : "hidden", `${values.visible ? "Hide" : "Show"} ${values.name}`);
    this.#pick.textContent = this.#pick.title = values.name ?? "";
  }

  rename() {
    if (this.list.app.viewOnly) return;
    this.#name.value = this.list.app.control.known(`layer:${this.id}`).name;
    this.#name.hidden = false;
    this.#pick.hidden = true;
    this.node.draggable = false; // a drag marks text now
    this.#name.focus();
    this.#name.select();
  }

  #renamed() {
    if (this.#name.hidden) return;
    const typing = this.#name === document.activeElement;
    this.#pick.hidden = false;
    this.#name.hidden = true;
    this.node.draggable = true;
    if (typing) this.#pick.focus();
    const name = this.#name.value.trim();
    if (name) this.list.app.set(`layer:${this.id}`, "name", name);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { list, id } = this;
    const [up, down] = [event.key === "ArrowUp", event.key === "ArrowDown"];
    if ((up || down) && event.altKey) list.move(id, up ? 1 : -1);
    else if (up || down) {
      const next = up ? this.node.previousElementSibling : this.node.nextElementSibling;
      next?.querySelector(".nc-pick")?.focus();
    }
    else if (event.key === "F2") this.rename();
    else return;
    event.preventDefault();
  }

  /** @param {Record<string, any>} message */
  thumbnail({ width, height, rgba }) {
    const bytes = Uint8ClampedArray.from(atob(rgba), (letter) => letter.charCodeAt(0));
    if (bytes.length !== width * height * 4 || bytes.length === 0) return;
    [this.#thumb.width, this.#thumb.height] = [width, height];
    this.#thumb.getContext("2d")?.putImageData(new ImageData(bytes, width, height), 0, 0);
  }
}

/** The controls of the active layer, made from the rows of the property table. */
export class LayerControls {
  #shownFor = "";
  /** @type {[string, (values: Record<string, any>) => void][]} */ #editors = [];
  #body = el("div", { class: "nc-controls" });
  /** @type {AbortController} */ #life = new AbortController();

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    app.signal.addEventListener("abort", () => this.#life.abort());
    this.title = el("h2", {}, "Controls");
    this.node = el("section", { class: "nc-section nc-control-section" }, this.title, this.#body);
  }

  render() {
    const { control } = this.app;
    const active = control.known("scene").active ?? "";
    const spec = control.specs.get(active);
    const shownFor = spec ? `${active} ${spec.kind} ${control.known("view").ndisplay}` : "";
    if (shownFor !== this.#shownFor) this.#make(active, spec?.kind ?? "", shownFor);
    const values = control.known(`layer:${active}`);
    this.title.textContent = spec ? values.name : "Controls";
    for (const [, show] of this.#editors) show(values);
  }

  /** @param {string} layer @param {string} kind @param {string} shownFor */
  #make(layer, kind, shownFor) {
    this.#shownFor = shownFor;
    this.#life.abort();
    this.#life = new AbortController();
    this.#editors = [];
    this.#body.replaceChildren();
    if (!kind) return this.#body.append(el("p", { class: "nc-hint" }, "Select a layer to see its controls."));
    const inTwo = this.app.control.known("view").ndisplay === 2;
    const rows = this.app.rows(kind).filter((row) => row.writable && !IN_LIST.has(row.name));
    const hidden = inTwo ? IN_3D : IN_2D;
    const first = FIRST.flatMap((name) => rows.filter((row) => row.name === name && !hidden.has(name)));
    for (const row of first) this.#add(this.#body, layer, row);
    const others = rows.filter((row) => !FIRST.includes(row.name));
    /** @type {Map<string, any[]>} */
    const groups = new Map();
    for (const row of others) {
      const group = row.name.includes(".") ? row.name.slice(0, row.name.lastIndexOf(".")) : "";
      groups.set(group, [...(groups.get(group) ?? []), row]);
    }
    const more = el("details", { class: "nc-more" }, el("summary", {}, "All properties"));
    for (const [group, members] of groups) {
      const box = group ? el("details", { class: "nc-group" }, el("summary", {}, words(group))) : el("div", {});
      for (const row of members) this.#add(box, layer, row, row.name.slice(group ? group.length + 1 : 0));
      if (box.querySelector(".nc-control")) more.append(box);
    }
    this.#body.append(more);
  }

  /** @param {HTMLElement} parent @param {string} layer @param {any} row @param {string} [name] */
  #add(parent, layer, row, name = row.name) {
    const label = words(name);
    const around = { signal: this.#life.signal, colormaps: this.app.facts.colormaps, label };
    const set = (/** @type {any} */ value) => this.app.set(`layer:${layer}`, row.name, value);
    const own = row.name === "contrast_limits" ? this.#contrast(layer, set, around) : row.name === "colormap" ? this.#colormap(row, set, around) : null;
    const editor = own ?? editorOf(row.type, set, around);
    if (editor === null) return;
    const line = el("div", { class: "nc-control", "data-property": row.name }, el("span", { class: "nc-label", title: row.name }, label), editor.node);
    if (this.app.viewOnly) for (const field of line.querySelectorAll("input, select, button")) field.disabled = true;
    parent.append(line);
    this.#editors.push([row.name, (values) => {
      if (own) own.showAll(values);
      else editor.show(values[row.name]);
    }]);
  }

  /** @param {string} layer @param {(value: any) => void} set @param {import("./editors.js").Around} around */
  #contrast(layer, set, around) {
    const track = limits(set, around);
    const auto = el("button", {
      type: "button", class: "nc-button nc-small", textContent: "Autoscale", title: "Contrast limits from the data", signal: around.signal,
      onclick: () => this.app.command("layer.reset_contrast_limits", { layer }),
    });
    const node = el("span", { class: "nc-contrast" }, track.node, auto);
    return {
      node,
      show: () => undefined,
      showAll: (/** @type {Record<string, any>} */ values) => {
        if (values.contrast_limits) track.show(values.contrast_limits, values.contrast_limits_range ?? values.contrast_limits);
      },
    };
  }

  /** @param {any} row @param {(value: any) => void} set @param {import("./editors.js").Around} around */
  #colormap(row, set, around) {
    if (row.type.type !== "colormap_value") return null;
    const select = choice(Object.keys(around.colormaps), set, around);
    const strip = el("canvas", { class: "nc-strip", width: 128, height: 8, "aria-hidden": "true" });
    return {
      node: el("span", { class: "nc-colormap" }, select.node, strip),
      show: () => undefined,
      showAll: (/** @type {Record<string, any>} */ values) => {
        const value = values.colormap;
        select.show(value);
        paintStrip(strip, typeof value === "string" ? around.colormaps[value] : value?.colors?.map((/** @type {number[]} */ color) => color.map((part) => 255 * part)));
      },
    };
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

