// @ts-check
/** H.264 through WebCodecs: hardware first, software when that fails. */
import { codecOf } from "./packet.js";

const STALLED_MS = 1000;
const LIKELY = "avc1.64002a";
const FULL_COLOR = "avc1.f4002a";

/**
 * What this browser decodes here; null if it has no WebCodecs.
 * @returns {Promise<{hardware: boolean, fullColor: boolean} | null>}
 */
export async function decoderSupport() {
  if (typeof VideoDecoder === "undefined" || typeof EncodedVideoChunk === "undefined") return null;
  const [hardware, software, fullColor] = await Promise.all([
    supported(LIKELY, "prefer-hardware"),
    supported(LIKELY, "no-preference"),
    supported(FULL_COLOR, "prefer-software"),
  ]);
  return hardware || software ? { hardware, fullColor } : null;
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
