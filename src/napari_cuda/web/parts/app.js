// @ts-check
/** The viewer: session, stream and controls, wired; `mount` puts one into an element. */
import { dragged, fitted, turned, zoomed } from "./camera.js";
import { ControlState } from "./control.js";
import { Cursor } from "./cursor.js";
import { decoderSupport } from "./decoder.js";
import { displayedOf, DimsBar } from "./dims.js";
import { el, iconButton, setIcon } from "./dom.js";
import { OpenDialog } from "./files.js";
import { watchHands, watchKeys } from "./hands.js";
import { LayerControls, LayerList } from "./layers.js";
import { helpSheet, Hud, Notes, whyCompatible } from "./panels.js";
import { Screen } from "./screen.js";
import { ScriptControls } from "./script.js";
import { Session } from "./session.js";
import { PixelStream } from "./stream.js";

const FLUSH_MS = 1000 / 120;
const EXACT_WITHIN_MS = 30000;
const RESIZE_MS = 120;
const NARROW_PX = 720;
const SMALLEST_PX = 16;
const LARGEST_PX = 8192;
const LOCAL_TOOLS = new Set([undefined, "pan_zoom", "transform"]);
const HEAL_MS = 10000;

/** @typedef {Record<string, any> & {type: string}} Message */

export class App {
  control = new ControlState();
  /** What the controls are made from. @type {{properties: any[], colormaps: Record<string, number[][]>, looks: string[], port: number}} */
  facts = { properties: [], colormaps: {}, looks: [], port: 0 };
  #life = new AbortController();
  signal = this.#life.signal;
  /** @type {PixelStream | null} */ #stream = null;
  /** @type {Message} */ #quality = { type: "" };
  #role = "control";
  #rendering = 0;
  #flushedMs = -Infinity;
  #flushTimer = 0;
  #size = [0, 0];
  #sized = false;
  #phase = "connecting";
  /** The picture on the canvas is an old one. */ #awaiting = true;
  /** When a message could not be shown: a snapshot mends that. */ #healedMs = -Infinity;

