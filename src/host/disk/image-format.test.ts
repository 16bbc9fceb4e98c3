import { describe, expect, it } from 'vitest';
import type { ImageFormat } from '../../api/host-device.ts';
import { decideFormat } from './image-format.ts';

const qcow2 = Buffer.from('QFI\xfb', 'latin1');
const zeros = Buffer.alloc(512);

function decide(
  path: string,
  start: Buffer,
  said: { stated?: ImageFormat; recorded?: ImageFormat; end?: Buffer } = {},
) {
  return decideFormat({
    path,
    start,
    stated: said.stated,
    recorded: () => said.recorded,
    end: () => said.end ?? zeros,
  });
}

describe('decideFormat', () => {
  it('takes the word of the user, then of the record, then of the name', () => {
    expect(decide('/a.qcow2', qcow2, { stated: 'raw', recorded: 'qcow2' })).toBe('raw');
    expect(decide('/a.img', qcow2, { recorded: 'qcow2' })).toBe('qcow2');
    expect(decide('/a.QCOW2', qcow2)).toBe('qcow2');
    expect(decide('/a.qcow', qcow2)).toBe('qcow2');
    expect(decide('/a.img', zeros)).toBe('raw');
  });

  it('keeps an image raw that was raw before its guest wrote a qcow2 header into it', () => {
    expect(decide('/a.img', qcow2, { recorded: 'raw' })).toBe('raw');
    expect(decide('/a.qcow2', qcow2, { recorded: 'raw' })).toBe('raw');
  });

  it('does not believe the content alone', () => {
    expect(() => decide('/a.img', qcow2)).toThrow(/could have written/);
    expect(() => decide('/qcow2', qcow2)).toThrow(/could have written/);
  });

  it('refuses a qcow2 that is none', () => {
    expect(() => decide('/a.img', zeros, { stated: 'qcow2' })).toThrow(/does not start/);
    expect(() => decide('/a.img', zeros, { recorded: 'qcow2' })).toThrow(/used as a qcow2 image before/);
    expect(() => decide('/a.qcow2', zeros)).toThrow(/named like/);
    expect(() => decide('/a.qcow2', zeros.subarray(0, 2))).toThrow(/named like/);
  });

  it.each([
    ['/a.vmdk', 'KDMV', 0],
    ['/a.vhdx', 'vhdxfile', 0],
    ['/a.VDI', '\x7f\x10\xda\xbe', 64],
    ['/a.qed', 'QED\0', 0],
    ['/a.vhd', 'conectix', 0],
  ])('refuses %s', (path, magic, at) => {
    const start = Buffer.alloc(512);
    start.write(magic, at, 'latin1');
    expect(() => decide(path, start)).toThrow(/not supported/);
    expect(decide(path, start, { stated: 'raw' })).toBe('raw');
    expect(decide('/a.img', start)).toBe('raw');
    expect(decide(path, zeros)).toBe('raw');
  });

  it('refuses a fixed-size VHD, known by its footer', () => {
    expect(() => decide('/a.vhd', zeros, { end: Buffer.from('conectix') })).toThrow(/VHD/);
  });

  it('takes LUKS as raw', () => {
    expect(decide('/a.luks', Buffer.from('LUKS\xba\xbe', 'latin1'))).toBe('raw');
  });
});
