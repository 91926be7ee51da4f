// @ts-check
/** napari's camera: which way the world lies on the canvas, and what a hand makes of it. Pure; axes are (z, y, x). */

/** @typedef {{center: number[], zoom: number, angles: number[], perspective: number, orientation: string[]}} Camera */
/** Which directions of the world go right, down and away from the viewer, of length 1. @typedef {{right: number[], down: number[], view: number[]}} Basis */

/** @param {number[]} a @param {number[]} b */
export const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
/** @param {number[]} a @param {number} by @param {number[]} b */
const plus = (a, by, b) => a.map((value, index) => value + by * b[index]);
/** @param {number[]} a @param {number[]} b */
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const RADIANS = Math.PI / 180;
const FROM_PIXELS = Math.PI / 400;

/** @param {Camera} camera @param {number} ndisplay @returns {Basis} */
export function basisOf(camera, ndisplay) {
  const [depth, vertical, horizontal] = camera.orientation;
  const view = [depth === "towards" ? -1 : 1, 0, 0];
  const up = [0, vertical === "down" ? -1 : 1, 0];
  if (ndisplay === 2) return { right: [0, 0, horizontal === "right" ? 1 : -1], down: [0, -up[1], 0], view };
  const turn = rotation(camera.angles.map((angle) => -angle * RADIANS));
  const turned = { view: turn.map((row) => dot(row, view)), up: turn.map((row) => dot(row, up)) };
  const flips = Number(depth !== "towards") + Number(vertical !== "down") + Number(horizontal !== "right");
  const right = cross(turned.view, turned.up).map((value) => (flips % 2 ? -value : value));
  return { right, down: turned.up.map((value) => -value), view: turned.view };
}

/** Intrinsic turns about z, y and x. @param {number[]} angles in radians */
function rotation([a, b, c]) {
  const [ca, sa, cb, sb, cc, sc] = [a, b, c].flatMap((angle) => [Math.cos(angle), Math.sin(angle)]);
  return [
    [cb * cc, -cb * sc, sb],
    [ca * sc + sa * sb * cc, ca * cc - sa * sb * sc, -sa * cb],
    [sa * sc - ca * sb * cc, sa * cc + ca * sb * sc, ca * cb],
  ];
}

/**
 * How the camera here sees a picture: a point of it, from the canvas's middle, belongs at `zoom` times that plus `pan`.
 * `turned`: no shift or scale makes one of the other.
 * @param {import("./packet.js").Pose} frame @param {Camera} camera @param {number} ndisplay
 */
export function difference(frame, camera, ndisplay) {
  if (frame.ndisplay !== ndisplay) return { pan: [0, 0], zoom: 1, turned: true };
  const { right, down } = basisOf(camera, ndisplay);
  const moved = plus(frame.center, -1, camera.center);
  const turned =
    ndisplay === 3 && (frame.perspective !== camera.perspective || frame.angles.some((a, i) => a !== camera.angles[i]));
  return { pan: [camera.zoom * dot(moved, right), camera.zoom * dot(moved, down)], zoom: camera.zoom / frame.zoom, turned };
}

/** The centre after the picture was dragged. @param {Camera} camera @param {number} ndisplay @param {number} dx @param {number} dy pixels */
export function dragged(camera, ndisplay, dx, dy) {
  const { right, down } = basisOf(camera, ndisplay);
  return plus(plus(camera.center, -dx / camera.zoom, right), -dy / camera.zoom, down);
}

/**
 * Centre and zoom after zooming by `factor` about a place, in pixels from the canvas's middle.
 * @param {Camera} camera @param {number} ndisplay @param {number} factor @param {number[]} place
 */
export function zoomed(camera, ndisplay, factor, [x, y]) {
  const zoom = Math.min(1e9, Math.max(1e-9, camera.zoom * factor));
  const { right, down } = basisOf(camera, ndisplay);
  const shift = 1 / camera.zoom - 1 / zoom;
  return { zoom, center: plus(plus(camera.center, x * shift, right), y * shift, down) };
}

/**
 * The angles after a hand turned the scene: what is in front goes with it. `roll` is about the view axis, in radians.
 * @param {Camera} camera @param {number} dx @param {number} dy pixels @param {number} roll
 */
export function turned(camera, dx, dy, roll = 0) {
  let { right, down, view } = basisOf(camera, 3);
  const [a, b] = [dx * FROM_PIXELS, dy * FROM_PIXELS];
  const afterX = plus(right.map((value) => Math.sin(a) * value), Math.cos(a), view);
  right = plus(right.map((value) => Math.cos(a) * value), -Math.sin(a), view);
  view = plus(down.map((value) => Math.sin(b) * value), Math.cos(b), afterX);
  down = plus(down.map((value) => Math.cos(b) * value), -Math.sin(b), afterX);
  down = plus(down.map((value) => Math.cos(roll) * value), Math.sin(roll), right);
  return anglesOf(view, down.map((value) => -value), camera.orientation);
}

/** @param {number[]} view @param {number[]} up @param {string[]} orientation */
function anglesOf(view, up, [depth, vertical]) {
  const home = [[depth === "towards" ? -1 : 1, 0, 0], [0, vertical === "down" ? -1 : 1, 0]];
  const from = [home[0], home[1], cross(home[0], home[1])];
  const to = [view, up, cross(view, up)];
  const turn = [0, 1, 2].map((row) => [0, 1, 2].map((column) => dot(to.map((v) => v[row]), from.map((v) => v[column]))));
  const middle = Math.asin(Math.min(1, Math.max(-1, turn[0][2])));
  const angles = [Math.atan2(-turn[1][2], turn[2][2]), middle, Math.atan2(-turn[0][1], turn[0][0])];
  return angles.map((angle) => -angle / RADIANS);
}

/**
 * A camera that shows everything, as napari's "reset view".
 * @param {Camera} camera @param {number} ndisplay @param {number[][]} ranges [start, stop, step] of the displayed dimensions
 * @param {number[]} box [width, height] in pixels
 */
export function fitted(camera, ndisplay, ranges, [width, height]) {
  const angles = ndisplay === 3 ? [0, 0, 0] : camera.angles;
  const sizes = ranges.map(([start, stop, step]) => stop - start + step || 1);
  const center = [...new Array(3 - ranges.length).fill(0), ...ranges.map(([start, stop]) => (start + stop) / 2)];
  const full = [...new Array(3 - ranges.length).fill(0), ...sizes];
  const { right, down } = basisOf({ ...camera, angles }, ndisplay);
  const seen = [right, down].map((way) => dot(way.map(Math.abs), full) || 1);
  return { angles, center, zoom: 0.95 * Math.min(width / seen[0], height / seen[1]) };
}
