// @ts-check
/** What the page needs of a way to the server. A WebSocket is one; a notebook's comm can be another. */

/** @typedef {{reason: string, final: boolean}} Ending */
/** @typedef {{send: (text: string) => void, close: () => void}} Channel */
/**
 * @typedef {object} ChannelUser
 * @property {() => void} opened
 * @property {(data: string | ArrayBuffer) => void} received
 * @property {(ending: Ending) => void} closed also called when it could not be opened
 */
/**
 * @typedef {object} Transport
 * @property {(path: string, query: Record<string, string>, user: ChannelUser) => Channel} open
 * @property {(path: string, query?: Record<string, string>) => Promise<any>} get JSON; throws TransportError
 * @property {(path: string) => Promise<any>} post without a body; throws TransportError
 */

/** The server refused in one line; `status` is HTTP's, 0 if it was not reached. */
export class TransportError extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * The server at an address, by its cookie.
 * @param {string | URL} base where the page lies, with a "/" at the end
 * @returns {Transport}
 */
export function webSocketTransport(base) {
  /** @param {string} path @param {Record<string, string>} query */
  const address = (path, query) => {
    const url = new URL(path, base);
    url.search = new URLSearchParams(query).toString();
    return url;
  };

  /** @param {string} method @param {string} path @param {Record<string, string>} query */
  const ask = async (method, path, query) => {
    let response;
    try {
      response = await fetch(address(path, query), { method, credentials: "same-origin" });
    } catch {
      throw new TransportError("the server cannot be reached", 0);
    }
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new TransportError(answer.message ?? `the server answered ${response.status}`, response.status);
    return answer;
  };
  /** @type {Transport["get"]} */
  const get = (path, query = {}) => ask("GET", path, query);
  /** @type {Transport["post"]} */
  const post = (path) => ask("POST", path, {});

  /** @type {Transport["open"]} */
  const open = (path, query, user) => {
    const url = address(path, query);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      user.opened();
    };
    socket.onmessage = (event) => user.received(event.data);
    socket.onclose = async (event) => {
      if (wasOpen) return user.closed({ reason: event.reason || "the connection was lost", final: false });
      // A browser does not tell why a socket was refused: ask for something else.
      try {
        await get("page.json");
        user.closed({ reason: "the server does not open a session just now", final: false });
      } catch (error) {
        const refused = error instanceof TransportError && error.status >= 400 && error.status < 500;
        user.closed({ reason: error instanceof Error ? error.message : String(error), final: refused });
      }
    };
    return {
      send: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      close: () => socket.close(),
    };
  };
  return { open, get, post };
}
