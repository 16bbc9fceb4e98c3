import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readMessage } from './messages.ts';

const version = { qemu: { major: 7, minor: 2, micro: 22 }, package: 'Debian 1:7.2' };

describe('readMessage', () => {
  test('a greeting', () => {
    expect(readMessage(JSON.stringify({ QMP: { version, capabilities: ['oob', 1] } }))).toEqual({
      kind: 'greeting',
      greeting: {
        version: { major: 7, minor: 2, micro: 22, package: 'Debian 1:7.2' },
        capabilities: ['oob'],
      },
    });
  });

  test('replies, with any id', () => {
    expect(readMessage('{"return": {}, "id": 7}')).toEqual({ kind: 'return', id: 7, value: {} });
    expect(readMessage('{"return": null}')).toEqual({ kind: 'return', id: undefined, value: null });
    expect(readMessage('{"id":"x","error":{"class":"DeviceNotFound","desc":"no"}}')).toEqual({
      kind: 'error',
      id: 'x',
      error: { class: 'DeviceNotFound', desc: 'no' },
    });
  });

  test('an event keeps its timestamp, and data may be absent', () => {
    expect(readMessage('{"timestamp":{"seconds":5,"microseconds":6},"event":"STOP"}')).toEqual({
      kind: 'event',
      event: { event: 'STOP', data: {}, timestamp: { seconds: 5, microseconds: 6 } },
    });
    expect(readMessage('{"event":"X","data":{"size":18446744073709551615}}')).toMatchObject({
      event: { data: { size: 18446744073709551615n }, timestamp: { seconds: -1, microseconds: -1 } },
    });
  });

  test.each([
    '',
    '{',
    'null',
    '[]',
    '7',
    '{}',
    '{"id":1}',
    '{"QMP":{}}',
    '{"QMP":null}',
    '{"QMP":{"version":{"qemu":{"major":"7"}}}}',
    '{"error":"no","id":1}',
    '{"error":null,"id":1}',
    '{"error":{"class":"GenericError"},"id":1}',
    '{"event":7}',
    '{"return":1,"error":{"class":"a","desc":"b"},"id":1}',
    '{"__proto__":{"event":"STOP"}}',
    'QEMU 7.2.22 monitor - type "help" for more information',
  ])('garbage: %s', (line) => {
    expect(readMessage(line).kind).toBe('garbage');
  });

  test('never throws', () => {
    const values = fc.anything({
      key: fc.constantFrom('QMP', 'return', 'error', 'event', 'id', 'data', 'class'),
    });
    fc.assert(fc.property(fc.string(), (line) => void readMessage(line)));
    fc.assert(fc.property(values, (value) => void readMessage(JSON.stringify(value) ?? '')));
  });
});
