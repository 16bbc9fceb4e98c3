import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { setLogger, silentLogger, type LogFields } from '../../api/logger.ts';
import { chooseDriver, driverByName } from './drivers.ts';

const root = { euid: 0, uidMap: '         0          0 4294967295\n' };
const env = { XDG_RUNTIME_DIR: '/run/user/1000' };

test('7.4 by name: an unknown driver is an error, fs and rootlessfs are there', () => {
  expect(() => driverByName('non-exist')).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  expect(driverByName('fs').root).toBe('/run/vc');
  expect(driverByName('rootlessfs', { env }).root).toBe('/run/user/1000/run/vc');
});

test('7.4 GetDriver: by the rights of the process, mock where it is asked for', () => {
  expect(chooseDriver(root)).toEqual(driverByName('fs'));
  expect(chooseDriver({ ...root, euid: 1000, env })).toEqual(driverByName('rootlessfs', { env }));
  expect(chooseDriver({ ...root, uidMap: '0 1000 1', env }).root).toBe('/run/user/1000/run/vc');
  expect(chooseDriver({ ...root, mock: true }).root).toBe(`${tmpdir()}/vc/mockfs`);
  expect(chooseDriver(root)).not.toBe(chooseDriver(root));
});

test('5.6: without XDG_RUNTIME_DIR it is the user’s directory, with a warning', () => {
  const warnings: [string, LogFields | undefined][] = [];
  const logger = {
    ...silentLogger(),
    warn: (text: string, fields?: LogFields) => void warnings.push([text, fields]),
  };
  try {
    setLogger({ ...logger, withFields: () => logger });
    expect(driverByName('rootlessfs', { env: {}, euid: 7 }).root).toBe('/run/user/7/run/vc');
  } finally {
    setLogger(silentLogger());
  }
  expect(warnings).toEqual([['XDG_RUNTIME_DIR is not set', { using: '/run/user/7' }]]);
});
