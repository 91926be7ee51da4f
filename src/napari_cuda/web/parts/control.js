// @ts-check
/** What the server says, what the user set, and what is in between; as `client/control/control_state.py`. */

const MOST_UNACKED = 64;

/** @typedef {Record<string, any>} Values */
/** @typedef {{layer: string, kind: string, ndim: number, shape: number[], dtype: string, extent: number[][], rgb: boolean}} Spec */

const SCOPES = ["scene", "dims", "camera", "view"];

/** @param {any} a @param {any} b @returns {boolean} */
export function same(a, b) {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
}

/** A set value shows at once and travels as an absolute intent; what the server says of it waits for the ack. */
export class ControlState {
  /** False until the first snapshot, and while there is no connection. */
  ready = false;
  revision = 0;
  /** Told of each object that shows other values now: "dims", "layer:L1", … @type {(target: string) => void} */
  onChange = () => undefined;
  /** @type {Map<string, Spec>} */ specs = new Map();
  /** @type {Map<string, Values>} */ #mirror = new Map();
  /** @type {Map<string, Map<string, {value: any, intent: number}>>} */ #pending = new Map();
  /** Numbered, oldest first. @type {Map<number, Record<string, any>>} */ #unacked = new Map();
  #numbers = 0;
  #sent = 0;
  #acked = 0;
  #foreign = false;
  #sceneDue = true;

  // --- what the user does ---------------------------------------------------------------

