// @ts-check
/** xxh3-64 of a picture, as `protocol/digest.py`: proves that what is on the canvas is what the server rendered. */

const SECRET = Uint8Array.from(
  (
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248e" +
    "e03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a" +
    "51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8f" +
    "f8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
  ).match(/../g)?.map((byte) => parseInt(byte, 16)) ?? [],
);
const SECRET_VIEW = new DataView(SECRET.buffer);
const MASK = (1n << 64n) - 1n;
const PRIME32 = [0x9e3779b1n, 0x85ebca77n, 0xc2b2ae3dn];
const PRIME64 = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n];
const STRIPE = 64;
const STRIPES_PER_BLOCK = (SECRET.length - STRIPE) / 8;
export const SHORTEST_DIGEST = 241;

/**
 * Return the xxh3-64 (seed 0) of more than 240 bytes: a canvas has at least 16 x 16 x 4.
 * @param {Uint8Array | Uint8ClampedArray} bytes beginning at a multiple of 4 of their buffer
 */
export function xxh3(bytes) {
  if (bytes.length < SHORTEST_DIGEST) throw new RangeError("too short for a picture");
  // 64-bit lanes as pairs of 32 bits: BigInt would take a hundred times as long.
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const start = [PRIME32[2], PRIME64[0], PRIME64[1], PRIME64[2], PRIME64[3], PRIME32[1], PRIME64[4], PRIME32[0]];
  const low = Uint32Array.from(start, (value) => Number(value & 0xffffffffn));
  const high = Uint32Array.from(start, (value) => Number(value >> 32n));
  const blockBytes = STRIPE * STRIPES_PER_BLOCK;
  const blocks = Math.floor((bytes.length - 1) / blockBytes);
  for (let block = 0; block < blocks; block++) {
    accumulate(low, high, words, (block * blockBytes) >> 2, STRIPES_PER_BLOCK, 0);
    scramble(low, high);
  }
  const stripes = Math.floor((bytes.length - 1 - blocks * blockBytes) / STRIPE);
  accumulate(low, high, words, (blocks * blockBytes) >> 2, stripes, 0);
  const last = new Uint8Array(STRIPE);
  last.set(bytes.subarray(bytes.length - STRIPE));
  accumulate(low, high, new Uint32Array(last.buffer), 0, 1, SECRET.length - STRIPE - 7);
  const lanes = Array.from(low, (value, lane) => (BigInt(high[lane]) << 32n) | BigInt(value));
  let result = (BigInt(bytes.length) * PRIME64[0]) & MASK;
  for (let pair = 0; pair < 4; pair++) {
    const at = 11 + 16 * pair;
    result += folded(
      lanes[2 * pair] ^ SECRET_VIEW.getBigUint64(at, true),
      lanes[2 * pair + 1] ^ SECRET_VIEW.getBigUint64(at + 8, true),
    );
  }
  return avalanche(result & MASK);
}

/**
 * @param {Uint32Array} low @param {Uint32Array} high @param {Uint32Array} words
 * @param {number} from index of the first word @param {number} stripes @param {number} secretAt
 */
function accumulate(low, high, words, from, stripes, secretAt) {
  for (let stripe = 0; stripe < stripes; stripe++) {
    for (let lane = 0; lane < 8; lane++) {
      const at = from + 16 * stripe + 2 * lane;
      const key = secretAt + 8 * (stripe + lane);
      const dataLow = words[at];
      const dataHigh = words[at + 1];
      add(low, high, lane ^ 1, dataLow, dataHigh);
      const a = (dataLow ^ SECRET_VIEW.getUint32(key, true)) >>> 0;
      const b = (dataHigh ^ SECRET_VIEW.getUint32(key + 4, true)) >>> 0;
      // a * b in 64 bits, from halves of 16.
      const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
      const low0 = a0 * b0;
      const middle = a1 * b0 + (low0 >>> 16);
      const cross = a0 * b1 + (middle % 65536);
      const productLow = ((cross % 65536) * 65536 + (low0 & 0xffff)) >>> 0;
      const productHigh = a1 * b1 + Math.floor(middle / 65536) + Math.floor(cross / 65536);
      add(low, high, lane, productLow, productHigh >>> 0);
    }
  }
}

/**
 * @param {Uint32Array} low @param {Uint32Array} high @param {number} lane
 * @param {number} plusLow @param {number} plusHigh
 */
function add(low, high, lane, plusLow, plusHigh) {
  const sum = low[lane] + plusLow;
  low[lane] = sum;
  high[lane] = high[lane] + plusHigh + (sum > 0xffffffff ? 1 : 0);
}

/** @param {Uint32Array} low @param {Uint32Array} high */
function scramble(low, high) {
  for (let lane = 0; lane < 8; lane++) {
    const key = SECRET_VIEW.getBigUint64(SECRET.length - STRIPE + 8 * lane, true);
    let value = (BigInt(high[lane]) << 32n) | BigInt(low[lane]);
    value = ((value ^ (value >> 47n) ^ key) * PRIME32[0]) & MASK;
    low[lane] = Number(value & 0xffffffffn);
    high[lane] = Number(value >> 32n);
  }
}

/** @param {bigint} a @param {bigint} b */
function folded(a, b) {
  const product = a * b;
  return (product & MASK) ^ (product >> 64n);
}

/** @param {bigint} value */
function avalanche(value) {
  value ^= value >> 37n;
  value = (value * 0x165667919e3779f9n) & MASK;
  return value ^ (value >> 32n);
}
