import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { Sleeper } from './wait.ts';

test('ends by its time, by a call, by the signal, and at once when one of these came before', async () => {
  const sleeper = new Sleeper();
  await sleeper.sleep(1);
  const called = sleeper.sleep(60_000);
  sleeper.wake();
  await called;
  sleeper.wake();
  await sleeper.sleep(60_000);
  const controller = new AbortController();
  const aborted = sleeper.sleep(60_000, controller.signal);
  controller.abort();
  await aborted;
  await sleeper.sleep(60_000, controller.signal);
});

test('hard rule 5: holds nothing afterwards, however it ended', async () => {
  const sleeper = new Sleeper();
  const { signal } = new AbortController();
  await sleeper.sleep(1, signal);
  const called = sleeper.sleep(60_000, signal);
  sleeper.wake();
  await called;
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a time that has passed already is no wait and no warning', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  try {
    await new Sleeper().sleep(-0.002);
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', note);
  }
});