  /** The user set a property; false if it has that value. @param {string} target @param {string} name @param {any} value */
  set(target, name, value) {
    const mirror = this.#mirror.get(target);
    const pending = this.#pending.get(target)?.get(name);
    if (pending ? same(pending.value, value) : mirror && name in mirror && same(mirror[name], value)) return false;
    if (!this.#pending.has(target)) this.#pending.set(target, new Map());
    this.#pending.get(target)?.set(name, { value, intent: 0 });
    this.onChange(target);
    return true;
  }

  /** A command, after all that was set before it. @param {string} name @param {Values} args */
  command(name, args = {}) {
    this.#numberPending();
    const intent = ++this.#numbers;
    this.#unacked.set(intent, { type: "command", intent, name, args });
    return intent;
  }

  /** What the pointer did on a tool; nothing without a connection: input is never late. @param {Values} event */
  point(event) {
    if (!this.ready) return;
    this.#numberPending();
    const newest = this.#unacked.get(this.#numbers);
    const merges = this.#numbers > this.#sent && newest !== undefined && hovers(newest) && hovers(event);
    const intent = merges ? this.#numbers : ++this.#numbers;
    this.#unacked.set(intent, { ...event, type: "input.pointer", intent });
  }

  /** What is to be sent now, in order. */
  take() {
    if (!this.ready) return [];
    if (this.#unacked.size < MOST_UNACKED) this.#numberPending();
    const due = [...this.#unacked].filter(([number]) => number > this.#sent).map(([, intent]) => intent);
    this.#sent = this.#numbers;
    return due;
  }

  #numberPending() {
    for (const [target, properties] of this.#pending) {
      /** @type {Values} */
      const values = {};
      for (const [name, pending] of properties) if (!pending.intent) values[name] = pending.value;
      if (Object.keys(values).length === 0) continue;
      const intent = ++this.#numbers;
      for (const name of Object.keys(values)) /** @type {any} */ (properties.get(name)).intent = intent;
      const [scope, layer] = split(target);
      this.#unacked.set(intent, { type: `${scope}.intent`, intent, values, ...(layer ? { layer } : {}) });
    }
  }

  // --- connections ----------------------------------------------------------------------

  disconnected() {
    this.ready = false;
  }

  /** The server knows this viewer and took its intents up to `taken`. @param {number} taken */
  resume(taken) {
    this.#sent = taken;
    for (const [number, intent] of this.#unacked) {
      if (number > taken && intent.type === "input.pointer") this.#unacked.delete(number);
    }
    this.ready = !this.#sceneDue;
  }

  /** The server forgot this viewer: values are set again after the snapshot. Returns how many commands are lost. */
  rejoin() {
    this.#sceneDue = true;
    for (const properties of this.#pending.values()) for (const pending of properties.values()) pending.intent = 0;
    return this.#dropUnacked();
  }

  /** Another session: nothing that was set concerns it. Returns how much that was. */
  beginAnew() {
    this.#foreign = this.#sceneDue = true;
    this.revision = 0;
    let lost = 0;
    for (const properties of this.#pending.values()) lost += properties.size;
    this.#pending.clear();
    return lost + this.#dropUnacked();
  }

  #dropUnacked() {
    const commands = [...this.#unacked.values()].filter((intent) => intent.type === "command").length;
    this.#unacked.clear();
    this.#acked = this.#sent = this.#numbers;
    return commands;
  }

  // --- what the server says -------------------------------------------------------------

  /** @param {Values} snapshot */
  begin(snapshot) {
    if (this.#foreign) {
      this.beginAnew();
      this.#foreign = false;
    }
    this.#mirror = new Map(SCOPES.map((scope) => [scope, { ...snapshot[scope] }]));
    this.specs = new Map();
    for (const state of snapshot.layers) this.#add(state);
    for (const target of [...this.#pending.keys()]) if (!this.#mirror.has(target)) this.#pending.delete(target);
    this.revision = snapshot.revision;
    this.#sceneDue = false;
    this.ready = true;
    for (const target of this.#mirror.keys()) this.onChange(target);
  }

  /** One delta; also one that was heard before. @param {Values} delta */
  update(delta) {
    this.revision = Math.max(this.revision, delta.revision);
    const scope = delta.type.split(".")[0];
    if (scope === "scene") {
      for (const layer of delta.removed ?? []) this.#forget(layer);
      for (const state of delta.added ?? []) this.#add(state);
    }
    if (scope === "layer" && delta.spec) this.specs.set(delta.layer, delta.spec);
    const target = scope === "layer" ? `layer:${delta.layer}` : scope;
    const mirror = this.#mirror.get(target);
    if (mirror) Object.assign(mirror, delta.values ?? {});
    this.onChange(target);
  }

  /** Settle intents; return [target, reason] of what was refused. @param {Values} ack */
  acked(ack) {
    if (ack.intent <= this.#acked) return [];
    this.#acked = ack.intent;
    for (const number of [...this.#unacked.keys()]) if (number <= ack.intent) this.#unacked.delete(number);
    for (const [target, properties] of this.#pending) {
      for (const [name, pending] of properties) {
        if (pending.intent && pending.intent <= ack.intent) properties.delete(name);
      }
      if (properties.size === 0) this.#pending.delete(target);
      this.onChange(target);
    }
    return (ack.refused ?? []).map((/** @type {Values} */ refusal) => [refusal.target, refusal.reason]);
  }

  /** What to show of an object: the server's values, but for what is pending. @param {string} target @returns {Values} */
  known(target) {
    const values = { ...this.#mirror.get(target) };
    for (const [name, pending] of this.#pending.get(target) ?? []) values[name] = pending.value;
    return values;
  }

  /** Newest intent that was sent and not acknowledged; 0 if there is none. */
  get awaited() {
    return Math.max(0, ...[...this.#unacked.keys()].filter((number) => number <= this.#sent));
  }

  /** True if everything that was set is acknowledged. */
  get settled() {
    return this.#pending.size === 0 && this.#unacked.size === 0;
  }

  /** @param {{spec: Spec, values: Values}} state */
  #add(state) {
    this.specs.set(state.spec.layer, state.spec);
    this.#mirror.set(`layer:${state.spec.layer}`, { ...state.values });
    this.onChange(`layer:${state.spec.layer}`);
  }

  /** @param {string} layer */
  #forget(layer) {
    this.specs.delete(layer);
    this.#mirror.delete(`layer:${layer}`);
    this.#pending.delete(`layer:${layer}`);
  }
}

/** @param {Values} intent */
function hovers(intent) {
  return intent.action === "move" && !(intent.buttons ?? []).length;
}

/** @param {string} target */
function split(target) {
  const at = target.indexOf(":");
  return at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)];
}
