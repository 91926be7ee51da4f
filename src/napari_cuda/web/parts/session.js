// @ts-check
/** The state socket: hello and welcome, pings, a lost connection taken up again (docs/protocol.md, "State"). */
import { Backoff } from "./backoff.js";

const PROTOCOL = 1;
const PING_MS = 2000;
const SILENCE_MS = 8000;
const LATE_MS = 1000;
const TICK_MS = 500;

/** @typedef {Record<string, any> & {type: string}} Message */
/**
 * @typedef {object} SessionHost
 * @property {(welcome: Message, known: Message | null) => void} welcomed
 * @property {(message: Message) => void} heard everything else that the server says
 * @property {(reason: string) => void} lost it is tried again
 * @property {(reason: string) => void} ended for good
 */

export class Session {
  /** Of the newest ping. */
  roundTripMs = 0;
  /** What the server said last of who we are. @type {Message | null} */ known = null;
  isOpen = false;
  #revision = 0;
  #backoff = new Backoff();
  /** @type {import("./transport.js").Channel | null} */ #channel = null;
  #heardMs = 0;
  #openedMs = 0;
  #pingMs = 0;
  #pingToken = 0;
  #dueMs = 0;
  #retry = 0;
  #clock;
  /** How the session ended, if the server said so before the socket closed. */
  #over = "";
  #disposed = false;

  /** @param {import("./transport.js").Transport} transport @param {SessionHost} host */
  constructor(transport, host) {
    this.transport = transport;
    this.host = host;
    this.#clock = setInterval(() => this.#tick(performance.now()), TICK_MS);
  }

  /** Connect, or try again now. */
  open() {
    clearTimeout(this.#retry);
    this.#channel?.close();
    this.#over = "";
    /** @type {import("./transport.js").Channel} */
    const channel = this.transport.open("ws/state", {}, {
      opened: () => {
        if (channel !== this.#channel) return;
        this.#heardMs = this.#openedMs = performance.now();
        this.#dueMs = this.#heardMs + TICK_MS;
        this.send({
          type: "session.hello",
          versions: [PROTOCOL],
          client: `browser page (${navigator.userAgent.slice(0, 120)})`,
          resume_token: this.known?.resume_token ?? "",
          resume_revision: this.#revision,
        });
      },
      received: (data) => {
        if (channel === this.#channel && typeof data === "string") this.#received(data);
      },
      closed: (ending) => {
        if (channel === this.#channel) this.#closed(ending);
      },
    });
    this.#channel = channel;
  }

  /** @param {object} message */
  send(message) {
    this.#channel?.send(JSON.stringify(message));
  }

  /** Leave on purpose. */
  dispose() {
    this.#disposed = true;
    clearInterval(this.#clock);
    clearTimeout(this.#retry);
    this.send({ type: "session.goodbye", reason: "the page was closed" });
    this.#channel?.close();
    this.#channel = null;
  }

  /** @param {string} text */
  #received(text) {
    this.#heardMs = performance.now();
    /** @type {Message} */
    const message = JSON.parse(text);
    switch (message.type) {
      case "session.ping":
        return this.send({ type: "session.pong", token: message.token });
      case "session.pong":
        if (message.token === this.#pingToken) this.roundTripMs = performance.now() - this.#pingMs;
        return;
      case "session.reject":
        this.#over = message.message;
        return;
      case "session.goodbye":
        this.#over = message.reason || "the server ended the session";
        return;
      case "session.welcome": {
        const known = this.known;
        if (known?.viewer !== message.viewer) this.#revision = 0; // a snapshot comes, of another session perhaps
        this.known = message;
        this.isOpen = true;
        return this.host.welcomed(message, known);
      }
      default:
        this.host.heard(message);
        this.#revision = Math.max(this.#revision, knownAfter(message));
    }
  }

  /** @param {import("./transport.js").Ending} ending */
  #closed(ending) {
    this.#channel = null;
    this.isOpen = false;
    if (this.#disposed) return;
    const lasted = this.#openedMs ? performance.now() - this.#openedMs : 0;
    this.#openedMs = 0;
    const reason = this.#over || ending.reason;
    if (this.#over || ending.final || this.known === null) return this.host.ended(reason);
    this.host.lost(reason);
    this.#retry = window.setTimeout(() => this.open(), this.#backoff.pauseMs(lasted));
  }

  /** @param {number} now */
  #tick(now) {
    // A tab in the background, a laptop that slept: time in which we did not run is not the server's silence.
    const late = now - this.#dueMs;
    if (late > LATE_MS) this.#heardMs = Math.min(now, this.#heardMs + late);
    this.#dueMs = now + TICK_MS;
    if (this.#channel === null || !this.#openedMs) return;
    if (now - this.#heardMs >= SILENCE_MS) {
      const channel = this.#channel;
      this.#closed({ reason: `nothing heard from the server for ${SILENCE_MS / 1000} s`, final: false });
      channel.close();
    } else if (now - this.#pingMs >= PING_MS) {
      this.#pingMs = now;
      this.#pingToken += 1;
      this.send({ type: "session.ping", token: this.#pingToken });
    }
  }
}

/** The revision up to which everything is known, after a message of the scene. @param {Message} message */
function knownAfter(message) {
  if (message.type === "scene.snapshot" || message.type === "scene.resumed") return message.revision;
  // Of its own revision more may follow.
  return message.type.endsWith(".update") && message.type !== "job.update" ? message.revision - 1 : 0;
}
