// @ts-check
/** Mouse, pen, fingers, wheel and keys on the canvas. */

/**
 * @typedef {object} Hands what they do; places and steps in canvas pixels, places from the canvas's top left
 * @property {(dx: number, dy: number) => void} pan
 * @property {(dx: number, dy: number, roll: number) => void} turn
 * @property {(factor: number, place: number[]) => void} zoom
 * @property {() => boolean} turns whether one finger turns the scene, and does not move it
 * @property {(steps: number) => void} step of the slider in use
 * @property {(place: number[] | null) => void} hover
 * @property {((event: PointerEvent, action: string, place: number[]) => void) | null} tool what the pointer does to a tool
 * @property {() => boolean} toolInUse
 */

const WHEEL_STEP = 1.1;
const LINE_PX = 40;

/**
 * @param {HTMLCanvasElement} canvas @param {Hands} hands @param {AbortSignal} signal
 */
export function watchHands(canvas, hands, signal) {
  /** @type {Map<number, number[]>} */
  const down = new Map();
  let drawing = false;
  /** @param {PointerEvent | WheelEvent} event */
  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
  };

  /** Two fingers: how far apart, at what angle, around which place. */
  const pair = () => {
    const [a, b] = [...down.values()];
    const way = [b[0] - a[0], b[1] - a[1]];
    return { apart: Math.hypot(...way) || 1, angle: Math.atan2(way[1], way[0]), middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] };
  };

  /** @param {PointerEvent} event */
  const pressed = (event) => {
    if (event.button > 2) return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, placeOf(event));
    drawing = down.size === 1 && event.button === 0 && hands.toolInUse();
    if (drawing) hands.tool?.(event, "press", placeOf(event));
  };

  /** @param {PointerEvent} event */
  const moved = (event) => {
    const place = placeOf(event);
    const before = down.get(event.pointerId);
    if (before === undefined) {
      if (event.pointerType !== "touch") hands.hover(place);
      if (hands.toolInUse()) hands.tool?.(event, "move", place);
      return;
    }
    if (drawing) {
      hands.hover(place);
      for (const part of event.getCoalescedEvents?.() ?? [event]) hands.tool?.(event, "move", placeOf(part));
      return;
    }
    const two = down.size === 2 ? pair() : null;
    down.set(event.pointerId, place);
    if (two !== null) {
      const now = pair();
      hands.pan(now.middle[0] - two.middle[0], now.middle[1] - two.middle[1]);
      hands.zoom(now.apart / two.apart, now.middle);
      const roll = now.angle - two.angle;
      if (hands.turns()) hands.turn(0, 0, Math.atan2(Math.sin(roll), Math.cos(roll)));
    } else if (down.size === 1) {
      const [dx, dy] = [place[0] - before[0], place[1] - before[1]];
      if (event.buttons & 2) hands.zoom(Math.exp(-dy / 200), [canvas.width / 2, canvas.height / 2]);
      else if (hands.turns() && !event.shiftKey && !(event.buttons & 4)) hands.turn(dx, dy, 0);
      else hands.pan(dx, dy);
    }
    if (event.pointerType !== "touch") hands.hover(place);
  };

  /** @param {PointerEvent} event */
  const released = (event) => {
    if (!down.delete(event.pointerId)) return;
    if (drawing) hands.tool?.(event, "release", placeOf(event));
    drawing = false;
  };

  canvas.addEventListener("pointerdown", pressed, { signal });
  canvas.addEventListener("pointermove", moved, { signal });
  canvas.addEventListener("pointerup", released, { signal });
  canvas.addEventListener("pointercancel", released, { signal });
  canvas.addEventListener("pointerleave", () => hands.hover(null), { signal });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const px = event.deltaMode === 0 ? event.deltaY || event.deltaX : LINE_PX * event.deltaY;
      if (event.altKey) hands.step(Math.sign(px));
      // A pinch on a touchpad comes as a wheel with "ctrl", in small steps.
      else hands.zoom(event.ctrlKey && Math.abs(px) < 50 ? Math.exp(-px / 100) : WHEEL_STEP ** (-px / 100), placeOf(event));
    },
    { signal, passive: false },
  );
}

/**
 * Call what belongs to a key that is pressed anywhere in `root`, unless something is being typed.
 * @param {HTMLElement} root @param {Record<string, () => void>} keys by `event.key`, letters small; "Ctrl+" and "Shift+" before some
 * @param {AbortSignal} signal
 */
export function watchKeys(root, keys, signal) {
  root.addEventListener(
    "keydown",
    (event) => {
      if (event.altKey || event.defaultPrevented) return;
      const target = /** @type {HTMLElement} */ (event.target);
      const typing = target.matches("input:not([type=range]):not([type=checkbox]), select, textarea, [contenteditable]");
      if (typing || target.closest("dialog") || (target.matches("input") && event.key.startsWith("Arrow"))) return;
      if (event.key === " " && target.matches("button, input, summary")) return;
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const act = keys[event.ctrlKey || event.metaKey ? `Ctrl+${event.shiftKey ? "Shift+" : ""}${key}` : key];
      if (act === undefined) return;
      event.preventDefault();
      act();
    },
    { signal },
  );
}
