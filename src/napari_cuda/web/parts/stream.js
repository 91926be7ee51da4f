// @ts-check
/** The pixel socket of one viewer: packets through the gate to the decoders, pictures out in order, acks back. */
import { Backoff } from "./backoff.js";
import { JpegDecoder, LiveDecoder } from "./decoder.js";
import { StreamGate } from "./gate.js";
import { Kind, PacketError, parsePacket } from "./packet.js";
import { StillDecoder } from "./still.js";

/**
 * A picture to be shown. The top left `source` [width, height] pixels of `image` are the canvas with its margin.
 * @typedef {{image: CanvasImageSource, source: number[], header: import("./packet.js").Header, exact: boolean, close: () => void}} Picture
 */
/**
 * A picture that is being decoded; `headers` are its own and those that say "unchanged" of it.
 * @typedef {{headers: import("./packet.js").Header[], epoch: number}} Coming
 */
/**
 * @typedef {object} StreamHost
 * @property {(picture: Picture) => void} show have it drawn; `drawn` of the stream follows
 * @property {(header: import("./packet.js").Header) => void} unchanged what is shown is also of this revision
 * @property {(reason: string) => void} lost the socket is gone, and will be opened again
 * @property {() => void} noVideo the decoder that was promised does not work: JPEG is asked for instead
 */

/** A decoder that fails so often, and shows nothing in between, will not recover. */
const MOST_FAILURES = 3;

/** Figures that the HUD shows. */
export class StreamCounts {
  packets = 0;
  bytes = 0;
  shown = 0;
  dropped = 0;
  skipped = 0;
  keyframeRequests = 0;
  stills = 0;
}

export class PixelStream {
  counts = new StreamCounts();
  #gate = new StreamGate();
  #still = new StillDecoder();
  /** @type {import("./decoder.js").Decoder} */ #decoder;
  #failures = 0;
  #backoff = new Backoff();
  /** @type {Map<number, Coming>} */ #coming = new Map();
  #ids = 0;
  /** When packets arrived, by number: so many are under way at most. @type {Map<number, number>} */
  #receivedMs = new Map();
  /** @type {import("./transport.js").Channel | null} */ #channel = null;
  #viewer = "";
  #openedMs = 0;
  #timer = 0;
  #watch;
  #disposed = false;

  /**
   * @param {import("./transport.js").Transport} transport @param {StreamHost} host
   * @param {import("./decoder.js").Support} support
   */
  constructor(transport, host, support) {
    this.transport = transport;
    this.host = host;
    this.support = support;
    this.#decoder = this.#newDecoder();
    this.#watch = setInterval(() => this.#decoder.tick(performance.now()), 250);
  }

  get decoderName() {
    return this.#decoder.name;
  }

  /** Receive the pictures of a viewer whose session is open. @param {string} viewer */
  follow(viewer) {
    this.#viewer = viewer;
    this.#open();
  }

