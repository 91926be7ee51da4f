// @ts-check
/** The viewer: session, stream and controls, wired; `mount` puts one into an element. */
import { ControlState } from "./control.js";
import { LayerControls, SceneControls } from "./controls.js";
import { Cursor } from "./cursor.js";
import { decoderSupport } from "./decoder.js";
import { DimsBar } from "./dims.js";
import { OpenDialog } from "./files.js";
import { Frame } from "./frame.js";
import { watchKeys } from "./hands.js";
import { LayerList } from "./layers.js";
import { helpSheet, Hud, Notes, whyCompatible } from "./panels.js";
import { ScriptControls } from "./script.js";
import { Session } from "./session.js";
import { Stage } from "./stage.js";
import { PixelStream } from "./stream.js";

const FLUSH_MS = 1000 / 120;
const HEAL_MS = 10000;

/** @typedef {Record<string, any> & {type: string}} Message */

export class App {
  control = new ControlState();
  /** What the controls are made from. @type {{properties: any[], colormaps: Record<string, number[][]>, looks: string[], actions: Record<string, string[]>, port: number}} */
  facts = { properties: [], colormaps: {}, looks: [], actions: {}, port: 0 };
  #life = new AbortController();
  signal = this.#life.signal;
  /** @type {PixelStream | null} */ #stream = null;
  /** @type {Message} */ #quality = { type: "" };
  #role = "control";
  #rendering = 0;
  #flushedMs = -Infinity;
  #flushTimer = 0;
  phase = "connecting";
  /** When a message could not be shown: a snapshot mends that. */ #healedMs = -Infinity;

  /** @param {HTMLElement} root @param {import("./transport.js").Transport} transport */
  constructor(root, transport) {
    this.root = root;
    this.transport = transport;
    const { signal } = this;
    this.stage = new Stage(this);
    this.layers = new LayerList(this);
    this.layerControls = new LayerControls(this);
    this.sceneControls = new SceneControls(this);
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
    this.frame = new Frame(this);
    this.control.onChange = (target) => {
      this.#mark();
      if (target === "camera" || target === "view") this.stage.screen.redraw();
      this.renderSoon();
    };
    this.stage.screen.onDrawn = (header) => {
      this.#stream?.ack(header);
      if (this.phase === "streaming") this.frame.pictureCame();
      this.renderSoon();
    };
    this.stage.screen.onWrong = () => this.#stream?.requestKeyframe("the exact picture is not what the server rendered");
    this.stage.watch();
    this.#watch();
  }

  /** Connect. */
  async start() {
    let support;
    try {
      [this.facts, support] = await Promise.all([this.transport.get("page.json"), decoderSupport()]);
    } catch (error) {
      return this.#ended(error instanceof Error ? error.message : String(error));
    }
    if (this.signal.aborted) return;
    const noVideo = () => this.frame.tellPersistently(whyCompatible(window.isSecureContext, location.hostname, this.facts.port));
    if (!support.video) noVideo();
    this.#stream = new PixelStream(
      this.transport,
      {
        show: (picture) => this.stage.screen.show(picture),
        unchanged: (header) => this.stage.screen.unchanged(header),
        lost: (reason) => {
          if (this.phase === "streaming") this.frame.await(`No new pictures: ${reason} — trying again …`);
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
    if (this.control.set(target, name, value)) this.flushSoon();
  }

  /** @param {string} name @param {Record<string, any>} args */
  command(name, args = {}) {
    if (this.viewOnly && !this.facts.looks.includes(name)) return this.#mayOnlyLook();
    this.control.command(name, args);
    this.#mark();
    this.flushSoon();
  }

  #mayOnlyLook() {
    this.notes.say("You may only look here: to change things, open the control address that the server printed.");
    this.renderSoon();
  }

  flushSoon() {
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
    if (intents.some((intent) => intent.type !== "input.pointer")) this.stage.screen.stirred();
  }

  // --- what the server says -------------------------------------------------------------

  /** @param {Message} welcome @param {Message | null} known */
  #welcomed(welcome, known) {
    this.#role = welcome.role ?? "control";
    this.phase = "syncing";
    if (known === null) this.frame.say("Connected; waiting for the scene …");
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
    this.renderSoon();
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
        return this.flushSoon();
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
        return this.frame.tellBusy(message.text);
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
    this.phase = "streaming";
    if (this.#stream === null) this.frame.stand();
    else this.frame.await("Connected; waiting for the picture …");
    this.render(); // sliders take their room before the canvas is measured
    this.stage.resized();
    if (whole) this.stage.sendSize();
    this.flush();
  }

  /** @param {string} reason */
  #lost(reason) {
    this.phase = "reconnecting";
    this.control.disconnected();
    this.stage.screen.stirred();
    this.#stream?.drop();
    this.frame.say(`Disconnected: ${reason} — trying again …`);
    this.renderSoon();
  }

