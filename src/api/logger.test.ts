import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { evidenceLevels, reaches } from './evidence.ts';
import type * as loggers from './logger.ts';
import { deviceLogger, setLogger, silentLogger, type Logger } from './logger.ts';

/** The package's logger is one for all: each test begins with its own copy. */
async function freshModule(name: string): Promise<typeof loggers> {
  const specifier = ['./logger.ts', name].join('?');
  return (await import(specifier)) as typeof loggers;
}

function recorder(fields: Logger['fields'], lines: unknown[] = []): Logger {
  const say =
    (level: string): Logger['info'] =>
    (message, more) =>
      void lines.push({ level, message, ...fields, ...more });
  return {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    fields,
    withFields: (more) => recorder({ ...fields, ...more }, lines),
  };
}

describe('setLogger, as in v1', () => {
  let before: Logger;
  beforeEach(() => {
    before = deviceLogger();
  });
  afterEach(() => setLogger(before));

  test('says nothing at first, and has the field of its package', async () => {
    const fresh = await freshModule('first');
    expect(fresh.deviceLogger().fields).toEqual({ subsystem: 'device' });
    fresh.deviceLogger().info('nobody hears it');
  });

  test('fields are sticky: those of the logger before are laid over the new one and win', async () => {
    const fresh = await freshModule('sticky');
    fresh.setLogger(recorder({ subsystem: 'other', sandbox: 'vm1' }));
    expect(fresh.deviceLogger().fields).toEqual({ subsystem: 'device', sandbox: 'vm1' });
    fresh.setLogger(recorder({ sandbox: 'vm2', extra: 1 }));
    expect(fresh.deviceLogger().fields).toEqual({ subsystem: 'device', sandbox: 'vm1', extra: 1 });
  });

  test('every line carries them, and what is given with the line', async () => {
    const fresh = await freshModule('lines');
    const lines: unknown[] = [];
    fresh.setLogger(recorder({ sandbox: 'vm1' }, lines));
    fresh.deviceLogger().warn('careful', { device: 'd' });
    expect(lines).toEqual([
      { level: 'warn', message: 'careful', sandbox: 'vm1', subsystem: 'device', device: 'd' },
    ]);
  });

  test.each([[undefined], [null], [{}], [{ info: () => undefined }]])(
    '%j is a mistake of the caller',
    (wrong) => {
      expect(() => setLogger(wrong as Logger)).toThrow(TypeError);
      expect(deviceLogger()).toBe(before);
    },
  );

  test('a silent logger keeps fields and says nothing', () => {
    const logger = silentLogger({ a: 1 }).withFields({ b: 2 });
    expect(logger.fields).toEqual({ a: 1, b: 2 });
    expect(logger.error('x')).toBeUndefined();
  });
});

test('evidence: acknowledged < enumerated < live, and nothing reaches none', () => {
  for (const [index, have] of evidenceLevels.entries()) {
    for (const [wanted, want] of evidenceLevels.entries()) expect(reaches(have, want)).toBe(index >= wanted);
  }
  expect(reaches(undefined, 'acknowledged')).toBe(false);
});
