import type { DeviceReceiver } from './device-receiver.ts';
import type { HypervisorType } from './device-type.ts';

/** v1's receiver for tests: every call succeeds, every index is 0. */
export class MockDeviceReceiver implements DeviceReceiver {
  async hotplugAddDevice(): Promise<void> {
    return Promise.resolve();
  }

  async hotplugRemoveDevice(): Promise<void> {
    return Promise.resolve();
  }

  async getAndSetSandboxBlockIndex(): Promise<number> {
    return Promise.resolve(0);
  }

  async unsetSandboxBlockIndex(): Promise<void> {
    return Promise.resolve();
  }

  getSandboxBlockOffset(): number {
    return 0;
  }

  getHypervisorType(): HypervisorType {
    return 'mock';
  }

  async appendDevice(): Promise<void> {
    return Promise.resolve();
  }
}
