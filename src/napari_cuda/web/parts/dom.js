// @ts-check
/** Making elements. */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Make an element: properties, `class`, `data-…`/`aria-…` attributes and `on…` listeners, which end with `signal`.
 * @param {string} tag @param {Record<string, any>} [with_] @param {...Child} children
 * @returns {any}
 */
export function el(tag, with_ = {}, ...children) {
  const made = document.createElement(tag);
  const { signal, ...rest } = with_;
  for (const [name, value] of Object.entries(rest)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value, { signal });
    else if (name === "class") made.className = value;
    else if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, String(value));
    else /** @type {any} */ (made)[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => child));
  return made;
}

const ICONS = /** @type {Record<string, string>} */ ({
  eye: "M1 8s2.6-4.6 7-4.6S15 8 15 8s-2.6 4.6-7 4.6S1 8 1 8z M8 5.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4z",
  hidden: "M2 2l12 12 M3.6 5C2 6.400 1 8 1 8s2.600 4.600 7 4.600c1 0 1.900-.2 2.700-.6 M6 3.600C6.600 3.500 7.300 3.400 8 3.400 12.400 3.400 15 8 15 8s-.6 1.100-1.800 2.300",
  up: "M8 13V3 M4 7l4-4 4 4",
  down: "M8 3v10 M4 9l4 4 4-4",
  trash: "M2.500 4h11 M6 4V2.500h4V4 M4 4l.7 9.500h6.600L12 4 M6.700 6.500v4.500 M9.300 6.500v4.500",
  rename: "M2.500 13.500l.6-2.800L10.600 3.200l2.200 2.200-7.500 7.500z M9.300 4.500l2.200 2.200",
  home: "M2 8l6-5.500L14 8 M4 7v6.500h8V7 M7 13.500V10h2v3.500",
  grid: "M2.500 2.500h4.500v4.500H2.500z M9 2.500h4.500v4.500H9z M2.500 9h4.500v4.500H2.500z M9 9h4.500v4.500H9z",
  cube: "M8 1.800l5.500 3.100v6.200L8 14.200l-5.500-3.100V4.900z M2.500 4.900L8 8l5.500-3.100 M8 8v6.200",
  flat: "M2.500 3.500h11v9h-11z",
  open: "M1.800 12.800V3.500h4.400l1.500 1.800h6.500v7.500z",
  camera: "M1.800 5h3l1.200-1.800h4L11.200 5h3v8H1.800z M8 6.500a2.400 2.400 0 1 0 0 4.800 2.400 2.400 0 0 0 0-4.800z",
  full: "M2.500 6V2.500H6 M10 2.500h3.500V6 M13.500 10v3.500H10 M6 13.500H2.500V10",
  figures: "M2.500 13.500h11 M4 11V8 M8 11V3.500 M12 11V6",
  help: "M8 1.800a6.200 6.200 0 1 0 0 12.400A6.200 6.200 0 0 0 8 1.800z M6 6.300a2 2 0 1 1 3 1.800c-.7.400-1 .8-1 1.500 M8 11.600v.1",
  theme: "M8 2a6 6 0 1 0 0 12z M8 2a6 6 0 1 1 0 12",
  play: "M4.500 3l8 5-8 5z",
  pause: "M5 3v10 M11 3v10",
  close: "M3.500 3.500l9 9 M12.500 3.500l-9 9",
  folder: "M1.800 12.800V3.500h4.400l1.500 1.800h6.500v7.500z",
  file: "M4 1.800h5l3 3v9.400H4z M9 1.800v3h3",
  layers: "M8 2l6.500 3.300L8 8.600 1.500 5.300z M1.500 8L8 11.300 14.500 8 M1.500 10.700L8 14l6.500-3.300",
  hand: "M5 8V3.500a1 1 0 0 1 2 0V7 M7 7V2.500a1 1 0 0 1 2 0V7 M9 7V3.200a1 1 0 0 1 2 0V9 M11 8V5.500a1 1 0 0 1 2 0V10c0 2.500-1.600 4-4 4-2 0-3-.8-4-2.500L3 8.700a1 1 0 0 1 1.600-1L5 8.300",
  transform: "M3.500 3.500h9v9h-9z M2 2h3v3H2z M11 2h3v3h-3z M2 11h3v3H2z M11 11h3v3h-3z",
  brush: "M13.500 2.500L7 9 M9 11L5 7 M5.500 8.500c-2 0-2.500 1.500-2.500 3 0 1-.7 1.500-1 1.800 3 .7 5.500-.3 5.500-2.800",
  eraser: "M6 13.500h7.500 M2.500 9.500l6-6.500 4.500 4-6 6.500H5z M5.500 6.300l4.500 4",
  bucket: "M7 2.500l5.500 5.500-5 5-5-5.500z M7 2.500L5.500 1 M2.500 7.500h9.500 M13.500 10c.8 1.200 1 1.800 1 2.300a1 1 0 0 1-2 0c0-.5.2-1.100 1-2.300z",
  dropper: "M9 4l3 3 M10 5l1.500-2a1.400 1.400 0 0 1 2 2L11 6.500 M9.500 5.500L4 11l-1 2.500L5.500 12.500l5.500-5.500",
  polygon: "M8 2l6 4.500-2.300 7H4.300L2 6.500z",
  plus: "M8 3v10 M3 8h10",
  minus: "M3 8h10",
  arrow: "M4 2.500l8.500 6-4 .7 2.200 4-1.700.9-2.100-4L4 12.800z",
  vertices: "M4 4l9 8.500 M4 4v8.500h9 M2.800 2.800h2.400v2.400H2.800z",
  square: "M3 4h10v8H3z",
  ellipse: "M8 4a5.500 4 0 1 0 0 8 5.500 4 0 1 0 0-8z",
  line: "M3 13L13 3",
  polyline: "M2.500 12.500L6 5l4 5 3.500-7",
  freehand: "M2.500 11c2-8 4-7 4.500-3s2 5 6.500-3.500",
  lasso: "M8 3c3.300 0 6 1.600 6 3.700s-2.700 3.700-6 3.700-6-1.600-6-3.700S4.700 3 8 3z M5 10c-1 1-.5 2.500 1 3.500",
  undo: "M5.500 3L2.500 6l3 3 M2.500 6H9a4 4 0 0 1 0 7.500H6",
  redo: "M10.500 3l3 3-3 3 M13.500 6H7a4 4 0 0 0 0 7.500h3",
  all: "M2.500 2.500h2 M7 2.500h2 M11.500 2.500h2v2 M13.500 7v2 M13.500 11.500v2h-2 M9 13.500H7 M4.500 13.500h-2v-2 M2.500 9V7 M2.500 4.500v-2 M5.500 5.500h5v5h-5z",
  search: "M6.800 2.300a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9z M10 10l4 4",
});

/** A picture of 16 x 16 in the colour of the text. @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "nc-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button with a picture; its name is for those who do not see it, and a tooltip.
 * @param {string} picture @param {string} name @param {() => void} act @param {AbortSignal} signal @param {string} [extra] class
 */
export function iconButton(picture, name, act, signal, extra = "") {
  const button = el("button", {
    type: "button", class: `nc-button nc-square ${extra}`, "aria-label": name, title: name, onclick: act, signal,
  });
  button.append(icon(picture));
  return button;
}

/** Change what a button shows, if it is another. @param {HTMLElement} button @param {string} picture @param {string} name */
export function setIcon(button, picture, name) {
  if (button.title === name && button.dataset.picture === picture) return;
  button.title = name;
  button.dataset.picture = picture;
  button.setAttribute("aria-label", name);
  button.replaceChildren(icon(picture));
}

/** A number for people: four digits that say something. @param {number} value */
export function shown(value) {
  if (!Number.isFinite(value)) return "";
  if (Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(4)));
}

/** "contrast_limits" -> "contrast limits". @param {string} name */
export function words(name) {
  return name.replaceAll("_", " ").replaceAll(".", " ");
}
