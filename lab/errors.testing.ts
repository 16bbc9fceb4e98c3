import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { ErrorCode } from '../src/api/error-codes.ts';
import { errorCodes } from '../src/api/error-codes.ts';
import type { JsonObject, JsonValue } from '../src/api/json.ts';
import { QmpConnection } from '../src/hypervisors/qemu/index.ts';
import { readListing } from '../src/manager/listing.ts';
import type { CliResult, Lab } from './harness.ts';

/** The error of a command under `--json`. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly exitCode: number;
  readonly message: string;
  readonly subject: string;
  readonly reason: string;
  readonly hint: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly cause: string | null;
}

/** A message is for a terminal: longer ones hide what matters. */
const longestMessage = 1200;

/**
 * Runs `vmplug` with `--json`, which has to fail with `code`: with the exit code that belongs to
 * it, one document on stdout, nothing on stderr, and words that are short and say what to do.
 */
export async function refused(lab: Lab, code: ErrorCode, ...args: string[]): Promise<Refusal> {
  return refusalOf(await lab.vmplug(...withJson(args)), code);
}

/** `--json`, before a `--` that ends the options. */
function withJson(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  return end === -1 ? [...args, '--json'] : args.toSpliced(end, 0, '--json');
}

/** As {@link refused}, for a command that was started before. */
export function refusalOf(result: Pick<CliResult, 'code' | 'stdout' | 'stderr'>, code: ErrorCode): Refusal {
  expect(result, `${result.stdout}${result.stderr}`).toMatchObject({
    code: errorCodes[code].exitCode,
    stderr: '',
  });
  const { type, error } = JSON.parse(result.stdout) as { type: string; error: Refusal };
  expect(type).toBe('error');
  expect(error).toMatchObject({ code, exitCode: errorCodes[code].exitCode });
  expect(error.message.length).toBeLessThan(longestMessage);
  expect(error.message).not.toMatch(/\bat .*\.js:\d+/);
  return error;
}

/** Sends QMP commands to a sandbox's VM past vmplug, one after the other, and gives the socket back. */
export async function tellVmm(
  socket: string,
  ...commands: readonly [execute: string, args?: JsonObject][]
): Promise<JsonValue[]> {
  await using connection = await QmpConnection.connect(socket, { timeoutMs: 20_000 });
  const replies: JsonValue[] = [];
  for (const [execute, args] of commands) replies.push(await connection.execute(execute, args));
  return replies;
}

/** What a VM has that a plug could have left: devices with an id, and block nodes. */
export async function vmmHas(socket: string): Promise<{ devices: string[]; nodes: string[] }> {
  const [devices, nodes] = await tellVmm(
    socket,
    ['qom-list', { path: '/machine/peripheral' }],
    ['query-named-block-nodes', { flat: true }],
  );
  const names = (list: JsonValue | undefined, key: string): string[] =>
    (list as Record<string, string>[]).map((entry) => entry[key] ?? '').toSorted();
  return { devices: names(devices, 'name'), nodes: names(nodes, 'node-name') };
}

/** Runs `work`, which has to leave the records and the VMs of `sandboxes` as they were, and doctor content. */
export async function changesNothing<T>(
  lab: Lab,
  sandboxes: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const before = await everything(lab, sandboxes);
  const result = await work();
  expect(await everything(lab, sandboxes)).toEqual(before);
  expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  return result;
}

async function everything(lab: Lab, sandboxes: readonly string[]): Promise<unknown> {
  const vms = await Promise.all(sandboxes.map((name) => vmmHas(lab.sandbox(name).socket)));
  return { vms, records: readListing(lab.stateDir) };
}

/** QEMU's arguments for a root port that takes hot-plug, or does not. */
export function rootPort(id: string, slot: number, hotplug = true): string[] {
  const port = {
    driver: 'pcie-root-port',
    id,
    bus: 'pcie.0',
    addr: slot.toString(16),
    chassis: slot,
    hotplug,
  };
  return ['-device', JSON.stringify(port)];
}

const nobody = 65_534;
const program = fileURLToPath(new URL('../bin/vmplug', import.meta.url));

/**
 * Runs `vmplug` as a user without rights; `undefined` where that cannot be: not as root, or from
 * a checkout that others may not read.
 */
export function asNobody(
  lab: Lab,
  ...args: string[]
): Pick<CliResult, 'code' | 'stdout' | 'stderr'> | undefined {
  if (process.getuid?.() !== 0 || spawnAsNobody(lab, '--version').status !== 0) return undefined;
  const { status, stdout, stderr } = spawnAsNobody(lab, ...args);
  return { code: status ?? -1, stdout, stderr };
}

function spawnAsNobody(
  lab: Lab,
  ...args: string[]
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(program, args, {
    uid: nobody,
    gid: nobody,
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], VMPLUG_STATE_DIR: lab.stateDir },
  });
}
