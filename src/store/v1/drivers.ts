import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VmplugError } from '../../api/errors.ts';
import { deviceLogger } from '../../api/logger.ts';
import { FsPersistDriver } from './fs-persist-driver.ts';

/** What decides where v1 keeps its states. */
export interface DriverSurroundings {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The effective user id. */
  readonly euid?: number;
  /** The content of `/proc/self/uid_map`. */
  readonly uidMap?: string;
  /** Keep states where v1's tests do. */
  readonly mock?: boolean;
}

const names = ['fs', 'rootlessfs'] as const;

/**
 * v1's `GetDriverByName`.
 * @throws VmplugError `invalid-argument` for another name than `fs` and `rootlessfs`
 */
export function driverByName(name: string, around: DriverSurroundings = {}): FsPersistDriver {
  const known = names.find((candidate) => candidate === name);
  if (known === 'fs') return new FsPersistDriver('/run/vc');
  if (known === 'rootlessfs') return new FsPersistDriver(rootlessRoot(around));
  throw new VmplugError('invalid-argument', {
    action: 'choose the persist driver',
    subject: name,
    reason: `there are ${names.join(' and ')}`,
  });
}

/** v1's `GetDriver`: the one of v1's tests, or by the rights of this process. Always another object. */
export function chooseDriver(around: DriverSurroundings = {}): FsPersistDriver {
  if (around.mock === true) return new FsPersistDriver(join(tmpdir(), 'vc', 'mockfs'));
  return driverByName(isRootless(around) ? 'rootlessfs' : 'fs', around);
}

function rootlessRoot({ env = process.env, euid = effectiveUser() }: DriverSurroundings): string {
  const runtime = env['XDG_RUNTIME_DIR'];
  if (runtime !== undefined && runtime !== '') return join(runtime, 'run', 'vc');
  const preset = join('/run/user', String(euid));
  deviceLogger().warn('XDG_RUNTIME_DIR is not set', { using: preset });
  return join(preset, 'run', 'vc');
}

/** Without root's rights on this host: another user, or root of a user namespace only. */
function isRootless({ euid = effectiveUser(), uidMap = readUidMap() }: DriverSurroundings): boolean {
  return euid !== 0 || !/^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
}

function effectiveUser(): number {
  return process.geteuid?.() ?? 0;
}

function readUidMap(): string {
  try {
    return readFileSync('/proc/self/uid_map', 'utf8');
  } catch {
    // A kernel without user namespaces.
    return '0 0 4294967295';
  }
}
