// @ts-check
/** The pixel packet: the same bytes as `protocol/packet.py`, checked against tests/vectors/pixel_packets.json. */

export const HEADER_BYTES = 122;
const PACKET_VERSION = 2;

export const Kind = Object.freeze({ ACCESS_UNIT: 1, STILL: 2, UNCHANGED: 3, STILL_PART: 4 });
const FLAG = Object.freeze({ KEYFRAME: 1, FULL_DETAIL: 2, AT_REST: 4 });

/**
 * The camera a picture was drawn with, in napari's units and axis order (z, y, x).
 * @typedef {{center: number[], zoom: number, angles: number[], perspective: number, ndisplay: number}} Pose
 */
/**
 * What a picture shows. The 64-bit numbers are exact; sizes are [width, height] in pixels.
 * @typedef {object} Header
 * @property {number} kind
 * @property {boolean} keyframe
 * @property {boolean} fullDetail
 * @property {boolean} atRest
 * @property {number} part
 * @property {number} seq
 * @property {number} epoch
 * @property {bigint} revision
 * @property {bigint} inputId
 * @property {bigint} captureTimeUs
 * @property {[number, number]} canvas
 * @property {[number, number]} coded
 * @property {number} margin
 * @property {bigint} hash
 * @property {Pose} camera
 */

/** What arrived is no packet of ours. */
export class PacketError extends Error {}

/**
 * Return header and payload of one message of the pixel socket; the payload is not copied.
 * @param {ArrayBuffer} message
 * @returns {{header: Header, payload: Uint8Array<ArrayBuffer>}}
 */
export function parsePacket(message) {
  if (message.byteLength < HEADER_BYTES) {
    throw new PacketError(`pixel packet of ${message.byteLength} bytes is shorter than its ${HEADER_BYTES} byte header`);
  }
  const view = new DataView(message);
  if (view.getUint8(0) !== 0x4e || view.getUint8(1) !== 0x43) throw new PacketError("pixel packet does not begin with NC");
  const version = view.getUint8(2);
  if (version !== PACKET_VERSION) {
    throw new PacketError(`pixel packet version ${version}; this page reads version ${PACKET_VERSION}`);
  }
  const kind = view.getUint8(3);
  if (kind < 1 || kind > 4) throw new PacketError(`pixel packet of unknown kind ${kind}`);
  const flags = view.getUint8(4);
  const pose = Array.from({ length: 8 }, (_, index) => view.getFloat64(58 + 8 * index, true));
  return {
    header: {
      kind,
      keyframe: (flags & FLAG.KEYFRAME) !== 0,
      fullDetail: (flags & FLAG.FULL_DETAIL) !== 0,
      atRest: (flags & FLAG.AT_REST) !== 0,
      part: view.getUint16(6, true),
      seq: view.getUint32(8, true),
      epoch: view.getUint32(12, true),
      revision: view.getBigUint64(16, true),
      inputId: view.getBigUint64(24, true),
      captureTimeUs: view.getBigUint64(32, true),
      canvas: [view.getUint16(40, true), view.getUint16(42, true)],
      coded: [view.getUint16(44, true), view.getUint16(46, true)],
      margin: view.getUint16(48, true),
      hash: view.getBigUint64(50, true),
      camera: {
        center: pose.slice(0, 3),
        zoom: pose[3],
        angles: pose.slice(4, 7),
        perspective: pose[7],
        ndisplay: view.getUint8(5),
      },
    },
    payload: new Uint8Array(message, HEADER_BYTES),
  };
}

/**
 * Return WebCodecs' name of an access unit's H.264 profile and level, from its SPS; "" if it has none.
 * @param {Uint8Array} unit Annex B
 */
export function codecOf(unit) {
  for (let at = 0; at + 6 < unit.length; at++) {
    if (unit[at] === 0 && unit[at + 1] === 0 && unit[at + 2] === 1 && (unit[at + 3] & 31) === 7) {
      const hex = [...unit.subarray(at + 4, at + 7)].map((byte) => byte.toString(16).padStart(2, "0"));
      return `avc1.${hex.join("")}`;
    }
  }
  return "";
}
