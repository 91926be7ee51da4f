// @ts-check
/** The page: one view that fills it. */
import { mount, webSocketTransport } from "./viewer.js";

const root = document.querySelector(".nc-page");
if (root instanceof HTMLElement) {
  mount(root, webSocketTransport(new URL(".", location.href)));
  root.focus();
}
