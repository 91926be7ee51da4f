/** What `viewer.js` exports, for the type checker: the server makes that file from the parts. */
export { mount } from "./parts/app.js";
export { TransportError, webSocketTransport } from "./parts/transport.js";
