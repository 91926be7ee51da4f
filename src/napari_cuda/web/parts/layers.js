// @ts-check
/** The layer list. */
import { el, iconButton, setIcon, words } from "./dom.js";

/** @typedef {import("./app.js").App} App */

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
        ondragstart: (/** @type {DragEvent} */ event) => {
          event.dataTransfer?.setData("text/plain", id);
          list.drag(id);
        },
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
