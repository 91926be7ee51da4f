// @ts-check
/** The canvas: the newest picture, drawn where the camera here sees it. */
import { difference } from "./camera.js";
import { SHORTEST_DIGEST, xxh3 } from "./digest.js";
import { el } from "./dom.js";

/** @typedef {import("./stream.js").Picture} Picture */
/**
 * @typedef {object} View what the page shows now
 * @property {import("./camera.js").Camera} camera
 * @property {number} ndisplay
 * @property {boolean} own whether the server draws for this canvas, and not for another window's
 * @property {boolean} gridded whether napari's grid is on: each cell moves by itself, which only the server draws
 * @property {string} background
 */

export class Screen {
  /** Of the picture on the canvas. @type {import("./packet.js").Header | null} */ header = null;
  exact = false;
  /** A picture is on the canvas. @type {(header: import("./packet.js").Header) => void} */ onDrawn = () => undefined;
  /** A still is not the picture that the server rendered. @type {() => void} */ onWrong = () => undefined;
  /** @type {() => View | null} */ view = () => null;
  /** @type {HTMLCanvasElement} */ canvas;
  #context;
  /** @type {Picture | null} */ #picture = null;
  /** A picture with a margin, under one without. @type {Picture | null} */ #wide = null;
  #undrawn = false;
  #asked = 0;
  /** Of pictures that are no more; as many as are shown at once. @type {OffscreenCanvas[]} */ #spare = [];
  #verified = -1n;