  /** @param {HTMLElement} root @param {import("./transport.js").Transport} transport */
  constructor(root, transport) {
    this.root = root;
    this.transport = transport;
    const { signal } = this;
    this.screen = new Screen(signal);
    this.layers = new LayerList(this);
    this.layerControls = new LayerControls(this);
    this.dims = new DimsBar(this);
    this.openDialog = new OpenDialog(this);
    this.help = helpSheet(signal);
    this.notes = new Notes(signal, (job) => this.command("job.cancel", { job }));
    this.cursor = new Cursor(this);
    this.script = new ScriptControls(this);
    this.hud = new Hud(() => this.#figures(), signal);
    this.session = new Session(transport, {
      welcomed: (welcome, known) => this.#welcomed(welcome, known),
      heard: (message) => this.#heard(message),
      lost: (reason) => this.#lost(reason),
      ended: (reason) => this.#ended(reason),
    });
    this.#build();
    this.control.onChange = (target) => {
      this.#mark();
      if (target === "camera" || target === "view") this.screen.redraw();
      this.#renderSoon();
    };
    this.screen.view = () => this.view();
    this.screen.onDrawn = (header) => {
      this.#stream?.ack(header);
      if (this.#awaiting && this.#phase === "streaming") this.#stand();
      this.#renderSoon();
    };
    this.screen.onWrong = () => this.#stream?.requestKeyframe("the exact picture is not what the server rendered");
    this.#watch();
  }

  /** Connect. */
  async start() {
    try {
      this.facts = await this.transport.get("page.json");
    } catch (error) {
      return this.#ended(error instanceof Error ? error.message : String(error));
    }
    const support = await decoderSupport();
    if (this.signal.aborted) return;
    const noVideo = () => this.#tellPersistently(whyCompatible(window.isSecureContext, location.hostname, this.facts.port));
    if (!support.video) noVideo();
    this.#stream = new PixelStream(
      this.transport,
      {
        show: (picture) => this.screen.show(picture),
        unchanged: (header) => this.screen.unchanged(header),
        lost: (reason) => {
          if (this.#phase === "streaming") this.#await(`No new pictures: ${reason} — trying again …`);
        },
        noVideo,
      },
      support,
    );
    this.session.open();
  }

  dispose() {
    this.session.dispose();
    this.#stream?.dispose();
    clearTimeout(this.#flushTimer);
    cancelAnimationFrame(this.#rendering);
    this.#life.abort();
    this.root.replaceChildren();
    this.root.classList.remove("nc-root");
  }

  get viewOnly() {
    return this.#role === "view";
  }

  get ndisplay() {
    return this.control.known("view").ndisplay ?? 2;
  }

  /** Rows of the property table of a layer kind, in setting order. @param {string} kind */
  rows(kind) {
    return this.facts.properties.filter((row) => row.scope === "layer" || row.scope === `layer:${kind}`);
  }

  // --- what the user does ---------------------------------------------------------------

  /** @param {string} target @param {string} name @param {any} value */
  set(target, name, value) {
    if (this.viewOnly) return this.#mayOnlyLook();
    if (this.control.set(target, name, value)) this.#flushSoon();
  }

  /** @param {string} name @param {Record<string, any>} args */
  command(name, args = {}) {
    if (this.viewOnly && !this.facts.looks.includes(name)) return this.#mayOnlyLook();
    this.control.command(name, args);
    this.#mark();
    this.#flushSoon();
  }

  #mayOnlyLook() {
    this.notes.say("You may only look here: to change things, open the control address that the server printed.");
    this.#renderSoon();
  }

  #flushSoon() {
    if (this.#flushTimer) return;
    const wait = this.#flushedMs + FLUSH_MS - performance.now();
    if (wait <= 0) this.flush();
    else this.#flushTimer = window.setTimeout(() => this.flush(), wait);
  }

  flush() {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = 0;
    this.#flushedMs = performance.now();
    const intents = this.control.take();
    for (const intent of intents) this.session.send(intent);
    if (intents.some((intent) => intent.type !== "input.pointer")) this.screen.stirred();
  }

  /** @param {(camera: any) => Record<string, any>} change */
  #moveCamera(change) {
    const values = change(this.control.known("camera"));
    if (this.viewOnly) return;
    let changed = false;
    for (const [name, value] of Object.entries(values)) changed = this.control.set("camera", name, value) || changed;
    if (changed) this.#flushSoon();
  }

  home() {
    const dims = this.control.known("dims");
    const view = this.control.known("view");
    const ranges = displayedOf(dims, this.ndisplay).map((axis) => dims.range[axis]);
    if (ranges.length) this.#moveCamera((camera) => fitted(camera, this.ndisplay, ranges, this.#cellSize(view)));
  }

  /** [width, height] of a cell of the grid, or of the canvas. @param {Record<string, any>} view */
  #cellSize(view) {
    const [height, width] = view.size ?? [1, 1];
    const count = Math.ceil(this.control.specs.size / Math.max(1, Math.abs(view["grid.stride"] ?? 1)));
    if (!view["grid.enabled"] || count < 2) return [width, height];
    let [rows, columns] = view["grid.shape"];
    if (rows === -1 && columns === -1) columns = Math.ceil(Math.sqrt(count));
    if (columns === -1) columns = Math.ceil(count / rows);
    if (rows === -1) rows = Math.ceil(count / columns);
    return [width / columns, height / rows];
  }

  toggleDisplay() {
    this.set("view", "ndisplay", this.ndisplay === 2 ? 3 : 2);
  }

  /** Save the picture as the server rendered it; waits until it is at rest. */
  async screenshot() {
    const until = performance.now() + EXACT_WITHIN_MS;
    while (this.screen.exactPicture === null || !this.control.settled) {
      if (performance.now() > until || this.signal.aborted) return this.notes.say("The picture did not come to rest: no screenshot was taken.");
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    const blob = await this.screen.exactPicture.convertToBlob({ type: "image/png" });
    const address = URL.createObjectURL(blob);
    el("a", { href: address, download: `${this.session.known?.title || "napari"} r${this.screen.header?.revision}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.().catch(() => this.notes.say("This browser does not allow full screen here."));
  }

  // --- what the server says -------------------------------------------------------------

  /** @param {Message} welcome @param {Message | null} known */
  #welcomed(welcome, known) {
    this.#role = welcome.role ?? "control";
    this.#phase = "syncing";
    if (known === null) this.#say("Connected; waiting for the scene …");
    else if (known.viewer === welcome.viewer) this.control.resume(welcome.taken);
    else if (known.session === welcome.session) {
      const dropped = this.control.rejoin();
      if (dropped) this.notes.say(`The connection was away for too long; actions that may be lost: ${dropped}`);
    } else {
      const dropped = this.control.beginAnew();
      const lost = dropped ? `; changes made meanwhile that are not in it: ${dropped}` : "";
      this.notes.say(`The server was started anew: this is another session${lost}`);
    }
    this.#stream?.follow(welcome.viewer);
    this.flush();
    this.#renderSoon();
  }

  /** @param {Message} message */
  #heard(message) {
    switch (message.type) {
      case "scene.snapshot":
        this.control.begin(message);
        return this.#sceneCame(true);
      case "scene.resumed":
        for (const update of message.updates) this.#update(update);
        this.control.revision = Math.max(this.control.revision, message.revision);
        return this.#sceneCame(false);
      case "scene.update":
      case "layer.update":
      case "dims.update":
      case "camera.update":
      case "view.update":
        this.#update(message);
        return message.type === "camera.update" ? undefined : this.cursor.lookAgain();
      case "ack":
        for (const [, reason] of this.control.acked(message)) this.notes.say(reason);
        this.#mark();
        return this.#flushSoon();
      case "layer.thumbnail":
        this.layers.render();
        return this.layers.thumbnail(message);
      case "cursor.value":
        return this.cursor.answered(message);
      case "stream.quality":
        this.#quality = message;
        return;
      case "job.update":
        return this.notes.job(message);
      case "notice":
        return this.notes.say(message.text);
      case "script.viewers":
        return this.script.show(message);
      case "session.busy":
        return this.#tellBusy(message.text);
      case "status":
        this.cursor.say(message.text);
        return;
      case "error":
        if (message.code !== "intent.repeated") this.notes.say(message.message);
    }
  }

  /** @param {Message} update */
  #update(update) {
    try {
      this.control.update(update);
    } catch (error) {
      // What is shown is not the scene any more: mended by a snapshot, now and then.
      this.notes.say(`${update.type} could not be shown: ${error}`);
      if (performance.now() - this.#healedMs > HEAL_MS) {
        this.#healedMs = performance.now();
        this.command("scene.snapshot");
      }
    }
  }

  /** @param {boolean} whole and not what was missed: then the canvas is to be that of this page */
  #sceneCame(whole) {
    this.#phase = "streaming";
    if (this.#stream === null) this.#stand();
    else this.#await("Connected; waiting for the picture …");
    this.#render(); // sliders take their room before the canvas is measured
    this.#resized();
    if (whole) this.#sendSize();
    this.flush();
  }

  /** @param {string} reason */
  #lost(reason) {
    this.#phase = "reconnecting";
    this.control.disconnected();
    this.screen.stirred();
    this.#stream?.drop();
    this.#say(`Disconnected: ${reason} — trying again …`);
    this.#renderSoon();
  }

  /** @param {string} reason */
  #ended(reason) {
    this.#phase = "stopped";
    this.control.disconnected();
    this.#stream?.drop();
    this.#say(`Not connected: ${reason} — reload the page to try again`);
    this.#renderSoon();
  }

  // --- canvas ---------------------------------------------------------------------------

  /** @returns {import("./screen.js").View | null} */
  view() {
    const camera = this.control.known("camera");
    const view = this.control.known("view");
    if (camera.center === undefined) return null;
    const { canvas } = this.screen;
    const [red, green, blue] = view.background_color ?? (view["rendering.theme"] === "light" ? [1, 1, 1] : [0, 0, 0]);
    return {
      camera: /** @type {any} */ (camera),
      ndisplay: this.ndisplay,
      own: view.size[0] === canvas.height && view.size[1] === canvas.width,
      gridded: view["grid.enabled"] === true,
      background: `rgb(${[red, green, blue].map((part) => Math.round(255 * part)).join(" ")})`,
    };
  }

  /** The canvas has another size: have the server draw that. The first time what it showed is kept in view. */
  #sendSize() {
    const [width, height] = this.#size;
    if (this.viewOnly || !this.control.ready) return;
    const view = this.control.known("view");
    const dims = this.control.known("dims");
    if (!this.#sized && view.size) {
      const [tall, wide] = displayedOf(dims, 2).map((axis) => dims.range[axis][1] - dims.range[axis][0] + dims.range[axis][2] || 1);
      const fit = Math.min(height / tall, width / wide) / Math.min(view.size[0] / tall, view.size[1] / wide);
      this.#moveCamera((camera) => ({ zoom: camera.zoom * fit }));
    }
    this.#sized = true;
    this.set("view", "size", [height, width]);
  }

  #resized() {
    const box = this.stage.getBoundingClientRect();
    const size = [box.width, box.height].map((side) => Math.min(LARGEST_PX, Math.max(SMALLEST_PX, Math.floor(side))));
    if (size[0] === this.#size[0] && size[1] === this.#size[1]) return;
    this.#size = size;
    [this.screen.canvas.width, this.screen.canvas.height] = size;
    this.screen.draw();
    if (this.control.ready) this.#sendSize();
  }

  /** @param {PointerEvent} event @param {string} action @param {number[]} place */
  #tool(event, action, place) {
    const buttons = [1, 2, 4].flatMap((bit, index) => (event.buttons & bit ? [index + 1] : []));
    const modifiers = ["shift", "ctrl", "alt", "meta"].filter((name) => /** @type {any} */ (event)[`${name}Key`]);
    const { canvas } = this.screen;
    this.control.point({
      action,
      position: place.map(Math.round),
      canvas: [canvas.width, canvas.height],
      button: action === "move" ? 0 : [1, 3, 2][event.button],
      buttons,
      modifiers: modifiers.map((name) => (name === "ctrl" ? "control" : name)),
    });
    this.#flushSoon();
  }

  // --- the page -------------------------------------------------------------------------

  #build() {
    const { signal } = this;
    this.state = el("div", { class: "nc-state", role: "status", "aria-live": "polite", hidden: true });
    this.wide = el("div", { class: "nc-banner nc-line", role: "alert", hidden: true });
    this.stage = el("div", { class: "nc-stage" }, this.screen.canvas, this.hud.node, this.state, this.notes.node);
    this.exactMark = el("span", { class: "nc-exact", title: "The picture is bit for bit what the server rendered" });
    this.connection = el("span", { class: "nc-connection" });
    this.title = el("span", { class: "nc-title" });
    const button = (/** @type {string} */ picture, /** @type {string} */ name, /** @type {() => void} */ act) => iconButton(picture, name, act, signal);
    this.displayButton = button("cube", "Show in 3D (Y)", () => this.toggleDisplay());
    this.gridButton = button("grid", "Grid (G)", () => this.#toggleGrid());
    this.openButton = button("open", "Open data (O)", () => this.openDialog.show());
    const bar = el(
      "header",
      { class: "nc-bar", role: "toolbar", "aria-label": "Viewer" },
      button("layers", "Panels (L)", () => this.#togglePanels()),
      this.title,
      this.script.viewers,
      el("span", { class: "nc-space" }),
      this.openButton,
      el("span", { class: "nc-rule" }),
      button("home", "Show everything (R)", () => this.home()),
      this.displayButton,
      this.gridButton,
      el("span", { class: "nc-rule" }),
      button("camera", "Save the exact picture (S)", () => this.screenshot()),
      button("figures", "Figures of the stream (I)", () => this.hud.toggle()),
      button("full", "Full screen (F)", () => this.fullScreen()),
      button("theme", "Light or dark", () => this.#toggleTheme()),
      button("help", "Keys and gestures (?)", () => this.help.showModal()),
    );
    this.side = el("aside", { class: "nc-side", "aria-label": "Layers and controls" }, this.layerControls.node, this.layers.node);
    const foot = el("footer", { class: "nc-foot" }, this.cursor.node, el("span", { class: "nc-space" }), this.exactMark, this.connection);
    const middle = el("div", { class: "nc-middle" }, this.stage, this.dims.node);
    this.root.classList.add("nc-root");
    if (this.root.clientWidth < NARROW_PX) this.#togglePanels();
    this.root.tabIndex = -1; // keys work before anything is clicked
    this.root.replaceChildren(bar, this.wide, el("div", { class: "nc-body-row" }, this.side, middle), foot, this.openDialog.node, this.help);
  }

  #watch() {
    const { signal } = this;
    const middle = () => [this.screen.canvas.width / 2, this.screen.canvas.height / 2];
    const offset = (/** @type {number[]} */ place) => place.map((value, index) => value - middle()[index]);
    watchHands(
      this.screen.canvas,
      {
        pan: (dx, dy) => this.#moveCamera((camera) => ({ center: dragged(camera, this.ndisplay, dx, dy) })),
        turn: (dx, dy, roll) => this.#moveCamera((camera) => ({ angles: turned(camera, dx, dy, roll) })),
        zoom: (factor, place) => this.#moveCamera((camera) => zoomed(camera, this.ndisplay, factor, offset(place))),
        turns: () => this.ndisplay === 3,
        step: (steps) => this.dims.step(steps),
        hover: (place) => this.cursor.at(place),
        tool: (event, action, place) => this.#tool(event, action, place),
        toolInUse: () => !this.viewOnly && !LOCAL_TOOLS.has(this.control.known(`layer:${this.layers.active}`).mode),
      },
      signal,
    );
    const active = (/** @type {(layer: string) => void} */ act) => () => this.layers.active && act(this.layers.active);
    const zoom = (/** @type {number} */ factor) => () => this.#moveCamera((camera) => zoomed(camera, this.ndisplay, factor, [0, 0]));
    watchKeys(
      this.root,
      {
        r: () => this.home(), y: () => this.toggleDisplay(), g: () => this.#toggleGrid(), f: () => this.fullScreen(),
        i: () => this.hud.toggle(), s: () => this.screenshot(), o: () => !this.viewOnly && this.openDialog.show(),
        l: () => this.#togglePanels(), "?": () => this.help.showModal(), " ": () => this.dims.togglePlay(),
        "+": zoom(1.2), "=": zoom(1.2), "-": zoom(1 / 1.2),
        ArrowLeft: () => this.dims.step(-1), ArrowRight: () => this.dims.step(1),
        ArrowUp: () => this.dims.use(-1), ArrowDown: () => this.dims.use(1),
        v: active((layer) => this.layers.toggle(layer)), Delete: active((layer) => this.layers.remove(layer)),
      },
      signal,
    );
    let timer = 0;
    const observer = new ResizeObserver(() => {
      clearTimeout(timer);
      // The first size at once, those of a drag at its end.
      timer = window.setTimeout(() => this.#resized(), this.#size[0] ? RESIZE_MS : 0);
    });
    observer.observe(this.stage);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      observer.disconnect();
    });
    // A field that was left shows what is, and not what was typed.
    this.root.addEventListener("focusout", () => this.#renderSoon(), { signal });
    window.addEventListener("pagehide", () => this.session.send({ type: "session.goodbye", reason: "the page was closed" }), { signal });
  }

  #toggleGrid() {
    this.set("view", "grid.enabled", !this.control.known("view")["grid.enabled"]);
  }

  #togglePanels() {
    this.root.classList.toggle("nc-no-side");
  }

  #toggleTheme() {
    const dark = this.root.dataset.theme ? this.root.dataset.theme === "dark" : !matchMedia("(prefers-color-scheme: light)").matches;
    this.root.dataset.theme = dark ? "light" : "dark";
  }

  #renderSoon() {
    this.#rendering ||= requestAnimationFrame(() => {
      this.#rendering = 0;
      this.#render();
    });
  }

  #render() {
    const { control, session } = this;
    const view = control.known("view");
    this.layers.render();
    this.layerControls.render();
    if (control.specs.size || control.ready) this.dims.render();
    setIcon(this.displayButton, this.ndisplay === 2 ? "cube" : "flat", this.ndisplay === 2 ? "Show in 3D (Y)" : "Show in 2D (Y)");
    this.gridButton.setAttribute("aria-pressed", String(view["grid.enabled"] === true));
    this.openButton.disabled = this.viewOnly;
    const host = session.known?.host ?? "";
    this.title.textContent = [session.known?.title || "napari-cuda", host].filter(Boolean).join(" — ");
    this.exactMark.textContent = this.screen.exact ? "exact" : "";
    const trip = session.roundTripMs ? `, ${Math.round(session.roundTripMs)} ms` : "";
    const words = { connecting: "connecting", syncing: "connecting", streaming: `connected${trip}`, reconnecting: "reconnecting", stopped: "not connected" };
    this.connection.textContent = /** @type {Record<string, string>} */ (words)[this.#phase];
    this.#mark();
  }

  /** For whoever drives the page: how it stands, at once. */
  #mark() {
    const { dataset } = this.root;
    dataset.phase = this.#phase;
    dataset.revision = String(this.control.revision);
    dataset.settled = String(this.control.settled);
  }

  /** One line over the picture. @param {string} text */
  #say(text) {
    this.state.textContent = text;
    this.state.hidden = text === "";
  }

  /** @param {string} text what keeps the server's Python; empty: nothing does any more */
  #tellBusy(text) {
    if (text === "") return this.#phase === "streaming" && !this.#awaiting ? this.#stand() : this.#say("Connected; waiting for the picture …");
    this.#say(text);
    if (!this.viewOnly) this.state.append(this.script.interrupt);
  }

  /** One line until there is another picture. @param {string} text */
  #await(text) {
    this.#awaiting = true;
    this.#say(text);
  }

  /** All is well. */
  #stand() {
    this.#awaiting = false;
    this.#say(this.viewOnly ? "View only" : "");
  }

  /** @param {string} text */
  #tellPersistently(text) {
    this.wide.textContent = text;
    this.wide.hidden = false;
  }

  #figures() {
    if (this.#stream === null) return null;
    const quality = this.#quality;
    const coded = quality.coding ? [`${quality.coding}; at most ${(quality.bit_rate / 1e6).toFixed(1)} Mbit/s, window ${quality.window}`] : [];
    const { header } = this.screen;
    return {
      counts: this.#stream.counts,
      lines: [
        ...coded,
        this.#stream.decoderName,
        `round trip ${this.session.roundTripMs.toFixed(0)} ms, revision ${header?.revision ?? "-"}${this.screen.exact ? ", exact" : ""}`,
      ],
    };
  }
}

/**
 * Show a session in an element.
 * @param {HTMLElement} root @param {import("./transport.js").Transport} transport
 * @returns {{dispose: () => void}}
 */
export function mount(root, transport) {
  const app = new App(root, transport);
  app.start();
  return { dispose: () => app.dispose() };
}