  #newDecoder() {
    const decoded = (/** @type {number} */ id, /** @type {VideoFrame | ImageBitmap} */ image) => this.#decoded(id, image);
    const failed = (/** @type {string} */ reason) => this.#decoderFailed(reason);
    return this.support.video ? new LiveDecoder(this.support.hardware, decoded, failed) : new JpegDecoder(decoded, failed);
  }

  /** The session is lost: its pixel connection is of no more use. */
  drop() {
    clearTimeout(this.#timer);
    this.#channel?.close();
    this.#channel = null;
  }

  dispose() {
    this.#disposed = true;
    clearInterval(this.#watch);
    this.drop();
    this.#clear();
  }

  /** A picture is on the canvas: tell the server, so that the next may come. @param {import("./packet.js").Header} header */
  ack(header) {
    const now = performance.now();
    const received = this.#receivedMs.get(header.seq & 255) ?? now;
    this.#send({
      type: "pixel.ack",
      seq: header.seq,
      received_us: Math.max(1, Math.round(1e3 * received)),
      held_us: Math.max(0, Math.round(1e3 * (now - received))),
    });
  }

  /** The canvas does not show what the server rendered, or a decoder cannot go on. @param {string} reason */
  requestKeyframe(reason) {
    this.counts.keyframeRequests += 1;
    this.#send({ type: "pixel.keyframe", reason });
  }

  #open() {
    this.drop();
    if (this.#disposed) return;
    const { video, fullColor, fullRange } = this.support;
    const coding = video ? (fullRange ? "h264" : "h264-limited") : "jpeg";
    const query = { viewer: this.#viewer, overlays: "1", coding, ...(fullColor ? { color: "full" } : {}) };
    /** @type {import("./transport.js").Channel} */
    const channel = this.transport.open("ws/pixels", query, {
      opened: () => {
        if (channel !== this.#channel) return;
        this.#gate.reconnected();
        this.#clear();
        this.#openedMs = performance.now();
      },
      received: (data) => {
        if (channel === this.#channel && data instanceof ArrayBuffer) this.#received(data);
      },
      closed: (ending) => {
        if (channel !== this.#channel || this.#disposed) return;
        this.#channel = null;
        const lasted = this.#openedMs ? performance.now() - this.#openedMs : 0;
        this.#openedMs = 0;
        this.host.lost(ending.reason);
        this.#timer = window.setTimeout(() => this.#open(), this.#backoff.pauseMs(lasted));
      },
    });
    this.#channel = channel;
  }

  #clear() {
    this.#coming.clear();
    this.#receivedMs.clear();
    this.#decoder.reset();
    this.#still.forget();
  }

  /** @param {object} message */
  #send(message) {
    this.#channel?.send(JSON.stringify(message));
  }

  /** @param {ArrayBuffer} message */
  #received(message) {
    const now = performance.now();
    this.counts.packets += 1;
    this.counts.bytes += message.byteLength;
    let packet;
    try {
      packet = parsePacket(message);
    } catch (error) {
      if (!(error instanceof PacketError)) throw error;
      // It will never be presented: without a word the server would wait for its ack.
      return this.requestKeyframe("malformed packet");
    }
    const verdict = this.#gate.admit(packet.header, now);
    if (verdict !== "admit") {
      this.counts.dropped += 1;
      if (verdict === "request") this.requestKeyframe("gap in the stream");
      return;
    }
    this.#receivedMs.set(packet.header.seq & 255, now);
    this.#admitted(packet.header, packet.payload, now);
  }

  /** @param {import("./packet.js").Header} header @param {Uint8Array<ArrayBuffer>} payload @param {number} now */
  #admitted(header, payload, now) {
    if (header.kind === Kind.ACCESS_UNIT) {
      this.#decoder.decode(payload, header.keyframe, this.#expect(header), now);
    } else if (header.kind === Kind.UNCHANGED) {
      const newest = [...this.#coming.values()].at(-1);
      if (newest) newest.headers.push(header);
      else this.host.unchanged(header);
    } else {
      this.#takeStill(header, payload);
    }
  }

  /** A picture of this packet will come; return its number. @param {import("./packet.js").Header} header */
  #expect(header) {
    this.#ids += 1;
    this.#coming.set(this.#ids, { headers: [header], epoch: this.#gate.admittedEpoch });
    return this.#ids;
  }

  /** @param {import("./packet.js").Header} header @param {Uint8Array<ArrayBuffer>} payload */
  #takeStill(header, payload) {
    const epoch = this.#gate.admittedEpoch;
    try {
      const made = this.#still.add(header, payload);
      if (made === null) return this.ack(header);
      const id = this.#expect(header);
      made.then(
        (canvas) => {
          this.counts.stills += 1;
          this.#ready(id, canvas, true, () => undefined);
        },
        (error) => {
          if (this.#coming.delete(id)) this.#lost(header.seq, epoch, String(error));
        },
      );
    } catch (error) {
      this.#lost(header.seq, epoch, String(error));
    }
  }

  /** @param {number} id @param {VideoFrame | ImageBitmap} frame */
  #decoded(id, frame) {
    this.#failures = 0;
    if (!this.#ready(id, frame, false, () => frame.close())) frame.close();
  }

  /**
   * A picture is there: what was to come before it is skipped. False if it is not wanted any more.
   * @param {number} id @param {CanvasImageSource} image @param {boolean} exact @param {() => void} close
   */
  #ready(id, image, exact, close) {
    const coming = this.#coming.get(id);
    if (!coming) return false;
    for (const earlier of [...this.#coming.keys()].filter((key) => key <= id)) {
      this.#coming.delete(earlier);
      this.counts.skipped += Number(earlier < id);
    }
    this.counts.shown += 1;
    const newest = coming.headers[coming.headers.length - 1];
    const own = coming.headers[0];
    // "Unchanged" speaks of revision, camera and rest; what the picture's size is its own packet says.
    const header = { ...newest, canvas: own.canvas, coded: own.coded, margin: own.margin, hash: own.hash };
    const full = header.canvas.map((side) => side + 2 * header.margin);
    // A JPEG of less detail comes as small as it was drawn.
    const source = exact || this.support.video ? full : header.coded;
    this.host.show({ image, source, header, exact, close });
    return true;
  }

  /** @param {string} reason */
  #decoderFailed(reason) {
    const [oldest] = this.#coming.values();
    this.#coming.clear();
    this.#failures += 1;
    if (this.support.video && this.#failures > MOST_FAILURES) return this.#giveUpVideo();
    if (oldest) this.#lost(oldest.headers[0].seq, oldest.epoch, reason);
  }

  #giveUpVideo() {
    this.support = { ...this.support, video: false };
    this.#decoder.reset();
    this.#decoder = this.#newDecoder();
    this.host.noVideo();
    this.#open();
  }

  /** @param {number} seq @param {number} epoch @param {string} reason */
  #lost(seq, epoch, reason) {
    if (this.#gate.lost(seq, epoch, performance.now())) this.requestKeyframe(reason.slice(0, 200));
  }
}