  /** @param {AbortSignal} signal */
  constructor(signal) {
    this.canvas = el("canvas", { class: "nc-canvas", tabIndex: 0, role: "application", "aria-label": "The scene; ? lists keys and gestures" });
    const context = this.canvas.getContext("2d", { alpha: false });
    if (context === null) throw new Error("this browser gives no canvas to draw on");
    this.#context = context;
    document.addEventListener("visibilitychange", () => this.#undrawn && this.draw(), { signal });
    signal.addEventListener("abort", () => {
      this.#picture?.close();
      this.#wide?.close();
      cancelAnimationFrame(this.#asked);
    });
  }

  /** The exact picture, if that is what is shown. @returns {OffscreenCanvas | null} */
  get exactPicture() {
    return this.exact && this.#picture?.image instanceof OffscreenCanvas ? this.#picture.image : null;
  }

  /** Draw another picture, now; while nobody sees the page, when somebody does. @param {Picture} coming */
  show(coming) {
    const picture = this.#converted(coming);
    const before = this.#picture;
    this.#picture = picture;
    // Under an exact picture the wide one of the same scene stays, and under nothing else.
    const changed = before !== null && before.exact && before.header.hash !== picture.header.hash;
    if (!picture.exact || changed) this.#keepWide(null);
    if (before !== null && picture.exact && before.header.margin > 0) this.#keepWide(before);
    else before?.close();
    this.#undrawn = true;
    if (!document.hidden) this.draw();
  }

  /** What is shown is also the picture of this revision. @param {import("./packet.js").Header} header */
  unchanged(header) {
    if (this.#picture === null) return;
    const own = this.#picture.header;
    this.#picture.header = { ...header, canvas: own.canvas, coded: own.coded, margin: own.margin, hash: own.hash };
    this.#undrawn = true;
    if (!document.hidden) this.draw();
  }

  /** The user did something: what is shown is not the last word. */
  stirred() {
    this.exact = false;
    delete this.canvas.dataset.exact;
  }

  /** Have the picture placed anew with the next frame of the page. */
  redraw() {
    this.#asked ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.#asked);
    this.#asked = 0;
    const picture = this.#picture;
    const view = this.view();
    if (picture === null || view === null) return;
    const { canvas } = this;
    this.#context.fillStyle = view.background;
    const place = this.#placed(picture, view);
    if (!covers(place, canvas)) {
      this.#context.fillRect(0, 0, canvas.width, canvas.height);
      if (this.#wide !== null) this.#paint(this.#wide, this.#placed(this.#wide, view));
    }
    this.#paint(picture, place);
    if (this.#undrawn) this.#drawn(picture);
  }

  /**
   * A decoder's frame as a canvas, and the frame free for the decoder. Drawing a frame converts its colours, each time
   * anew (5 to 11 ms of 720p), and while a hand moves the camera a picture is drawn several times.
   * @param {Picture} picture @returns {Picture}
   */
  #converted(picture) {
    if (typeof VideoFrame === "undefined" || !(picture.image instanceof VideoFrame)) return picture;
    const [width, height] = picture.source;
    const canvas = this.#spare.pop() ?? new OffscreenCanvas(width, height);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d", { alpha: false })?.drawImage(picture.image, 0, 0, width, height, 0, 0, width, height);
    picture.close();
    return { ...picture, image: canvas, close: () => this.#spare.push(canvas) };
  }

  /** @param {Picture | null} picture */
  #keepWide(picture) {
    if (this.#wide !== null && this.#wide !== this.#picture) this.#wide.close();
    this.#wide = picture;
  }

  /** @param {Picture} picture */
  #drawn(picture) {
    this.#undrawn = false;
    const { header } = picture;
    const { dataset } = this.canvas;
    this.header = header;
    dataset.seq = String(header.seq);
    dataset.revision = String(header.revision);
    dataset.input = String(header.inputId);
    this.onDrawn(header);
    const resting = picture.exact && header.atRest;
    if (resting && this.#verified !== header.hash) this.#verify(picture);
    this.exact = resting && this.#verified === header.hash;
    if (this.exact) dataset.exact = String(header.revision);
    else delete dataset.exact;
  }

  /** Hash the picture: 25 ms of a 720p canvas, spent once it is on screen. @param {Picture} picture */
  #verify(picture) {
    const image = /** @type {OffscreenCanvas} */ (picture.image);
    const rgba = image.getContext("2d")?.getImageData(0, 0, image.width, image.height).data;
    if (!rgba || rgba.length < SHORTEST_DIGEST) return;
    if (xxh3(rgba) === picture.header.hash) this.#verified = picture.header.hash;
    else this.onWrong();
  }

  /**
   * Where a picture's canvas goes: [left, top, scale].
   * @param {Picture} picture @param {View} view @returns {{left: number, top: number, width: number, height: number}}
   */
  #placed(picture, view) {
    const { header } = picture;
    const [width, height] = header.canvas;
    const box = this.canvas;
    const fit = view.own ? 1 : Math.min(box.width / width, box.height / height);
    let left = Math.floor((box.width - width * fit) / 2);
    let top = Math.floor((box.height - height * fit) / 2);
    let scale = fit;
    const moved = difference(header.camera, view.camera, view.ndisplay);
    if (!moved.turned && !view.gridded) {
      const middle = [box.width / 2, box.height / 2];
      left = middle[0] + moved.pan[0] * fit + moved.zoom * (left - middle[0]);
      top = middle[1] + moved.pan[1] * fit + moved.zoom * (top - middle[1]);
      scale = fit * moved.zoom;
    }
    // What falls between two pixels by rounding only is drawn pixel for pixel.
    const exactly = [left, top].map((value) => (Math.abs(value - Math.round(value)) < 1e-4 ? Math.round(value) : value));
    const margin = header.margin * scale;
    return {
      left: exactly[0] - margin, top: exactly[1] - margin, width: width * scale + 2 * margin, height: height * scale + 2 * margin,
    };
  }

  /** @param {Picture} picture @param {{left: number, top: number, width: number, height: number}} at */
  #paint(picture, at) {
    const [width, height] = picture.source;
    const whole = at.width === width && Number.isInteger(at.left) && Number.isInteger(at.top);
    this.#context.imageSmoothingEnabled = !whole;
    this.#context.drawImage(picture.image, 0, 0, width, height, at.left, at.top, at.width, at.height);
  }
}

/** @param {{left: number, top: number, width: number, height: number}} at @param {HTMLCanvasElement} canvas */
function covers(at, canvas) {
  return at.left <= 0 && at.top <= 0 && at.left + at.width >= canvas.width && at.top + at.height >= canvas.height;
}
