import { expect, test } from 'vitest';
import type { Bus } from '../../api/place.ts';
import { LiveBuses } from './live-buses.ts';

const bus = (taken: string[]): Bus => ({
  name: 'p0',
  transport: 'pci',
  kind: 'root-port',
  places: [],
  capacity: 1,
  taken: new Map(taken.map((id) => [`pci:${id}:00`, id])),
});
const occupants = (buses: Bus[]): string[] => buses.flatMap(({ taken }) => [...taken.values()]);

test('walked once, vacated by events, walked again when forgotten', async () => {
  const live = new LiveBuses();
  let walks = 0;
  const walk = async (): Promise<Bus[]> => {
    walks += 1;
    return [bus(['a', 'b'])];
  };
  expect(occupants(await live.get(walk))).toEqual(['a', 'b']);
  live.vacate('a');
  expect(occupants(await live.get(walk))).toEqual(['b']);
  expect(walks).toBe(1);
  live.forget();
  expect(occupants(await live.get(walk))).toEqual(['a', 'b']);
  live.vacate('a');
  live.vacate('b');
  expect(occupants(await live.get(walk))).toEqual([]);
});

test('a device that leaves during a walk that fails: no unhandled rejection, and the next look walks again', async () => {
  const live = new LiveBuses();
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  try {
    const walk = Promise.withResolvers<Bus[]>();
    const first = live.get(() => walk.promise);
    live.vacate('a');
    walk.reject(new Error('lost'));
    await expect(first).rejects.toThrow('lost');
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
    expect(occupants(await live.get(async () => [bus(['b'])]))).toEqual(['b']);
  } finally {
    process.off('unhandledRejection', note);
  }
});
