import { endianness } from 'node:os';

/** Requests of vhost-user that any back end answers, at any time (QEMU's docs/interop/vhost-user). */
export const getFeatures = 1;
export const getProtocolFeatures = 15;
/** `VHOST_USER_F_PROTOCOL_FEATURES`: only who offers it may be asked for protocol features. */
export const protocolFeaturesBit = 1n << 30n;

const version = 1;
const replyFlag = 1 << 2;
const payloadBytes = 8;
/** The protocol has the host's own byte order. */
const isLittle = endianness() === 'LE';

/** A request without payload: its number, flags and size, 32 bits each. */
export function requestMessage(request: number): Buffer {
  return header(request, version, 0);
}

/**
 * Reads the reply to `request`, of which `bytes` have come so far.
 * @returns its 64 bits; `unfinished`; `wrong` as soon as no reply can begin so
 */
export function readReplyTo(request: number, bytes: Buffer): bigint | 'unfinished' | 'wrong' {
  const expected = header(request, version | replyFlag, payloadBytes);
  const begun = Math.min(bytes.length, expected.length);
  if (bytes.compare(expected, 0, begun, 0, begun) !== 0) return 'wrong';
  const whole = expected.length + payloadBytes;
  if (bytes.length < whole) return 'unfinished';
  // Nobody says anything unasked here.
  if (bytes.length > whole) return 'wrong';
  return isLittle ? bytes.readBigUInt64LE(expected.length) : bytes.readBigUInt64BE(expected.length);
}

function header(...fields: readonly number[]): Buffer {
  const bytes = Buffer.alloc(fields.length * 4);
  fields.forEach((field, index) => {
    if (isLittle) bytes.writeUInt32LE(field, index * 4);
    else bytes.writeUInt32BE(field, index * 4);
  });
  return bytes;
}
