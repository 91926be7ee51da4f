// @ts-check
/** StreamGate: which packets the decoder may see, and when to ask for a keyframe; as `client/playout/gate.py`. */
import { Kind } from "./packet.js";

const SEQ_HALF = 0x80000000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 8000;

/** The rows of the table in docs/protocol.md: state -> event -> [next state, packet is admitted (null: no packet)]. */
export const GATE_ROWS = Object.freeze({
  closed: {
    reconnect: ["closed", null], loss: ["closed", null], "new epoch": ["closed", null],
    keyframe: ["open", true], delta: ["closed", false], "part of a still": ["closed", true],
    still: ["holding", true], unchanged: ["closed", false],
  },
  holding: {
    reconnect: ["closed", null], loss: ["closed", null], "new epoch": ["holding", null],
    keyframe: ["open", true], delta: ["closed", false], "part of a still": ["holding", true],
    still: ["holding", true], unchanged: ["holding", true],
  },
  open: {
    reconnect: ["closed", null], loss: ["closed", null], "new epoch": ["holding", null],
    keyframe: ["open", true], delta: ["open", true], "part of a still": ["open", true],
    still: ["open", true], unchanged: ["open", true],
  },
});

/**
 * How far `seq` is ahead of `reference` (negative: behind), counting modulo 2^32.
 * @param {number} seq @param {number} reference
 */
export function seqDistance(seq, reference) {
  return ((seq - reference + SEQ_HALF) >>> 0) - SEQ_HALF;
}

/** Guards a stream over all its connections. `now` is any clock in milliseconds that only runs forward. */
export class StreamGate {
  state = /** @type {keyof typeof GATE_ROWS} */ ("closed");
  /** Epoch of the packet admitted last, counted on and on over all connections. */
  admittedEpoch = 1;
  #epoch = 1;
  #firstEpoch = 1;
  /** @type {number | null} */ #nextSeq = null;
  /** @type {number | null} */ #serverEpoch = null;
  /** @type {number | null} */ #keyframeSeq = null;
  #againMs = -Infinity;
  #retryMs = FIRST_RETRY_MS;

  /**
   * What to do with a packet: "admit", "drop", or "request" (drop, and ask for a keyframe).
   * @param {import("./packet.js").Header} header @param {number} now
   */
  admit(header, now) {
    const missing = this.#nextSeq === null ? 0 : seqDistance(header.seq, this.#nextSeq);
    if (missing < 0) return "drop";
    this.#nextSeq = (header.seq + 1) >>> 0;
    if (missing > 0) this.#step("loss");
    if (this.#serverEpoch !== null && header.epoch < this.#serverEpoch) return "drop";
    if (header.epoch !== this.#serverEpoch) {
      if (this.#serverEpoch !== null) this.#epoch += 1;
      this.#serverEpoch = header.epoch;
      this.#step("new epoch");
    }
    this.admittedEpoch = this.#epoch;
    const admitted = this.#step(eventOf(header));
    if (header.kind === Kind.ACCESS_UNIT && header.keyframe) {
      this.#keyframeSeq = header.seq;
      this.#answered();
    }
    if (admitted) return "admit";
    return this.#due(now) ? "request" : "drop";
  }

  /**
   * A decoder could not show packet `seq` of `epoch` (ours): true if a keyframe is to be requested now.
   * @param {number} seq @param {number} epoch @param {number} now
   */
  lost(seq, epoch, now) {
    const passed = this.#keyframeSeq !== null && seqDistance(this.#keyframeSeq, seq) > 0;
    if (epoch !== this.#epoch || passed) return false;
    this.#epoch += 1;
    this.#step("loss");
    return this.#due(now);
  }

  /** A new connection begins: its packets and the server's epochs count from anew. */
  reconnected() {
    this.#step("reconnect");
    this.#nextSeq = this.#serverEpoch = this.#keyframeSeq = null;
    this.#epoch += 1;
    this.#firstEpoch = this.#epoch;
    this.#answered();
  }

  /** True if an epoch (ours) is one of the present connection. @param {number} epoch */
  isCurrent(epoch) {
    return epoch >= this.#firstEpoch;
  }

  #answered() {
    this.#againMs = -Infinity;
    this.#retryMs = FIRST_RETRY_MS;
  }

  /** One request per incident, and again at growing intervals. @param {number} now */
  #due(now) {
    if (now < this.#againMs) return false;
    this.#againMs = now + this.#retryMs;
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
    return true;
  }

  /** @param {string} event */
  #step(event) {
    const row = /** @type {Record<string, any[]>} */ (GATE_ROWS[this.state])[event];
    this.state = row[0];
    return row[1];
  }
}

/** @param {import("./packet.js").Header} header */
function eventOf(header) {
  if (header.kind === Kind.ACCESS_UNIT) return header.keyframe ? "keyframe" : "delta";
  if (header.kind === Kind.STILL) return "still";
  return header.kind === Kind.STILL_PART ? "part of a still" : "unchanged";
}
