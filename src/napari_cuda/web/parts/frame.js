// @ts-check
/** What is around the canvas: the bar, panels, foot, theme, and the lines that say how it stands. */
import { el, iconButton, setIcon } from "./dom.js";

/** @typedef {import("./app.js").App} App */

const NARROW_PX = 720;

export class Frame {
  /** The picture on the canvas is an old one. */ #awaiting = true;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    const { signal } = app;
    this.state = el("div", { class: "nc-state", role: "status", "aria-live": "polite", hidden: true });
    this.line = el("span", { class: "nc-line" });
    this.wide = el("div", { class: "nc-banner nc-row", role: "alert", hidden: true }, this.line);
    this.wide.append(iconButton("close", "Hide this line", () => (this.wide.hidden = true), signal, "nc-push"));
    app.stage.node.append(app.hud.node, this.state, app.notes.node);
    this.exactMark = el("span", { class: "nc-exact", title: "The picture is bit for bit what the server rendered" });
    this.connection = el("span", { class: "nc-connection" });
    this.title = el("h1", { class: "nc-title" });
    const button = (/** @type {string} */ picture, /** @type {string} */ name, /** @type {() => void} */ act) => iconButton(picture, name, act, signal);
    this.displayButton = button("cube", "Show in 3D (Y)", () => app.toggleDisplay());
    this.gridButton = button("grid", "Grid (G)", () => app.toggleGrid());
    this.openButton = button("open", "Open data (O)", () => app.openDialog.show());
    const bar = el(
      "header",
      { class: "nc-bar" },
      button("layers", "Panels (L)", () => this.togglePanels()),
      this.title,
      app.script.viewers,
      el("span", { class: "nc-space" }),
      this.openButton,
      el("span", { class: "nc-rule" }),
      button("home", "Show everything (R)", () => app.stage.home()),
      this.displayButton,
      this.gridButton,
      el("span", { class: "nc-rule" }),
      button("camera", "Save the exact picture (S)", () => app.stage.screenshot()),
      button("figures", "Figures of the stream (I)", () => app.hud.toggle()),
      button("full", "Full screen (F)", () => this.fullScreen()),
      button("theme", "Light or dark", () => this.#toggleTheme()),
      button("help", "Keys and gestures (?)", () => app.help.showModal()),
    );
    this.side = el("aside", { class: "nc-side", "aria-label": "Layers and controls" }, app.layerControls.node, app.sceneControls.node, app.layers.node);
    const foot = el("footer", { class: "nc-foot" }, app.cursor.node, el("span", { class: "nc-space" }), this.exactMark, this.connection);
    const middle = el("main", { class: "nc-middle" }, app.stage.node, app.dims.node);
    app.root.classList.add("nc-root");
    if (app.root.clientWidth < NARROW_PX) this.togglePanels();
    app.root.tabIndex = -1; // keys work before anything is clicked
    app.root.replaceChildren(bar, this.wide, el("div", { class: "nc-body-row" }, this.side, middle), foot, app.openDialog.node, app.help);
  }

  render() {
    const { control, session, ndisplay, viewOnly, stage, phase } = this.app;
    setIcon(this.displayButton, ndisplay === 2 ? "cube" : "flat", ndisplay === 2 ? "Show in 3D (Y)" : "Show in 2D (Y)");
    this.gridButton.setAttribute("aria-pressed", String(control.known("view")["grid.enabled"] === true));
    this.openButton.disabled = viewOnly;
    this.title.textContent = [session.known?.title || "napari-cuda", session.known?.host].filter(Boolean).join(" — ");
    this.exactMark.textContent = stage.screen.exact ? "exact" : "";
    const trip = session.roundTripMs ? `, ${Math.round(session.roundTripMs)} ms` : "";
    const words = { connecting: "connecting", syncing: "connecting", streaming: `connected${trip}`, reconnecting: "reconnecting", stopped: "not connected" };
    this.connection.textContent = /** @type {Record<string, string>} */ (words)[phase];
  }

  togglePanels() {
    this.app.root.classList.toggle("nc-no-side");
  }

  #toggleTheme() {
    const { root } = this.app;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : !matchMedia("(prefers-color-scheme: light)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.app.root.requestFullscreen?.().catch(() => this.app.notes.say("This browser does not allow full screen here."));
  }

  /** Another picture is on the canvas. */
  pictureCame() {
    if (this.#awaiting) this.stand();
  }

  /** One line over the picture. @param {string} text */
  say(text) {
    this.state.textContent = text;
    this.state.hidden = text === "";
  }

  /** @param {string} text what keeps the server's Python; empty: nothing does any more */
  tellBusy(text) {
    if (text === "") return this.app.phase === "streaming" && !this.#awaiting ? this.stand() : this.say("Connected; waiting for the picture …");
    this.say(text);
    if (!this.app.viewOnly) this.state.append(this.app.script.interrupt);
  }

  /** One line until there is another picture. @param {string} text */
  await(text) {
    this.#awaiting = true;
    this.say(text);
  }

  /** All is well. */
  stand() {
    this.#awaiting = false;
    this.say(this.app.viewOnly ? "View only" : "");
  }

  /** @param {string} text */
  tellPersistently(text) {
    this.line.textContent = text;
    this.wide.hidden = false;
  }
}
