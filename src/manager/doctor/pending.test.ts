import { expect, test } from 'vitest';
import type { AttachmentRecord } from '../../api/attachment.ts';
import type { Observation } from '../../api/hypervisor.ts';
import type { OperationRecord } from '../../api/operation.ts';
import type { UnplugMethod } from '../../api/place.ts';
import { whyStuck, type Pending } from './pending.ts';

const seen: Observation = { present: true, evidence: 'live', best: 'live', guest: {} };

function attachment(unplug: UnplugMethod, state: AttachmentRecord['state']): AttachmentRecord {
  return {
    id: '0123456789abcdef',
    sandbox: 'vm1',
    source: '/images/a',
    kind: 'block',
    driver: 'virtio-blk',
    state,
    host: {
      kind: 'block',
      source: '/images/a',
      layers: [{ path: '/images/a', format: 'raw', protocol: 'file' }],
      virtualSize: 512,
      identities: [{ key: 'file:1:2', mode: 'exclusive' }],
      readOnly: false,
      shareRw: false,
      major: 0,
      minor: 0,
    },
    options: {},
    place: { transport: 'pci', bus: 'port0', slot: 0, path: ['02', '00'], unplug },
    generation: 1,
    plan: { vmmId: 'vmplug-0123456789abcdef-1', steps: [] },
    serial: 'vp0123456789abcdef',
    guest: {},
    timeline: {},
    createdAt: 0,
  };
}

const asked: OperationRecord = {
  id: 'op',
  sandbox: 'vm1',
  device: '0123456789abcdef',
  action: 'detach',
  state: 'expired',
  plan: { vmmId: 'vmplug-0123456789abcdef-1', steps: [] },
  startedAt: 100_000,
  deadlineAt: 110_000,
  timeline: {},
  owner: { pid: 4711, startTime: 'x' },
};

function pending(
  given: Partial<Pending> = {},
  unplug: UnplugMethod = 'acpi',
  state: AttachmentRecord['state'] = 'detaching',
): Pending {
  return {
    attachment: attachment(unplug, state),
    operation: asked,
    isRunning: false,
    status: 'running',
    observation: seen,
    isWhole: true,
    now: 102_000,
    ...given,
  };
}

test.each<[string, Pending, RegExp, RegExp, 'person' | 'repair']>([
  ['somebody works on it', pending({ isRunning: true }), /process 4711 .*8 s/, /wait/, 'person'],
  ['the VM is paused', pending({ status: 'paused' }), /paused/, /resume/, 'person'],
  ['the VM has not started', pending({ status: 'not-started' }), /not started yet/, /resume/, 'person'],
  [
    'the program behind it has ended',
    pending({ observation: { ...seen, backend: 'lost' } }),
    /program that serves/,
    /vmplug detach vm1/,
    'person',
  ],
  [
    'the guest has not booted',
    pending({ observation: { ...seen, evidence: 'acknowledged' } }),
    /acknowledged .*not booted/,
    /guest is up/,
    'person',
  ],
  [
    'a native port is slow',
    pending({}, 'pcie-native'),
    /5 to 6 s, and was asked 2 s ago/,
    /wait 5 s/,
    'person',
  ],
  [
    'a native port has had its time',
    pending({ now: 130_000 }, 'pcie-native'),
    /has not let go .*cannot be known/,
    /unmount/,
    'person',
  ],
  ['the guest keeps it', pending(), /mounted in the guest cannot be known/, /unmount/, 'person'],
  [
    'the VM has let go of it since',
    pending({ observation: { ...seen, present: false } }),
    /does not have the device/,
    /release its back end/,
    'repair',
  ],
  [
    'the process that attached it was killed',
    pending({ operation: { ...asked, action: 'attach', state: 'running' } }, 'acpi', 'attaching'),
    /its last attach, when its process ended: it has the device/,
    /record it as attached/,
    'repair',
  ],
  [
    'a part of a group was plugged when its process was killed',
    pending({ isWhole: false }, 'acpi', 'attaching'),
    /only a part of the group/,
    /rest of it is to leave/,
    'repair',
  ],
])('stuck because %s', (_, given, why, first, by) => {
  const stuck = whyStuck(given);
  expect(stuck.why).toMatch(why);
  expect(stuck.next[0]).toMatchObject({ by, step: expect.stringMatching(first) });
});

test('a paused VM is named before all that it keeps the guest from', () => {
  const observation: Observation = { ...seen, evidence: 'acknowledged', backend: 'lost' };
  expect(whyStuck(pending({ status: 'paused', observation }, 'pcie-native')).why).toMatch(/paused/);
});
