import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { placeKey } from '../../api/place.ts';
import { SqliteStore } from '../../store/sqlite-store.ts';
import { Vmplug } from '../vmplug.ts';
import {
  devicesOfSandbox,
  imagePath,
  processes,
  sandboxName,
  socketPath,
  stateOf,
  wantedByAll,
  type CrowdSaid,
  type Phase,
} from './crowd.testing.ts';
import { startSimulatedProgram, type SimulatedProgram } from './simulated-program.testing.ts';

const sandboxes = Number(process.env['CROWD_SANDBOXES'] ?? 1000);
const limits = { timeoutMs: 60_000 };

let directory: string;
let vms: SimulatedProgram;
let held: AsyncDisposableStack;
const children: Client[] = [];

beforeEach(async () => {
  held = new AsyncDisposableStack();
  directory = mkdtempSync(join(tmpdir(), 'vmplug-crowd-'));
  held.defer(() => rmSync(directory, { recursive: true, force: true }));
  const args = ['--qmp', socketPath(directory, '%d'), '--vms', `${sandboxes}`, '--machine', 'pc'];
  vms = held.use(await startSimulatedProgram(join(directory, 'control'), args));
  const settings = { takesMs: 1, answersMs: 1 };
  for (let index = 0; index < sandboxes; index += 1) {
    await vms.tell({ do: 'guest', vm: socketPath(directory, index), settings });
  }
  makeImages();
  await knowSandboxes();
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.end()));
  await held.disposeAsync();
});

/** A process of clients. */
class Client {
  readonly #child: ChildProcess;
  readonly ready: Promise<unknown>;
  /** Sandboxes that each of its clients is done with. */
  passed = 0;

  constructor(index: number) {
    const program = fileURLToPath(new URL('crowd-program.testing.ts', import.meta.url));
    this.#child = fork(program, [directory, `${sandboxes}`, `${index}`], { execArgv: [] });
    this.ready = once(this.#child, 'message');
    this.#child.on('message', (said: CrowdSaid) => {
      if ('sandboxes' in said) this.passed = said.sandboxes;
    });
  }

  /** Resolves when all its clients have done their work. */
  carryOut(phase: Phase): Promise<Extract<CrowdSaid, { done: true }>> {
    this.passed = 0;
    const { promise, resolve, reject } = Promise.withResolvers<Extract<CrowdSaid, { done: true }>>();
    this.#child.on('message', (said: CrowdSaid) => {
      if ('done' in said) resolve(said);
    });
    this.#child.once('exit', (code) => reject(new Error(`a process of clients ended with ${code}`)));
    this.#child.send(phase);
    return promise;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}

function makeImages(): void {
  mkdirSync(join(directory, 'images'));
  const make = (path: string): void => {
    writeFileSync(path, '');
    truncateSync(path, 1 << 20);
  };
  make(wantedByAll(directory));
  for (let sandbox = 0; sandbox < sandboxes; sandbox += 1) {
    for (let device = 0; device < devicesOfSandbox; device += 1) make(imagePath(directory, sandbox, device));
  }
}

/** One VM is adopted; the others are like it. */
async function knowSandboxes(): Promise<void> {
  await using vmplug = Vmplug.open({ stateDir: stateOf(directory), lingerMs: 0 });
  const record = await vmplug.adopt(sandboxName(0), socketPath(directory, 0), limits);
  // The thread of its CPU tells it from the others.
  const { thread: _, ...facts } = record.facts;
  using store = SqliteStore.open(stateOf(directory));
  store.write((tx) => {
    for (let index = 1; index < sandboxes; index += 1) {
      tx.putSandbox({ ...record, facts, name: sandboxName(index), socket: socketPath(directory, index) });
    }
  });
}

/** Runs a phase in all processes. `meanwhile` comes as soon as every client has got somewhere. */
async function carryOut(phase: Phase, meanwhile: () => Promise<void>): Promise<void> {
  const started = performance.now();
  const ends = Promise.all(children.map((child) => child.carryOut(phase)));
  const isOnTheWay = (): boolean => children.every(({ passed }) => passed >= 5);
  await Promise.race([expect.poll(isOnTheWay, { timeout: 300_000, interval: 20 }).toBe(true), ends]);
  await meanwhile();
  const results = await ends;
  const seconds = (performance.now() - started) / 1000;
  expect(results.flatMap(({ failed }) => failed)).toEqual([]);
  const sorted = results.flatMap(({ milliseconds }) => milliseconds).toSorted((a, b) => a - b);
  const at = (share: number): string => `${Math.round(sorted[Math.floor(sorted.length * share)] ?? 0)} ms`;
  process.stdout.write(
    `${phase}: ${sorted.length} in ${seconds.toFixed(1)} s, ${Math.round(sorted.length / seconds)} a second; ` +
      `half within ${at(0.5)}, 99 % within ${at(0.99)}, the last ${at(0.9999)}\n`,
  );
}

/** Store and VMs agree, and no place and no device is given twice. */
async function expectAgreement(devices: number): Promise<void> {
  const { vms: listed = [] } = await vms.tell({ do: 'list' });
  using store = SqliteStore.open(stateOf(directory));
  store.read((tx) => {
    for (let index = 0; index < sandboxes; index += 1) {
      const records = tx.attachments(sandboxName(index));
      expect(records).toHaveLength(devices);
      expect(new Set(records.map(({ place }) => placeKey(place))).size).toBe(devices);
      expect(tx.takenPlaces(sandboxName(index)).size).toBe(devices);
      const ids = records.map(({ plan }) => plan.vmmId).toSorted();
      const vm = listed[index];
      expect(vm?.devices.map(({ id }) => id).toSorted()).toEqual(ids);
      expect(vm?.backEnds.filter((name) => !name.endsWith('-f')).toSorted()).toEqual(ids);
    }
    expect(tx.attachments()).toHaveLength(devices * sandboxes);
    expect(tx.operations({}).filter(({ state }) => state === 'running')).toEqual([]);
  });
}

test('16 clients in 4 processes: nothing lost, nothing given twice, and nobody waits for another VM', async () => {
  for (let index = 0; index < processes; index += 1) children.push(new Client(index));
  await Promise.all(children.map(({ ready }) => ready));
  const first = socketPath(directory, 0);
  const recorded = (): number => {
    using store = SqliteStore.open(stateOf(directory));
    return store.read(
      (tx) => tx.attachments(sandboxName(0)).filter(({ state }) => state === 'attached').length,
    );
  };

  // The first VM answers nothing from its first plug on, and the others go on.
  await vms.tell({ do: 'hold', vm: first, at: { name: 'device_add', phase: 'before' } });
  await carryOut('attach', async () => {
    expect(vms.heard).toHaveLength(1);
    expect(recorded()).toBe(0);
    await vms.tell({ do: 'release', vm: first });
  });
  await expectAgreement(devicesOfSandbox);

  // One guest never lets go of one of its devices, and all others leave, from that VM too.
  using store = SqliteStore.open(stateOf(directory));
  const [deaf] = store.read((tx) => tx.attachments(sandboxName(0)));
  await vms.tell({ do: 'guest', vm: first, device: deaf?.plan.vmmId, settings: { onUnplug: 'ignores' } });
  await carryOut('detach', async () => {
    const left = (): string[] =>
      store.read((tx) => tx.attachments().map(({ id, state }) => `${id} ${state}`));
    await expect.poll(left, { timeout: 500_000, interval: 200 }).toEqual([`${deaf?.id} detaching`]);
    await vms.tell({ do: 'remove', vm: first, device: deaf?.plan.vmmId });
  });
  await expectAgreement(0);
});
