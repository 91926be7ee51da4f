// @ts-check
/** How long to wait before a lost connection is tried again; as `client/control/backoff.py`. */

const FIRST_MS = 100;
const LONGEST_MS = 8000;

/** Pauses that double while connections fail, each shortened at random by up to a half. */
export class Backoff {
  #longestMs = 0;

  /** @param {() => number} random in [0, 1) */
  constructor(random = Math.random) {
    this.random = random;
  }

  /** The pause after a connection that was open for `lastedMs` (0: never was). @param {number} lastedMs */
  pauseMs(lastedMs) {
    if (lastedMs > this.#longestMs) this.#longestMs = FIRST_MS;
    else if (lastedMs > FIRST_MS) this.#longestMs = Math.max(FIRST_MS, this.#longestMs / 2);
    else this.#longestMs = Math.min(LONGEST_MS, Math.max(FIRST_MS, 2 * this.#longestMs));
    return this.#longestMs * (1 - this.random() / 2);
  }
}
