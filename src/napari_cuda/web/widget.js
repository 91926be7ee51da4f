// @ts-check
/** A notebook's cell: the viewer of viewer.js, by messages to the kernel. Joined to it by `web.widget_module`. */
import { mount, TransportError } from "./viewer.js";

/** Not before the kernel has answered once: until then it may be at work in a cell that was run with this one. */
const ANSWERED_WITHIN_MS = 10000;
/** So many messages are read before the kernel is told; it sends no more than 64 untold. */
const TOLD_EVERY = 16;
const NO_ANSWER = "the kernel does not answer: it is busy, or was restarted; then run this cell again";

/**
 * What anywidget gives: the model in the page of an object in the kernel.
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(message: object) => void} send
 * @property {(event: string, hear: (message: any, buffers: DataView[]) => void) => void} on
 * @property {(event: string, hear: (message: any, buffers: DataView[]) => void) => void} off
 */
/** @typedef {import("./parts/transport.js").Transport} Transport */
/** @typedef {import("./parts/transport.js").ChannelUser} ChannelUser */

/**
 * The server in the kernel. All views of all pages share one way: who is meant is named in each message.
 * @param {Model} model
 * @returns {Transport & {dispose: () => void}}
 */
export function commTransport(model) {
  /** @type {Map<string, (message: any, buffers: DataView[]) => void>} */
  const hearers = new Map();
  let answered = false;
  /** @param {any} message @param {DataView[]} buffers */
  const hear = (message, buffers) => {
    const heard = hearers.get(message.channel ?? message.request);
    answered ||= heard !== undefined;
    heard?.(message, buffers);
  };
  /** @param {() => void} giveUp */
  const patience = (giveUp) => setTimeout(() => answered && giveUp(), ANSWERED_WITHIN_MS);
  model.on("msg:custom", hear);

  /** @type {Transport["open"]} */
  const open = (path, query, user) => {
    const channel = newName();
    let taken = 0;
    /** @param {string} reason @param {boolean} final */
    const end = (reason, final) => {
      clearTimeout(timer);
      if (hearers.delete(channel)) user.closed({ reason, final });
    };
    const timer = patience(() => {
      model.send({ do: "close", channel });
      end(NO_ANSWER, false);
    });
    hearers.set(channel, (message, buffers) => {
      if (message.is === "closed") return end(message.reason || "the connection was lost", message.final);
      if (message.is === "opened") {
        clearTimeout(timer);
        return user.opened();
      }
      taken += 1;
      if (taken >= TOLD_EVERY) {
        model.send({ do: "took", channel, count: taken });
        taken = 0;
      }
      user.received(message.is === "bytes" ? bytesOf(buffers[0]) : message.text);
    });
    model.send({ do: "open", channel, path, query });
    return {
      send: (text) => {
        if (hearers.has(channel)) model.send({ do: "send", channel, text });
      },
      close: () => {
        if (!hearers.has(channel)) return;
        model.send({ do: "close", channel });
        queueMicrotask(() => end("the connection was closed", false));
      },
    };
  };

  /** @param {string} method @param {string} path @param {Record<string, string>} query @returns {Promise<any>} */
  const ask = (method, path, query) =>
    new Promise((resolve, reject) => {
      const request = newName();
      const timer = patience(() => {
        hearers.delete(request);
        reject(new TransportError(NO_ANSWER, 0));
      });
      hearers.set(request, (message, buffers) => {
        clearTimeout(timer);
        hearers.delete(request);
        let answer;
        try {
          answer = JSON.parse(new TextDecoder().decode(buffers[0]));
        } catch {
          answer = {};
        }
        if (message.status < 400) resolve(answer);
        else reject(new TransportError(answer.message ?? `the kernel answered ${message.status}`, message.status));
      });
      model.send({ do: "ask", request, method, path, query });
    });

  return {
    open,
    get: (path, query = {}) => ask("GET", path, query),
    post: (path) => ask("POST", path, {}),
    dispose: () => {
      model.off("msg:custom", hear);
      hearers.clear();
    },
  };
}

/** A name that no other page has; without `randomUUID`, which plain HTTP on another host lacks. */
function newName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {DataView} view */
function bytesOf(view) {
  return /** @type {ArrayBuffer} */ (view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el: place }) {
  const root = document.createElement("div");
  root.className = "nc-cell";
  root.style.height = `${model.get("height")}px`;
  place.append(root);
  // The notebook's own keys (Enter, a, dd …) are not to hear what is meant for the viewer.
  root.dataset.lmSuppressShortcuts = "true";
  const transport = commTransport(model);
  const view = mount(root, transport);
  return () => {
    view.dispose();
    transport.dispose();
    root.remove();
  };
}

export default { render };
