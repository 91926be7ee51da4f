// @ts-check
/** The dialog over the served folders. */
import { el, icon, iconButton } from "./dom.js";

/** @typedef {import("./app.js").App} App */

export class OpenDialog {
  #path = "";
  #parent = "";
  #offset = 0;
  /** Listings are answered out of order: the newest counts. */ #asked = 0;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    const { signal } = app;
    this.where = el("p", { class: "nc-where" });
    this.list = el("ul", { class: "nc-entries" });
    this.more = el("button", { type: "button", class: "nc-button", textContent: "More", signal, onclick: () => this.#load(this.#path, this.#offset) });
    this.search = el("input", {
      type: "search", class: "nc-field", "aria-label": "Filter this folder by name", placeholder: "Filter by name", signal,
      oninput: () => this.#load(this.#path, 0),
    });
    const up = iconButton("up", "Folder above", () => this.#load(this.#parent, 0, true), signal);
    this.node = el(
      "dialog",
      { class: "nc-dialog", "aria-label": "Open data on the server" },
      el("div", { class: "nc-row nc-head" }, el("h2", {}, "Open data on the server"), iconButton("close", "Close", () => this.node.close(), signal, "nc-push")),
      el("div", { class: "nc-row" }, up, this.where, this.search),
      this.list,
      this.more,
    );
  }

  show() {
    this.node.showModal();
    this.#load(this.#path, 0);
  }

  /** @param {string} path @param {number} offset @param {boolean} [other] another folder: no filter */
  async #load(path, offset, other = false) {
    const asked = ++this.#asked;
    if (other) this.search.value = "";
    let page;
    try {
      page = await this.app.transport.get("files", { path, search: this.search.value, offset: String(offset) });
    } catch (error) {
      if (asked === this.#asked) this.where.textContent = error instanceof Error ? error.message : String(error);
      return;
    }
    if (asked !== this.#asked || this.app.signal.aborted) return;
    this.#path = page.path;
    this.#parent = page.parent;
    this.#offset = offset + page.entries.length;
    this.where.textContent = page.path || "Served folders";
    if (offset === 0) this.list.replaceChildren();
    this.list.append(...page.entries.map((/** @type {any} */ entry) => this.#entry(entry)));
    if (page.total === 0) this.list.append(el("li", { class: "nc-hint" }, page.path ? "Nothing here." : "No folder is served: start the server with --root FOLDER."));
    this.more.hidden = this.#offset >= page.total;
  }

  /** @param {{name: string, path: string, kind: string, size_bytes: number}} entry */
  #entry({ name, path, kind, size_bytes }) {
    const open = () => {
      this.app.command("data.open", { paths: [path] });
      this.node.close();
    };
    const enter = () => this.#load(path, 0, true);
    const button = el(
      "button",
      { type: "button", class: "nc-entry", signal: this.app.signal, onclick: kind === "folder" ? enter : open },
      icon(kind === "file" ? "file" : "folder"),
      el("span", { class: "nc-entry-name" }, name),
      el("span", { class: "nc-told" }, kind === "file" ? size(size_bytes) : kind === "folder" ? "" : kind),
    );
    return el("li", {}, button);
  }
}

/** @param {number} bytes */
function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power && bytes / 1000 ** power < 10 ? 1 : 0)} ${units[power]}`;
}
