// @ts-check
/** The exact picture, from the parts of its PNG (docs/protocol.md, "Pixels"). */
import { Kind } from "./packet.js";

const SIGNATURE_BYTES = 8;
const MOST_PIXELS = 1 << 27;

/** The parts of a still do not fit together, or are no such PNG. */
export class StillError extends Error {}

/**
 * Where the PNG lies on the canvas: its chunks IHDR and oFFs (absent: 0, 0).
 * @param {Uint8Array} png
 */
export function placeOf(png) {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const place = { left: 0, top: 0, width: 0, height: 0 };
  let at = SIGNATURE_BYTES;
  while (at + 12 <= png.length) {
    const size = view.getUint32(at);
    const kind = String.fromCharCode(...png.subarray(at + 4, at + 8));
    if (kind === "IHDR") {
      place.width = view.getUint32(at + 8);
      place.height = view.getUint32(at + 12);
    } else if (kind === "oFFs") {
      place.left = view.getInt32(at + 8);
      place.top = view.getInt32(at + 12);
    } else if (kind === "IDAT") {
      return place;
    }
    at += 12 + size;
  }
  throw new StillError("the still picture cannot be read as a PNG");
}

/** Collects parts, decodes with the browser's own PNG decoder, and keeps the newest exact picture. */
export class StillDecoder {
  /** @type {Uint8Array<ArrayBuffer>[]} */ #parts = [];
  #hash = 0n;
  /** @type {OffscreenCanvas | null} */ #canvas = null;
  #whole = false;
  /** Stills build on each other: one after the other. */
  #turn = Promise.resolve();
  #generation = 0;

  /**
   * Take in a part; with the last one return a promise of the whole exact picture, else null.
   * @param {import("./packet.js").Header} header @param {Uint8Array<ArrayBuffer>} payload
   * @returns {Promise<OffscreenCanvas> | null}
   */
  add(header, payload) {
    if (header.part === 0) {
      this.#parts = [];
      this.#hash = header.hash;
    }
    if (header.part !== this.#parts.length || header.hash !== this.#hash) {
      this.#parts = [];
      throw new StillError(`part ${header.part} of a still picture came without the parts before it`);
    }
    this.#parts.push(payload);
    if (header.kind === Kind.STILL_PART) return null;
    const parts = this.#parts;
    const generation = this.#generation;
    this.#parts = [];
    const made = this.#turn.then(() => this.#compose(header.canvas, parts, generation));
    this.#turn = made.then(() => undefined, () => undefined);
    return made;
  }

  /** Another connection, or a loss: what comes next builds on nothing. */
  forget() {
    this.#generation += 1;
    this.#parts = [];
    this.#whole = false;
  }

  /** @param {[number, number]} size @param {Uint8Array[]} parts @param {number} generation */
  async #compose([width, height], parts, generation) {
    if (width * height > MOST_PIXELS) throw new StillError(`a still of ${width} x ${height} is larger than any canvas`);
    const png = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      png.set(part, at);
      at += part.length;
    }
    const place = placeOf(png);
    const image = await createImageBitmap(new Blob([png], { type: "image/png" }), {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
    if (generation !== this.#generation) throw new StillError("the still picture is of another connection");
    const complete = place.width === width && place.height === height;
    const before = this.#canvas;
    const fits = before !== null && this.#whole && before.width === width && before.height === height;
    if (!complete && !fits) throw new StillError("the still picture tells differences from one that is not here");
    // A canvas of its own for each: the one before may still be on screen.
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (context === null) throw new StillError("no canvas to compose the still picture on");
    if (!complete && before !== null) context.drawImage(before, 0, 0);
    context.drawImage(image, place.left, place.top);
    image.close();
    this.#canvas = canvas;
    this.#whole = true;
    return canvas;
  }
}
