// @ts-check
/** Pictures of a stream: H.264 through WebCodecs, hardware first, software when that fails; without it JPEG. */
import { codecOf } from "./packet.js";

const STALLED_MS = 1000;
const LIKELY = "avc1.64002a";
const FULL_COLOR = "avc1.f4002a";
/** One access unit of 64 x 64 pixels, all of this grey; in full range, which it says. */
const SAMPLE = "AAABZ0LAINoQmm4CAgKAAAADAIAAAB5HjBlQAAABaM4wjIAAAAFliIQKomKAAJb0nJydddddddddddde";
const SAMPLE_GREY = 224;
/** So much too light is what a decoder makes of it that takes it for limited range: 242, less what one rounds. */
const TOO_LIGHT = 9;
const SAMPLE_WITHIN_MS = 1000;

/**
 * What this browser decodes here, and so what is asked for. `video`: H.264, else JPEG; `fullRange`: it sees that a stream is.
 * @typedef {{video: boolean, hardware: boolean, fullColor: boolean, fullRange: boolean}} Support
 */
/**
 * What both decoders do: one access unit in, one picture out.
 * @typedef {object} Decoder
 * @property {string} name in words, for the figures
 * @property {(unit: Uint8Array<ArrayBuffer>, keyframe: boolean, id: number, now: number) => void} decode `id` comes back with the picture; ms
 * @property {(now: number) => void} tick time passed
 * @property {() => void} reset forget what is under way
 */

/** @returns {Promise<Support>} */
export async function decoderSupport() {
  const none = { video: false, hardware: false, fullColor: false, fullRange: true };
  if (typeof VideoDecoder === "undefined" || typeof EncodedVideoChunk === "undefined") return none;
  const [hardware, software, fullColor, fullRange] = await Promise.all([
    supported(LIKELY, "prefer-hardware"),
    supported(LIKELY, "no-preference"),
    supported(FULL_COLOR, "prefer-software"),
    keepsFullRange(),
  ]);
  return hardware || software ? { video: true, hardware, fullColor, fullRange } : none;
}

/** @param {string} codec @param {HardwareAcceleration} hardwareAcceleration */
async function supported(codec, hardwareAcceleration) {
  try {
    const answer = await VideoDecoder.isConfigSupported({ codec, hardwareAcceleration, optimizeForLatency: true });
    return answer.supported === true;
  } catch {
    return false;
  }
}

/** Decode a sample and look: Firefox reads everything as limited range. True if that cannot be found out. */
async function keepsFullRange() {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  const unit = Uint8Array.from(atob(SAMPLE), (letter) => letter.charCodeAt(0));
  let grey = SAMPLE_GREY;
  const decoder = new VideoDecoder({
    output: (frame) => {
      context?.drawImage(frame, 0, 0);
      grey = context?.getImageData(0, 0, 1, 1).data[0] ?? SAMPLE_GREY;
      frame.close();
    },
    error: () => undefined,
  });
  try {
    decoder.configure({ codec: codecOf(unit), optimizeForLatency: true });
    decoder.decode(new EncodedVideoChunk({ type: "key", timestamp: 0, data: unit }));
    await Promise.race([decoder.flush(), new Promise((resolve) => setTimeout(resolve, SAMPLE_WITHIN_MS))]);
  } catch {
    return true;
  } finally {
    if (decoder.state !== "closed") decoder.close();
  }
  return grey < SAMPLE_GREY + TOO_LIGHT;
}

/** One access unit in, one picture out. */
export class LiveDecoder {
  /** @type {VideoDecoder | null} */ #decoder = null;
  #codec = "";
  #hardware;
  #pending = new Map();
  #output;
  #failed;

  /**
   * @param {boolean} hardware whether to try that first
   * @param {(id: number, frame: VideoFrame) => void} output
   * @param {(reason: string) => void} failed what was given is lost: a keyframe is needed
   */
  constructor(hardware, output, failed) {
    this.#hardware = hardware;
    this.#output = output;
    this.#failed = failed;
  }

  /** In words, for the figures. */
  get name() {
    return `WebCodecs, ${this.#hardware ? "hardware" : "software"}${this.#codec ? `, ${this.#codec}` : ""}`;
  }

  /**
   * @param {Uint8Array} unit @param {boolean} keyframe @param {number} id comes back with the picture
   * @param {number} now ms
   */
  decode(unit, keyframe, id, now) {
    if (keyframe) this.#prepare(codecOf(unit) || this.#codec);
    const decoder = this.#decoder;
    if (decoder === null || decoder.state !== "configured") return this.#fail("no decoder");
    this.#pending.set(id, now);
    try {
      decoder.decode(new EncodedVideoChunk({ type: keyframe ? "key" : "delta", timestamp: id, data: unit }));
    } catch (error) {
      this.#fail(String(error));
    }
  }

  /** Time passed: hardware that gives nothing is given up. @param {number} now ms */
  tick(now) {
    const oldest = this.#pending.values().next();
    if (!oldest.done && this.#hardware && now - oldest.value > STALLED_MS) this.#fail("the decoder gives no pictures");
  }

  /** Forget what is under way. */
  reset() {
    this.#pending.clear();
    if (this.#decoder !== null && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
  }

  /** @param {string} codec */
  #prepare(codec) {
    if (this.#decoder !== null && this.#decoder.state === "configured" && codec === this.#codec) return;
    this.reset();
    this.#codec = codec;
    const decoder = new VideoDecoder({
      output: (frame) => {
        this.#pending.delete(frame.timestamp);
        this.#output(frame.timestamp, frame);
      },
      error: (error) => {
        if (decoder === this.#decoder) this.#fail(error.message);
      },
    });
    this.#decoder = decoder;
    try {
      decoder.configure({
        codec,
        optimizeForLatency: true,
        // Of 4:4:4 only software is known to do it.
        hardwareAcceleration: this.#hardware && !codec.startsWith("avc1.f4") ? "prefer-hardware" : "prefer-software",
      });
    } catch (error) {
      this.#fail(String(error));
    }
  }

  /** @param {string} reason */
  #fail(reason) {
    this.#hardware = false;
    this.reset();
    this.#failed(reason);
  }
}

/** JPEG through the browser's own decoder of images. */
export class JpegDecoder {
  name = "JPEG";
  /** Pictures of an earlier stream are not wanted any more. */ #generation = 0;
  #output;
  #failed;

  /** @param {(id: number, image: ImageBitmap) => void} output @param {(reason: string) => void} failed */
  constructor(output, failed) {
    this.#output = output;
    this.#failed = failed;
  }

  /** @param {Uint8Array<ArrayBuffer>} unit @param {boolean} _keyframe @param {number} id */
  decode(unit, _keyframe, id) {
    const generation = this.#generation;
    createImageBitmap(new Blob([unit], { type: "image/jpeg" }), { colorSpaceConversion: "none" }).then(
      (image) => {
        if (generation === this.#generation) this.#output(id, image);
        else image.close();
      },
      (error) => {
        if (generation === this.#generation) this.#failed(String(error));
      },
    );
  }

  tick() {}

  reset() {
    this.#generation += 1;
  }
}