  /** @param {string} reason */
  #ended(reason) {
    this.phase = "stopped";
    this.control.disconnected();
    this.#stream?.drop();
    this.frame.say(`Not connected: ${reason} — reload the page to try again`);
    this.renderSoon();
  }

  // --- the page -------------------------------------------------------------------------

  #watch() {
    const { signal, stage } = this;
    const active = (/** @type {(layer: string) => void} */ act) => () => this.layers.active && act(this.layers.active);
    watchKeys(
      this.root,
      {
        r: () => stage.home(), y: () => this.toggleDisplay(), g: () => this.toggleGrid(), f: () => this.frame.fullScreen(),
        i: () => this.hud.toggle(), s: () => stage.screenshot(), o: () => !this.viewOnly && this.openDialog.show(),
        l: () => this.frame.togglePanels(), "?": () => this.help.showModal(), " ": () => this.dims.togglePlay(),
        "+": () => stage.zoom(1.2), "=": () => stage.zoom(1.2), "-": () => stage.zoom(1 / 1.2),
        ArrowLeft: () => this.dims.step(-1), ArrowRight: () => this.dims.step(1),
        ArrowUp: () => this.dims.use(-1), ArrowDown: () => this.dims.use(1),
        v: active((layer) => this.layers.toggle(layer)), Delete: active((layer) => this.layers.remove(layer)),
        "Ctrl+z": active(() => this.layerControls.act("undo")), "Ctrl+Shift+z": active(() => this.layerControls.act("redo")),
        Escape: active(() => this.layerControls.use("pan_zoom")),
      },
      signal,
    );
    // A field that was left shows what is, and not what was typed.
    this.root.addEventListener("focusout", () => this.renderSoon(), { signal });
    window.addEventListener("pagehide", () => this.session.send({ type: "session.goodbye", reason: "the page was closed" }), { signal });
  }

  toggleDisplay() {
    this.set("view", "ndisplay", this.ndisplay === 2 ? 3 : 2);
  }

  toggleGrid() {
    this.set("view", "grid.enabled", !this.control.known("view")["grid.enabled"]);
  }

  renderSoon() {
    this.#rendering ||= requestAnimationFrame(() => {
      this.#rendering = 0;
      this.render();
    });
  }

  render() {
    this.layers.render();
    this.layerControls.render();
    this.sceneControls.render();
    if (this.control.specs.size || this.control.ready) this.dims.render();
    this.stage.render();
    this.frame.render();
    this.#mark();
  }

  /** For whoever drives the page: how it stands, at once. */
  #mark() {
    const { dataset } = this.root;
    dataset.phase = this.phase;
    dataset.revision = String(this.control.revision);
    dataset.settled = String(this.control.settled);
  }

  #figures() {
    if (this.#stream === null) return null;
    const quality = this.#quality;
    const coded = quality.coding ? [`${quality.coding}; at most ${(quality.bit_rate / 1e6).toFixed(1)} Mbit/s, window ${quality.window}`] : [];
    const { header, exact } = this.stage.screen;
    return {
      counts: this.#stream.counts,
      lines: [
        ...coded,
        this.#stream.decoderName,
        `round trip ${this.session.roundTripMs.toFixed(0)} ms, revision ${header?.revision ?? "-"}${exact ? ", exact" : ""}`,
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
