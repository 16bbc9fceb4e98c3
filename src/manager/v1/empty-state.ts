import { defaultDeviceConfig } from '../../api/config.ts';
import type { SandboxRecord } from '../../api/sandbox.ts';
import type { Life } from '../../sandbox/life.ts';
import { currentPersistVersion, type SandboxState } from '../../store/v1/documents.ts';
import { sandboxState } from '../../store/v1/sandbox-state-shape.ts';

/**
 * The v1 state of a sandbox that v1 never had: v1's zero values and defaults, and what is known of the VM. It
 * has no devices.
 */
export function emptyV1State(
  { name, hypervisor, facts, process, socket }: SandboxRecord,
  life: Life,
): SandboxState {
  const device = defaultDeviceConfig;
  return sandboxState(
    {
      PersistVersion: currentPersistVersion,
      State: life === 'ended' ? 'stopped' : 'running',
      SandboxContainer: name,
      HypervisorState: {
        Pid: process?.pid ?? 0,
        Type: hypervisor,
        APISocket: hypervisor === 'clh' ? socket : '',
      },
      Config: {
        HypervisorType: hypervisor,
        HypervisorConfig: {
          // What v1 fills in where nothing is said (contract section 2.12).
          NumVCPUs: 1,
          MemorySize: 2048,
          DefaultBridges: device.default_bridges,
          BlockDeviceDriver: device.block_device_driver,
          VhostUserStorePath: device.vhost_user_store_path,
          HypervisorMachineType: facts.machine,
        },
      },
    },
    { document: `the v1 state of ${name}`, path: '$' },
  );
}
